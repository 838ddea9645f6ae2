"""How samples become network input: fitted on the training split, stored with the version, applied by serving."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from core.encode import audio, image, ragged, series, statistics, text
from core.encode.audio import Frames
from core.encode.mapped import Samples, chunks
from core.encode.targets import Targets
from core.encode.text import Tokens

LONGER = 4
"""A prediction may ask about sequences up to this many times as long as the longest of the data set."""


@dataclass(frozen=True)
class Preprocessing:
    """Resize (images), then ``(x - mean) / std`` channel by channel, or feature by feature, in float32; texts as ids.

    Recordings become frames of as many features as there are mels, which are normalised like a series.

    ``shape`` is the raw sample, image (height, width, channels), series (time, features), text () or
    recording (samples), of which it is the longest; ``resized`` the
    network's [height, width] or null. ``variable``: sequences of several lengths, of which ``shape`` has the longest.
    ``normalise`` "window": the last step of each sample is taken away from all its steps, in the place of the mean.
    ``targets`` are the numbers that are foretold, where the task is regression or a forecast.
    """

    kind: str
    shape: tuple[int, ...]
    resized: tuple[int, int] | None
    normalise: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    variable: bool = False
    tokens: Tokens | None = None
    frames: Frames | None = None
    targets: Targets | None = None

    @classmethod
    def fit(
        cls,
        samples: Samples,
        size: tuple[int, int] | None,
        normalise: str,
        lengths: NDArray[np.int64] | None = None,
    ) -> Self:
        """Choose the numbers from the raw training split: images uint8 [N, H, W, C] or series float32 [N, T, F].

        ``lengths`` [N] are those of padded series; only their real steps are looked at.
        """
        kind = "image" if samples.ndim == 4 else "series"
        shape = tuple(int(side) for side in samples.shape[1:])
        mean, std = [0.0] * shape[-1], [1.0] * shape[-1]
        if normalise == "unit":
            if kind != "image":
                raise ValueError("only pixels can be scaled to the unit")
            std = [255.0] * shape[-1]
        elif normalise == "standard":
            measure = statistics.of_pixels if kind == "image" else statistics.of_numbers
            mean, spread = measure(lambda: _measured(samples, size, lengths))
            std = [one if one > 0 else 1.0 for one in spread]  # a constant channel stays constant
        elif normalise != "none":
            raise ValueError(f"unknown normalisation {normalise!r}")
        return cls(kind, shape, size, normalise, tuple(mean), tuple(std), lengths is not None)

    @classmethod
    def of_windows(cls, rows: NDArray[Any], window: int, normalise: str, targets: Targets) -> Self:
        """Choose the numbers from the training rows float32 [T, F] of a table that is read in windows."""
        whole = cls.fit(rows[None], None, "none" if normalise == "none" else "standard")
        shape = (window, rows.shape[1])
        return replace(whole, shape=shape, normalise=normalise, targets=targets)

    @classmethod
    def of_texts(cls, tokens: Tokens) -> Self:
        """Texts have no numbers to normalise; ``tokens`` says how they become ids."""
        return cls("text", (), None, "none", (), (), variable=True, tokens=tokens)

    @classmethod
    def of_corpus(cls, tokens: Tokens, window: int) -> Self:
        """What goes on with a text reads and writes its ``tokens``, and has learnt ``window`` of them at a time."""
        return cls("corpus", (window,), None, "none", (), (), tokens=tokens)

    @classmethod
    def of_recordings(cls, recordings: Samples, frames: Frames, normalise: str, longest: int) -> Self:
        """Choose the numbers from the training split's recordings, int16 [n_i]; fillings of silence do not count.

        They are rounded: machines may differ in the last bits of a Fourier transform.
        """
        mean, std = [0.0] * frames.mels, [1.0] * frames.mels
        if normalise in ("standard", "recording"):
            real = replace(frames, fixed=False)

            def measured() -> Iterator[NDArray[Any]]:
                return (np.concatenate(list(real.encode(chunk))) for chunk in chunks(recordings))

            held = list(measured()) if isinstance(recordings, np.ndarray) else None
            mean, spread = statistics.of_numbers(measured if held is None else lambda: held)
            mean, std = ([round(one, 6) for one in values] for values in (mean, spread))
            std = [one if one > 0 else 1.0 for one in std]  # a constant band stays constant
        return cls(
            "audio", (longest,), None, normalise, tuple(mean), tuple(std), variable=not frames.fixed, frames=frames
        )

    @property
    def output_shape(self) -> tuple[int, ...]:
        """One sample of network input."""
        return (*self.resized, self.shape[2]) if self.resized is not None else self.shape

    def from_rows(self, rows: Any) -> NDArray[Any]:
        """Raw samples [N, *shape] of nested lists, or of strings; ValueError says what is wrong.

        What varies in length is an object array [N] of one array (or string) a sample.
        """
        if self.tokens is not None:
            return text.from_rows(rows)
        if self.frames is not None:
            return self.cut(audio.from_rows(rows))
        if self.variable:
            return series.from_ragged_rows(rows, self.shape[1], LONGER * self.shape[0])
        read = image.from_rows if self.kind == "image" else series.from_rows
        samples = read(rows, self.shape)
        if self.normalise == "window":
            with np.errstate(over="ignore"):
                if not np.isfinite(self._normalise(samples)).all():
                    raise ValueError("the numbers of a sample are too far from those in its last row")
        return samples

    def from_recording(self, data: bytes) -> NDArray[Any]:
        """The one recording of a WAV, FLAC, OGG or MP3 file, as ``from_rows`` gives it; ValueError: it is none."""
        assert self.frames is not None
        recording, _ = audio.decode(data, self.frames.rate)
        return self.cut(ragged.collect([recording]))

    def from_signal(self, signal: NDArray[np.float32]) -> NDArray[Any]:
        """The same of samples from -1 to 1 [n] at the data set's rate; ValueError: they are others, or too many."""
        return self.cut(ragged.collect([audio.from_signal(signal)]))

    def cut(self, recordings: NDArray[Any]) -> NDArray[Any]:
        """What is read of recordings. ValueError: they are too long for a network that reads all."""
        assert self.frames is not None
        if self.frames.most is not None:
            return ragged.collect([one[: self.frames.most] for one in recordings])
        longest = max(map(len, recordings))
        if longest > LONGER * self.shape[0]:
            most, rate = LONGER * self.shape[0] / self.frames.rate, self.frames.rate
            raise ValueError(
                f"a recording may be {most:.2f} s long for this model, and this one has {longest / rate:.2f} s"
            )
        return recordings

    def resize(self, samples: NDArray[Any]) -> NDArray[Any]:
        """The first half of ``apply``: [N, *shape] in the network's size, as training keeps it in memory."""
        return samples if self.resized is None else image.resize(samples, self.resized)

    def apply(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        """Raw samples [N, *shape] as the data set has them -> float32 network input [N, *output_shape]."""
        if samples.shape[1:] != self.shape:
            raise ValueError(f"samples have shape {samples.shape[1:]}; this model reads {self.shape}")
        return self._normalise(self.resize(samples))

    def feed(self, samples: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Raw samples as ``from_rows`` gives them -> what the ONNX graph reads, by the names of its inputs."""
        if self.frames is not None:
            samples = self.frames.encode(samples)
            if self.frames.fixed:
                return {"input": self._normalise(np.stack(list(samples)))[..., None]}
        elif not self.variable:
            return {"input": self.apply(samples)}
        padded, lengths = ragged.pad(samples if self.tokens is None else self.tokens.encode(samples))
        return {"input": padded if self.tokens is not None else self._normalise(padded), "lengths": lengths}

    def _normalise(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        mean, std = self._numbers
        inputs = samples.astype(np.float32)
        if samples.dtype == np.uint8:  # nothing can become too large
            inputs -= mean
            inputs /= std
            return inputs
        with np.errstate(over="ignore"):  # what is too large becomes infinite; whoever answers looks at the answer
            inputs -= samples[:, -1:] if self.normalise == "window" else mean
            inputs /= std
        return inputs

    @cached_property
    def _numbers(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; ``from_dict`` reads it back."""
        return _with_lists(asdict(self))

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """What ``as_dict`` gave."""
        values = _with_tuples(fields)
        if values.get("tokens") is not None:
            values["tokens"] = Tokens.from_dict(values["tokens"])
        if values.get("frames") is not None:
            values["frames"] = Frames(**values["frames"])
        if values.get("targets") is not None:
            values["targets"] = Targets(**_with_tuples(values["targets"]))
        return cls(**values)


def _with_lists(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else _with_lists(value) if isinstance(value, dict) else value
        for key, value in fields.items()
    }


def _with_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}


def _measured(
    samples: Samples, size: tuple[int, int] | None, lengths: NDArray[np.int64] | None
) -> Iterator[NDArray[Any]]:
    """What the numbers to normalise with are chosen from, chunk by chunk: pixels in the network's size, real steps."""
    done = 0
    for chunk in chunks(samples):
        if size is not None:
            yield image.resize(chunk, size)
        elif lengths is not None:
            yield chunk[np.arange(chunk.shape[1]) < lengths[done : done + len(chunk), None]]
        else:
            yield chunk
        done += len(chunk)
