import { signal } from "@preact/signals";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Which colours are in force: what is drawn on a canvas has to be drawn again when they change. */
export const theme = signal(dark.matches ? "dark" : "light");
dark.addEventListener("change", () => {
  theme.value = dark.matches ? "dark" : "light";
});
