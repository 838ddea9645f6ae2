/** Who is signed in. Without keys (a loopback bind) nobody has to be. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { asProblem, call, forget, revived, signedOut, type Problem } from "./http";
import { Trouble } from "./part/trouble";
import { useTitle } from "./part/title";
import type { Session } from "./wire";

export const session = signal<Session | null>(null);

export function useSession(): void {
  useEffect(() => {
    const ask = async (): Promise<void> => {
      try {
        session.value = (await call<Session>("/v1/session")).body;
      } catch (error) {
        if (asProblem(error).status === 401) signedOut.value = true;
      }
    };
    void ask();
  }, [revived.value]);
}

export async function signOut(): Promise<void> {
  await call("/v1/session", { method: "DELETE" });
  forget();
  session.value = null;
  signedOut.value = true;
}

const problem = signal<Problem | null>(null);
const busy = signal(false);

async function signIn(form: HTMLFormElement): Promise<void> {
  const key = String(new FormData(form).get("key") ?? "").trim();
  busy.value = true;
  problem.value = null;
  try {
    await call("/v1/session", { method: "POST", json: { key } });
    form.reset();
    forget();
    signedOut.value = false;
    revived.value += 1;
  } catch (error) {
    problem.value = asProblem(error);
  } finally {
    busy.value = false;
  }
}

export function SignIn() {
  useTitle("Sign in");
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void signIn(event.currentTarget as HTMLFormElement);
  };
  return (
    <form class="panel sign-in" onSubmit={submit}>
      <h1 tabIndex={-1}>Sign in</h1>
      <p class="muted">This service asks for an API key. It is kept in a cookie that goes to this site alone and that no script can read.</p>
      <input hidden name="username" autocomplete="username" value="epochd" readOnly />
      <label class="field">
        <span>API key</span>
        <input name="key" type="password" required autocomplete="current-password" placeholder="ep_…" spellcheck={false} />
      </label>
      {problem.value ? <Trouble problem={problem.value} /> : null}
      <button type="submit" class="primary" disabled={busy.value}>
        {busy.value ? "Signing in …" : "Sign in"}
      </button>
      <p class="muted small">
        An administrator makes one with <code>epochd keys create</code>.
      </p>
    </form>
  );
}
