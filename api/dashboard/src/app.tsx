/** The frame around every room: navigation, connection banner, sign-in. */
import { useEffect, useRef } from "preact/hooks";
import { connection, signedOut } from "./http";
import { DatasetPage } from "./data/dataset";
import { DataPage } from "./data/page";
import { JobPage } from "./job/page";
import { JobsPage } from "./jobs/page";
import { NewJobPage } from "./jobs/new";
import { ModelPage } from "./models/model";
import { ModelsPage } from "./models/page";
import { PlaygroundPage } from "./playground/page";
import { href, route } from "./route";
import { session, SignIn, signOut, useSession } from "./session";
import { WorkersPage } from "./workers/page";

const rooms = [
  ["jobs", "Jobs"],
  ["data", "Data"],
  ["workers", "Workers"],
  ["models", "Models"],
  ["playground", "Playground"],
] as const;

function Room() {
  const [room = "jobs", name] = route.value.parts;
  if (room === "jobs" && name === "new") return <NewJobPage />;
  if (room === "jobs" && name) return <JobPage key={name} id={name} />;
  if (room === "jobs") return <JobsPage />;
  if (room === "data" && name) return <DatasetPage key={name} name={name} />;
  if (room === "data") return <DataPage />;
  if (room === "workers") return <WorkersPage />;
  if (room === "models" && name) return <ModelPage key={name} name={name} />;
  if (room === "models") return <ModelsPage />;
  if (room === "playground") return <PlaygroundPage />;
  return (
    <>
      <h1 tabIndex={-1}>Nothing here</h1>
      <p>
        This address leads nowhere. <a href={href(["jobs"])}>All jobs</a>
      </p>
    </>
  );
}

function Banner() {
  const words = {
    ok: "",
    lost: "Reconnecting … the service does not answer. What you see is from a moment ago; jobs go on without this page.",
    busy: "Waiting … the service cannot answer right now. What you see is from a moment ago.",
  };
  return (
    <div class="banner" role="status" data-state={connection.value}>
      {words[connection.value]}
    </div>
  );
}

function Header() {
  const here = route.value.parts[0] ?? "jobs";
  return (
    <header class="top">
      <a class="brand" href={href(["jobs"])}>
        <Mark />
        Epochd
      </a>
      <nav aria-label="Rooms">
        {rooms.map(([room, label]) => (
          <a key={room} href={href([room])} aria-current={here === room ? "page" : undefined}>
            {label}
          </a>
        ))}
      </nav>
      {session.value?.keys_required && !signedOut.value ? (
        <button type="button" class="quiet" onClick={() => void signOut()}>
          Sign out
        </button>
      ) : null}
    </header>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
      <rect width="32" height="32" rx="8" class="mark-ground" />
      <path d="M6 8c2 9 6 13.500 10 15 3.500 1.200 6.500 1.500 10 1.500" class="mark-curve" />
      <circle cx="26" cy="24.500" r="2.800" class="mark-dot" />
    </svg>
  );
}

/** After a move to another room the keyboard and the screen reader start at its heading. */
function useHeadingFocus(main: { current: HTMLElement | null }): void {
  const place = route.value.parts.join("/");
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    window.scrollTo(0, 0);
    main.current?.querySelector("h1")?.focus();
  }, [place]);
}

export function App() {
  const main = useRef<HTMLElement>(null);
  useSession();
  useHeadingFocus(main);
  const skip = (event: Event): void => {
    event.preventDefault();
    main.current?.focus();
  };
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to content
      </a>
      <Header />
      <Banner />
      <main id="main" tabIndex={-1} ref={main}>
        {signedOut.value ? <SignIn /> : <Room />}
      </main>
      <footer class="foot">
        <a href="/docs">HTTP interface</a>
        <span>Times are in your time zone.</span>
      </footer>
    </>
  );
}
