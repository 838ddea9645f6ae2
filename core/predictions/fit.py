"""Whether a data set can be answered by a model version, and how many rows that makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.encode import Preprocessing
from core.encode.preprocessing import LONGER
from core.errors import Invalid
from core.predictions.layout import SPLITS
from core.specs import Chosen


@dataclass(frozen=True)
class Described:
    """A data set as its row describes it: the fields of the same names."""

    name: str
    kind: str
    task: str
    shape: tuple[int, ...]
    lengths: tuple[int, int] | None
    rate: int | None
    columns: Sequence[str] | None
    targets: Sequence[str] | None
    splits: Mapping[str, int]


def check(preprocessing: Preprocessing, trained_on: Described, dataset: Described) -> None:
    """Whether every sample of a data set is one that the version reads.

    Raises:
        Invalid: says what differs, and points at the dataset or the model.
    """
    if preprocessing.kind == "corpus":
        raise Invalid("this is a language model: it goes on with a text, and has no answer for each row", "#/model")
    if dataset.kind != preprocessing.kind or dataset.task != trained_on.task:
        reads = f"{trained_on.kind} data for {trained_on.task}"
        raise Invalid(f"the model reads {reads}, and {dataset.name} is {dataset.kind} for {dataset.task}", "#/dataset")
    reason = _misfit(preprocessing, trained_on, dataset)
    if reason is not None:
        raise Invalid(f"{dataset.name} does not fit the model: {reason}", "#/dataset")


def _misfit(preprocessing: Preprocessing, trained_on: Described, dataset: Described) -> str | None:
    if dataset.task == "forecast":
        for what in ("columns", "targets"):
            wanted, found = (list(getattr(one, what) or ()) for one in (trained_on, dataset))
            if wanted != found:
                return f"its {what} are {', '.join(found)}, and the model reads {', '.join(wanted)}"
        return None
    longest = dataset.lengths[1] if dataset.lengths is not None else None
    if preprocessing.frames is not None:
        frames = preprocessing.frames
        if dataset.rate != frames.rate:
            return f"its recordings have {dataset.rate} Hz, and the model reads {frames.rate} Hz"
        longest = longest if frames.most is None else None
    elif preprocessing.kind == "text":
        return None  # of any length: the tokens behind the most that are read are cut off
    elif not preprocessing.variable:
        if longest is not None or dataset.shape != preprocessing.shape:
            sizes = _sizes(dataset.shape) if longest is None else "of several lengths"
            return f"its samples are {sizes}, and the model reads {_sizes(preprocessing.shape)}"
        return None
    else:
        longest = longest or dataset.shape[0]
        if dataset.shape[1] != preprocessing.shape[1]:
            return f"its steps have {dataset.shape[1]} numbers, and the model reads {preprocessing.shape[1]}"
    if longest is not None and longest > LONGER * preprocessing.shape[0]:
        return f"a sample has the length {longest:,}, and the model reads at most {LONGER * preprocessing.shape[0]:,}"
    return None


def _sizes(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def chosen(splits: Mapping[str, int], wanted: Chosen) -> list[str]:
    """The splits that are answered, in their order.

    Raises:
        Invalid: the data set has no such split.
    """
    if wanted == "all":
        return [name for name in SPLITS if name in splits]
    if wanted not in splits:
        there = ", ".join(name for name in SPLITS if name in splits)
        raise Invalid(f"the data set has no {wanted} split of its own; it has {there}", "#/split")
    return [wanted]


@dataclass(frozen=True)
class Rows:
    """``count`` rows of a split; of a forecast's table they are windows, whose first sees the table from ``start``."""

    split: str
    start: int
    count: int


def rows(preprocessing: Preprocessing, splits: Mapping[str, int], wanted: Sequence[str]) -> list[Rows]:
    """The rows of each of these splits.

    What a window of a forecast's table foretells lies in its split; what it sees may lie before it.
    """
    targets = preprocessing.targets
    found, begin = [], 0
    for name in (one for one in SPLITS if one in splits):
        size, start = splits[name], 0
        if targets is not None and targets.horizon is not None:
            window = preprocessing.shape[0]
            begin, start = begin + size, max(0, begin - window)
            size = max(0, begin - start - window - targets.horizon + 1)
        if name in wanted:
            found.append(Rows(name, start, size))
    return found
