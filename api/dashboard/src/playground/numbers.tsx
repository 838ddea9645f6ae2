/** A field of many numbers, with what is wrong with them below. */
interface NumbersProps {
  label: string;
  text: string;
  wrong: string | null;
  change: (text: string) => void;
}

export function Numbers({ label, text, wrong, change }: NumbersProps) {
  return (
    <label class="field">
      <span>{label}</span>
      <textarea
        class="numbers"
        rows={12}
        spellcheck={false}
        value={text}
        aria-invalid={wrong ? "true" : undefined}
        onInput={(event) => change(event.currentTarget.value)}
      />
      {wrong ? <span class="wrong">{wrong}</span> : null}
    </label>
  );
}
