"""How samples become network input: fitted on the training split, stored with the version, applied by serving."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from core.encode.image import resize


@dataclass(frozen=True)
class Preprocessing:
    """Resize, then ``(x - mean) / std`` channel by channel in float32.

    ``shape`` is the raw sample (height, width, channels) and ``resized`` the network's [height, width] or null.
    """

    kind: str
    shape: tuple[int, int, int]
    resized: tuple[int, int] | None
    normalise: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, samples: NDArray[np.uint8], size: tuple[int, int] | None, normalise: str) -> Self:
        """Choose the numbers from the training split: samples uint8 [N, H, W, C], raw."""
        _, height, width, channels = samples.shape
        mean, std = [0.0] * channels, [1.0] * channels
        if normalise == "unit":
            std = [255.0] * channels
        elif normalise == "standard":
            pixels = resize(samples, size) if size is not None else samples
            for channel in range(channels):
                # from a histogram: exact, and no copy of the data in floating point
                counts = np.bincount(pixels[..., channel].reshape(-1), minlength=256)
                levels, total = np.arange(256, dtype=np.float64), counts.sum()
                mean[channel] = float(counts @ levels / total)
                spread = float(np.sqrt(counts @ (levels - mean[channel]) ** 2 / total))
                std[channel] = spread if spread > 0 else 1.0  # a constant channel stays constant
        elif normalise != "none":
            raise ValueError(f"unknown normalisation {normalise!r}")
        return cls("image", (height, width, channels), size, normalise, tuple(mean), tuple(std))

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """One sample of network input."""
        return (*self.resized, self.shape[2]) if self.resized is not None else self.shape

    def resize(self, samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The first half of ``apply``: uint8 [N, H, W, C] in the network's size, as training keeps it in memory."""
        return samples if self.resized is None else resize(samples, self.resized)

    def apply(self, samples: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [N, H, W, C] as the data set has them -> float32 network input [N, H', W', C]."""
        if samples.shape[1:] != self.shape:
            raise ValueError(f"samples have shape {samples.shape[1:]}; this model reads {self.shape}")
        pixels = self.resize(samples).astype(np.float32)
        pixels -= np.asarray(self.mean, np.float32)
        pixels /= np.asarray(self.std, np.float32)
        return pixels

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; ``from_dict`` reads it back."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """What ``as_dict`` gave."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
        }
        return cls(**values)
