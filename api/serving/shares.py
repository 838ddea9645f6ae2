"""Of what may be at work, no model can take all."""

from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import Overloaded

SHARE = 3 / 4


class Shares:
    """Counts the requests at work of each model. For the event loop's thread."""

    def __init__(self, places: int, what: str = "predictions") -> None:
        self.most, self._what = max(1, int(SHARE * places)), what
        self._at_work: dict[str, int] = {}

    def is_taken(self, model_id: str) -> bool:
        """Whether a model has its share already."""
        return self._at_work.get(model_id, 0) >= self.most

    def begin(self, model_id: str) -> None:
        """A request of this model is at work from now on."""
        self._at_work[model_id] = self._at_work.get(model_id, 0) + 1

    def end(self, model_id: str) -> None:
        """It is no more."""
        left = self._at_work.pop(model_id) - 1
        if left:
            self._at_work[model_id] = left

    @contextmanager
    def of(self, model_id: str) -> Iterator[None]:
        """While a request of this model is at work.

        Raises:
            Overloaded: it has its share already; what is left is for other models.
        """
        if self.is_taken(model_id):
            raise Overloaded(f"{self.most} {self._what} of this model are under way already; try again")
        self.begin(model_id)
        try:
            yield
        finally:
            self.end(model_id)
