/** For models of coloured pictures: show one. */
import { useSignal } from "@preact/signals";
import { useAddress } from "./address";
import { Answer, type Desk } from "./answer";
import { drawPicture } from "./sample";

export function PictureDesk({ model, version }: Desk) {
  const asked = useSignal<{ picture: Blob; label: string | null } | null>(null);
  const address = useAddress(asked.value?.picture ?? null);
  const sample = async (): Promise<void> => {
    asked.value = await drawPicture(version).catch(() => null); // The banner says why.
  };
  const choose = (event: Event & { currentTarget: HTMLInputElement }): void => {
    const [picture] = event.currentTarget.files ?? [];
    if (picture) asked.value = { picture, label: null };
    event.currentTarget.value = "";
  };
  return (
    <div class="desk">
      <div class="drawing">
        <div class="frame">{address ? <img src={address} alt="The picture that the model is asked about" /> : null}</div>
        <div class="buttons">
          <label class="button">
            Choose a picture
            <input class="unseen" type="file" accept="image/png,image/jpeg,image/bmp,image/webp" onChange={choose} />
          </label>
          <button type="button" onClick={() => void sample()}>
            A real test sample
          </button>
        </div>
      </div>
      <Answer
        model={model}
        version={version}
        question={asked.value?.picture ?? null}
        body={(picture) => picture}
        truth={asked.value?.label ?? null}
        invitation="Show it a picture."
      />
    </div>
  );
}
