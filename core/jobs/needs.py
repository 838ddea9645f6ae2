"""What a training needs of a worker, and how large its batches may be."""

from collections.abc import Iterable

from core import plan_length
from core.plan import Plan
from core.plan_memory import USUAL_THREADS, Heaps, Memory, Samples, largest_batch_size, needed
from core.specs import TrainJob
from core.tables import Dataset, Worker


def most_threads(known: Iterable[Worker]) -> int:
    """The most that one of these workers gives to a job."""
    return max((worker.threads for worker in known), default=USUAL_THREADS)


def memory(
    request: TrainJob,
    dataset: Dataset,
    made: Plan,
    threads: int,
    batch_size: int | None = None,
    heaps: Heaps | None = None,
) -> Memory:
    """Of a job on its dataset; ``batch_size`` instead of the one that was asked for, if it is given."""
    if dataset.task == "forecast":
        windows = plan_length.samples(request, dataset.task, dataset.splits)
        seen = Samples.of_windows(windows, made.outputs, dataset.size)
        return needed(made, request, seen, threads, batch_size, request.devices, heaps)
    # what training holds of a text are its token ids, and of a recording its frames
    held = made.input if dataset.kind in ("text", "audio") else tuple(dataset.shape)
    samples = Samples.of(dataset.kind, held, request.data.resize, dataset.splits, dataset.size)
    return needed(made, request, samples, threads, batch_size, request.devices, heaps)


def largest_batch(
    request: TrainJob, dataset: Dataset, made: Plan, threads: int, limit: int, heaps: Heaps | None = None
) -> int | None:
    """The largest batch_size whose training needs no more than ``limit`` bytes.

    None if not even the least batch fits, and for gd, whose memory no batch_size decides.
    """
    if request.hyperparameters.samples_per_batch is None:
        return None
    heaps = heaps or Heaps.of(made, request)
    return largest_batch_size(
        lambda batch: memory(request, dataset, made, threads, batch, heaps).least_bytes <= limit, made.least_batch
    )
