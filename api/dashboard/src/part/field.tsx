import { useId } from "preact/hooks";
import type { ComponentChildren } from "preact";

interface Shared {
  label: string;
  name: string;
  value: string;
  set: (text: string) => void;
  hint?: string;
  error?: string | undefined;
}

function Frame({ id, label, hint, error, children }: Omit<Shared, "name" | "value" | "set"> & { id: string; children: ComponentChildren }) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children}
      {hint ? (
        <span id={`${id}-hint`} class="muted small">
          {hint}
        </span>
      ) : null}
      {error ? (
        <span id={`${id}-error`} class="wrong">
          {error}
        </span>
      ) : null}
    </div>
  );
}

const described = (id: string, hint: string | undefined, error: string | undefined): string | undefined =>
  [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;

/** A labelled text input with its hint and, when refused, the reason. */
export function Field({ label, name, value, set, hint, error, numeric }: Shared & { numeric?: boolean }) {
  const id = useId();
  return (
    <Frame id={id} label={label} {...(hint ? { hint } : {})} error={error}>
      <input
        id={id}
        name={name}
        value={value}
        inputMode={numeric ? "decimal" : "text"}
        autocomplete="off"
        spellcheck={false}
        aria-invalid={error ? "true" : undefined}
        aria-describedby={described(id, hint, error)}
        onInput={(event) => set(event.currentTarget.value)}
      />
    </Frame>
  );
}

/** The same for one of a few words; `empty` says what choosing none of them means. */
export function Choice({ label, name, value, set, hint, error, options, empty }: Shared & { options: string[]; empty?: string }) {
  const id = useId();
  return (
    <Frame id={id} label={label} {...(hint ? { hint } : {})} error={error}>
      <select
        id={id}
        name={name}
        value={value}
        aria-invalid={error ? "true" : undefined}
        aria-describedby={described(id, hint, error)}
        onChange={(event) => set(event.currentTarget.value)}
      >
        {options.map((option) => (
          <option key={option} value={option}>
            {option || empty}
          </option>
        ))}
      </select>
    </Frame>
  );
}
