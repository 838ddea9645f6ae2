import { defineConfig } from "vite";

/** Where `npm run dev` finds a running API. */
const api = "http://127.0.0.1:8600";

export default defineConfig({
  // Everything the page loads is a file of this origin: the Content-Security-Policy allows nothing inline.
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false }, target: "es2022", reportCompressedSize: true },
  server: { proxy: { "/v1": api, "/livez": api, "/readyz": api } },
});
