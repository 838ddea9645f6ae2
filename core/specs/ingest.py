"""How uploaded files become a dataset."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from core.specs.base import NO_NUL, Name, Spec

Kind = Literal["image", "series", "text", "audio", "corpus"]
Side = Annotated[int, Field(ge=1, le=4096)]


class IngestOptions(Spec):
    """What a client may say about its files; what is null is found out from them."""

    kind: Kind | None = None
    task: Literal["classification", "regression", "forecast"] | None = None
    """What is to be learnt; null: classification, or a forecast of one table with a column of moments and no label."""
    target: Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=NO_NUL)] | None = None
    """Forecasts: the columns to foretell, separated by commas; null: the last one."""
    missing: Literal["refuse", "previous", "interpolate", "zero"] = "refuse"
    """Forecasts: what becomes of empty cells. ``interpolate`` draws a line between the numbers around them."""
    test: float | None = Field(default=None, gt=0, le=0.5)
    """Share of the samples that becomes the test split when the files bring none of their own: by class, or of a
    forecast's table and of a corpus the last part; null: 0.2, of a corpus 0.1."""
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    """Decides which samples those are."""
    height: Side | None = None
    width: Side | None = None
    """Images are resized to this; null: they must all have one size."""
    channels: Literal[1, 3, 4] | None = None
    """Images: grey, colour, or colour with transparency; null: the most that a file has."""
    label: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=NO_NUL)] | None = None
    """Tables: the column of the class, or of a regression's number; null: ``label``, ``class``, ``target`` or ``y``."""
    text: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=NO_NUL)] | None = None
    """Tables: the column of the text; null: ``text``, ``sentence``, ``message``, or the only other column."""
    pattern: Annotated[str, StringConstraints(min_length=7, max_length=128, pattern=NO_NUL)] | None = None
    """The class is part of each file's name, e.g. ``{label}_{rest}``; null: it is the name of the file's folder."""
    test_pattern: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=NO_NUL)] | None = None
    """Files whose names match are the test split, e.g. ``*_theo_*``: ``*`` is any text, ``?`` one character, ``[ab]``
    one of these. For files that are a sample each; folders do not count."""
    rate: Annotated[int, Field(ge=1000, le=192_000)] | None = None
    """Recordings are resampled to so many Hz; null: they must all have one rate."""

    @property
    def test_share(self) -> float:
        """The share that becomes the test split, of samples that can be drawn."""
        return 0.2 if self.test is None else self.test

    @property
    def last_share(self) -> float:
        """The same of a corpus."""
        return 0.1 if self.test is None else self.test

    @model_validator(mode="after")
    def _choices_agree(self) -> Self:
        if (self.height is None) != (self.width is None):
            raise ValueError("give both height and width, or neither")
        if self.task == "forecast" and self.kind not in (None, "series"):
            raise ValueError("a forecast is learnt from a series; leave kind out")
        if self.task not in (None, "forecast") and (self.target is not None or self.missing != "refuse"):
            raise ValueError("target and missing are for forecasts; a regression's number is in the column label")
        if self.pattern is not None and self.pattern.count("{label}") != 1:
            raise ValueError("the pattern must contain {label} once, e.g. {label}_{rest}")
        return self


class IngestJob(Spec):
    """A job that checks uploaded files and makes the next version of a dataset of them."""

    kind: Literal["ingest"] = "ingest"
    dataset: Name
    options: IngestOptions = IngestOptions()
    source: Annotated[str, StringConstraints(max_length=512, pattern=NO_NUL)] = ""
    """Where the samples come from, in the client's words."""
