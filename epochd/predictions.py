"""The client's calls about predictions of whole data sets."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from epochd import download
from epochd.calls import segment
from epochd.errors import EpochdError
from epochd.jobs import JobCalls
from epochd.resources import Answered, Job


class PredictionCalls(JobCalls):
    """Have every row of a data set answered, and fetch the answers."""

    def predict_dataset(
        self,
        model: str,
        dataset: str,
        *,
        split: Literal["train", "validation", "test", "all"] = "test",
        format: Literal["csv", "jsonl", "npz"] = "csv",
        top: int | None = None,
        priority: int = 0,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Queue a job in which a model version answers every row of a data set; ``wait`` for it, then
        ``download_predictions``.

        ``model`` is ``name``, ``name@alias`` or ``name:version``, and is that version from now on. ``top`` keeps the so
        many likeliest classes of each row. One call makes one job, as with ``submit``.
        """
        spec: dict[str, Any] = {"kind": "predict", "model": model, "dataset": dataset, "split": split, "format": format}
        spec |= {"top": top, "priority": priority, "metadata": dict(metadata or {})}
        return self.submit(spec, idempotency_key=idempotency_key)

    def download_predictions(
        self, job_id: str, path: str | os.PathLike[str], *, progress: Callable[[int], None] | None = None
    ) -> Answered:
        """Save the answers of a job that has succeeded; gives its result.

        A broken-off download goes on where it stopped, the SHA-256 is checked, and ``path`` appears only when whole.

        Raises:
            EpochdError: the job predicts nothing, or has not succeeded.
        """
        job = self.job(job_id)
        if job["predict"] is None or job["result"] is None:
            reason = f"is {job['status']}" if job["predict"] is not None else f"is of the kind {job['kind']}"
            raise EpochdError(f"{job_id} {reason}; there are no predictions to download")
        answered: Answered = job["result"]  # type: ignore[assignment]  # of this kind of job
        where = f"/v1/jobs/{segment(job_id)}/predictions"
        download.fetch(self._transport, where, answered["sha256"], Path(path), progress)
        return answered
