import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/** The address of a picture in memory, for as long as it is shown. */
export function useAddress(picture: Blob | null): string | null {
  const address = useSignal<string | null>(null);
  useEffect(() => {
    if (!picture) return;
    const made = URL.createObjectURL(picture);
    address.value = made;
    return () => {
      URL.revokeObjectURL(made);
      address.value = null;
    };
  }, [picture]);
  return address.value;
}
