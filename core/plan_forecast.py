"""How a forecast's table is cut: into splits along time, and each split into windows of rows seen and foretold."""

from dataclasses import dataclass, replace

from core.plan_layers import PlanError, Sample
from core.specs import Data

WINDOW = 96
"""Rows seen unless another number is asked for, where there are enough."""
OPTIONS = ("window", "horizon", "season")


@dataclass(frozen=True)
class Windows:
    """Rows of each split, one after the other in time, and how many windows have their foretold rows in it.

    A window may look back into an earlier split, but what it foretells lies in one split alone.
    """

    window: int
    horizon: int
    season: int
    train_rows: int
    validation_rows: int
    test_rows: int

    @property
    def train(self) -> int:
        """Windows to train on."""
        return self.train_rows - self.window - self.horizon + 1

    @property
    def validation(self) -> int:
        """Windows to choose weights by."""
        return self.validation_rows - self.horizon + 1

    @property
    def test(self) -> int:
        """Windows that are read once."""
        return self.test_rows - self.horizon + 1


def windows(data: Data, train_rows: int, test_rows: int) -> Windows:
    """Of a table with so many rows to train on, of which the last ones become the validation split.

    Raises:
        PlanError: a split has too few rows for one window.
    """
    held = max(1, round(train_rows * data.validation))
    kept = train_rows - held
    window = data.window or max(1, min(WINDOW, kept // 4))
    horizon = data.horizon or max(1, window // 4)
    cut = Windows(window, horizon, data.season or 1, kept, held, test_rows)
    if cut.train < 1:
        raise PlanError(
            "#/data/window",
            f"{window:,} rows seen and {horizon:,} foretold are more than the {kept:,} rows to train on; "
            "use a smaller window or horizon",
        )
    for split, rows in (("validation", held), ("test", test_rows)):
        if horizon > rows:
            raise PlanError(
                "#/data/horizon",
                f"the {split} split has {rows:,} rows, too few to compare {horizon:,} foretold ones with; use a "
                f"smaller horizon{' or a larger data.validation' if split == 'validation' else ''}",
            )
    if cut.season >= kept:
        raise PlanError("#/data/season", f"a season must be shorter than the {kept:,} rows to train on")
    return cut


def windowed(sample: Sample, data: Data) -> Sample:
    """What the network reads and gives where the task is a forecast; other samples as they are.

    Raises:
        PlanError: options of a forecast for other samples, or too few rows.
    """
    if sample.task != "forecast":
        for option in OPTIONS:
            if getattr(data, option) is not None and not (option == "window" and sample.task == "language"):
                raise PlanError(f"#/data/{option}", f"{option} is for forecasts; leave it out")
        return sample
    assert sample.rows is not None, "a forecast's table says its rows"
    cut = windows(data, *sample.rows)
    return replace(sample, shape=(cut.window, sample.shape[-1]), horizon=cut.horizon)
