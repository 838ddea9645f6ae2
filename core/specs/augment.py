"""Random changes of training samples, so that a network learns what does not matter."""

from typing import Literal, Self

from pydantic import Field, model_validator

from core.specs.base import Spec


class Augment(Spec):
    """How training samples are changed, drawn anew in every step; what is null changes nothing.

    Pixels and steps are those of the network's input, and noise, brightness and scale act on the normalised numbers.
    Validation, test and predictions always see the samples as they are.
    """

    flip: Literal["horizontal", "vertical", "both"] | None = None
    """Images: mirrored in each named direction with a probability of one half."""
    shift: int | None = Field(default=None, ge=1, le=4096)
    """Images: moved by up to this many pixels along each axis (padding by as many and cropping at random)."""
    rotate: float | None = Field(default=None, gt=0, le=180)
    """Images: turned around the centre by up to this many degrees either way, bilinear."""
    cutout: int | None = Field(default=None, ge=1, le=4096)
    """Images: a square of this side around any pixel of the image is set to zero (DeVries & Taylor 2017)."""
    brightness: float | None = Field(default=None, gt=0, le=10)
    """Images: a number up to this size is added to all pixels of a sample."""
    contrast: float | None = Field(default=None, gt=0, le=1)
    """Images: the distance to the sample's mean is multiplied by 1 - contrast to 1 + contrast."""
    time_shift: int | None = Field(default=None, ge=1, le=1_000_000)
    """Series: moved by up to this many steps, earlier or later."""
    time_mask: int | None = Field(default=None, ge=1, le=1_000_000)
    """Series: a run of up to this many steps is set to zero (Park et al. 2019)."""
    scale: float | None = Field(default=None, gt=0, le=1)
    """Series: all numbers of a sample are multiplied by 1 - scale to 1 + scale."""
    noise: float | None = Field(default=None, gt=0, le=10)
    """Images and series: the deviation of the normal noise that is added to every number."""
    fill: Literal["zero", "edge"] = "zero"
    """What comes in where a sample was moved or turned away: black (series: zeros), or what stands at the edge."""

    @model_validator(mode="after")
    def _fill_has_something_to_fill(self) -> Self:
        if self.fill != "zero" and self.shift is None and self.rotate is None and self.time_shift is None:
            raise ValueError("fill has no meaning without shift, rotate or time_shift; leave it out")
        return self
