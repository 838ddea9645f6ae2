"""The client's calls about data sets."""

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Literal

from epochd import archive
from epochd.calls import Calls, segment
from epochd.resources import Dataset, Job, Sample


class DatasetCalls(Calls):
    """Upload data sets and look at them."""

    def upload(
        self,
        name: str,
        *paths: str | os.PathLike[str],
        progress: Callable[[int, int], None] | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Job:
        """Send files, or whole folders, as the next version of a data set; gives the job that checks them.

        A single file is sent as it is, several as one tar archive that is made on the way. ``options`` are those of
        ``PUT /v1/datasets/{name}``: kind, task, target, missing, test, seed, height, width, channels, label,
        text, pattern, source.
        ``progress`` is called with the bytes sent so far and the bytes in all. Then ``wait(job["id"])``.

        Raises:
            EpochdError: there are no such files, or one changed while it was read.
            ApiError: the service refused.
        """
        source = archive.gather(paths)

        def pieces() -> Iterator[bytes]:
            sent = 0
            for piece in archive.read(source):
                yield piece
                sent += len(piece)
                if progress is not None:
                    progress(sent, source.size)

        job: Job = self._transport.json(
            "PUT",
            f"/v1/datasets/{segment(name)}",
            params={"filename": source.name, **options},
            content=pieces,
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Length": str(source.size),
                "Idempotency-Key": idempotency_key or uuid.uuid4().hex,
            },
            repeatable=True,
        )
        return job

    def datasets(self, *, name: str | None = None) -> Iterator[Dataset]:
        """The data sets."""
        return self._pages("/v1/datasets", {"name": name})

    def dataset(self, ref: str) -> Dataset:
        """One data set by id, name, or name@version."""
        dataset: Dataset = self._transport.json("GET", f"/v1/datasets/{segment(ref)}")
        return dataset

    def delete_dataset(self, ref: str) -> None:
        """Delete one version (name@version, or an id) that nothing was made from."""
        self._transport.send("DELETE", f"/v1/datasets/{segment(ref)}")

    def samples(
        self, ref: str, *, split: Literal["train", "validation", "test"] = "test", values: bool = True
    ) -> Iterator[Sample]:
        """The raw samples of a split, in order; without their ``values`` only the labels."""
        return self._pages(
            f"/v1/datasets/{segment(ref)}/samples", {"split": split, "values": None if values else False}
        )
