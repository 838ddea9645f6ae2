"""What the rows of an answered data set hold, and the rows of one batch."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "validation", "test")
"""In the order in which they are answered."""


@dataclass(frozen=True)
class Layout:
    """Of classifications ``classes`` are the model's and ``labels`` those of the data set; of numbers both are the
    names of targets, in the model's order, and ``horizon`` rows are foretold (null: a regression).

    ``top``: so many classes are kept of each row, null for all.
    """

    task: str
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    horizon: int | None
    top: int | None

    @property
    def classifies(self) -> bool:
        """Whether the answers are classes."""
        return self.task == "classification"

    @property
    def shown(self) -> int:
        """How many classes are kept of each row."""
        return len(self.classes) if self.top is None else min(self.top, len(self.classes))

    @property
    def numbers(self) -> tuple[int, ...]:
        """Shape of one row's numbers."""
        return (len(self.classes),) if self.horizon is None else (self.horizon, len(self.classes))

    @property
    def known(self) -> NDArray[np.int64]:
        """For each label of the data set the model's class of that name, -1 where there is none."""
        places = {name: index for index, name in enumerate(self.classes)}
        return np.array([places.get(name, -1) for name in self.labels], np.int64)

    @property
    def unscored(self) -> str | None:
        """Why the answers cannot be compared with the labels; null when they can."""
        if not self.classifies:
            if self.labels == self.classes:
                return None
            return f"the data set has {', '.join(self.labels)} and the model foretells {', '.join(self.classes)}"
        unknown = [name for name in self.labels if name not in self.classes]
        if not unknown:
            return None
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        return f"the model does not know the class {unknown[0]!r}{more} of the data set"

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; ``from_dict`` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """What ``as_dict`` gave."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
        }
        return cls(**values)


@dataclass(frozen=True)
class Answers:
    """What was answered of the rows ``first`` to ``first + N - 1`` of a split.

    ``values`` are probabilities float64 [N, classes], or numbers float64 [N, targets] or [N, horizon, targets] in their
    own units; ``labels`` classes of the data set int64 [N], or numbers as ``values``.
    """

    split: str
    first: int
    values: NDArray[np.float64]
    labels: NDArray[Any]

    def __len__(self) -> int:
        return len(self.values)
