"""How an answer is explained."""

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, StringConstraints

from core.encode import Preprocessing
from core.errors import Invalid
from core.explain.answer import chosen
from core.explain.methods import Method, check
from core.explain.players import MOST_PLAYERS, Baseline, Parts, Players, Samples, divide
from core.specs.base import NO_NUL, Spec

MOST_SAMPLES = 16384
AnyMethod = Literal[Method, "integrated_gradients"]


class ExplainOptions(Spec):
    """What a client may ask for; every field has a usual value."""

    method: AnyMethod = "kernel_shap"
    """`exact_shapley` is for at most 12 players; `integrated_gradients` need a worker."""
    target: Annotated[str, StringConstraints(max_length=512, pattern=NO_NUL)] | None = None
    """The class, or the name of a number, to explain; the likeliest class unless said."""
    samples: int | None = Field(default=None, ge=16, le=MOST_SAMPLES)
    """How many samples the model may be asked about by kernel_shap and lime, 1,024 unless said; how many points
    integrated_gradients look at, 64 unless said."""
    grid: int | None = Field(default=None, ge=1, le=16)
    """Of images: cells a side; 8 unless said (3 for exact_shapley)."""
    segments: int | None = Field(default=None, ge=1, le=MOST_PLAYERS)
    """Of texts, series and recordings: how many parts."""
    channels: bool = False
    """Of series: explain each channel by itself."""
    baseline: Baseline | None = None
    """What takes the place of a part: zeros, mean or blur of images, mean or zeros of series, silence of recordings,
    removed or unknown of texts; the first unless said."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """The same seed draws the same samples."""

    @property
    def parts(self) -> Parts:
        """How the sample is cut."""
        few = self.method == "exact_shapley"
        return Parts(self.grid, self.segments, self.channels, self.baseline, few)

    def divide(self, preprocessing: Preprocessing, sample: Samples) -> Players:
        """The players of one raw sample, an array of length 1.

        Gradients lead from one text to another of its length, so unknown tokens take the place of those of a text.

        Raises:
            Invalid: it cannot be cut like that; points at the query.
        """
        if self.method != "integrated_gradients" or preprocessing.tokens is None:
            return divide(preprocessing, sample, self.parts)
        if self.baseline == "removed":
            raise Invalid("integrated_gradients of a text start from unknown tokens", "#/query/baseline")
        found = divide(preprocessing, sample, replace(self.parts, baseline="removed"))
        return replace(found, baseline="unknown")

    def check(self, preprocessing: Preprocessing, classes: list[str], sample: Samples) -> None:
        """Whether one raw sample (an array of length 1) can be explained so.

        Raises:
            Invalid: it cannot; points at the query.
        """
        if self.method == "integrated_gradients" and preprocessing.targets is not None:
            raise Invalid("integrated_gradients explain classes; for numbers use kernel_shap", "#/query/method")
        if self.target is not None:
            chosen(preprocessing, classes, self.target, np.zeros(1))
        players = len(self.divide(preprocessing, sample).places)
        if self.method != "integrated_gradients":
            check(self.method, players, self.samples)


class ExplainJob(Spec):
    """A job that explains what a version says of one sample."""

    kind: Literal["explain"] = "explain"
    model: str
    """``name:version``: wherever an alias moves, every attempt explains the same."""
    options: ExplainOptions = ExplainOptions()
