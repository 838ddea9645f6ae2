"""Recordings: encoded bytes -> int16 mono at one rate -> log-mel frames float32 [T, mels]; no torch."""

import io
import math
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.encode import ragged

if TYPE_CHECKING:
    from soundfile import SoundFile

FORMATS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3")
MAX_BYTES = 64 * 2**20
LONGEST_SECONDS = 600
MOST_SAMPLES = LONGEST_SECONDS * 48_000
MAX_RATE = 192_000
MAX_CHANNELS = 8
FULL_SCALE = 32_768
"""int16 samples are this times a signal between -1 and 1."""
FLOOR = 1e-6
"""The least power of a mel band: the logarithm of digital silence is finite, and faint noise does not stand out."""
_BLOCK = 2**16
_CHUNK_VALUES = 2**21


@dataclass(frozen=True)
class Frames:
    """How a recording at ``rate`` Hz becomes frames; ``window`` and ``hop`` in samples.

    Only the first ``most`` samples are read (null: all). ``fixed``: shorter recordings are filled up with silence to
    that many, so that all have the same frames, which are an image [T, mels, 1] then. ``centred``: the mean of each
    mel over the recording's own frames is taken away, and with it the loudness and the microphone's sound.
    """

    rate: int
    mels: int
    window: int
    hop: int
    most: int | None = None
    fixed: bool = False
    centred: bool = False

    def count(self, samples: int) -> int:
        """Frames of a recording of so many samples: one at each whole window, at least one."""
        assert not self.fixed or self.most is not None
        if self.most is not None:
            samples = self.most if self.fixed else min(samples, self.most)
        return 1 + max(0, samples - self.window) // self.hop

    def encode(self, recordings: NDArray[Any]) -> NDArray[Any]:
        """N recordings int16 [n_i] -> an object array of log-mel frames float32 [T_i, mels]."""
        return ragged.collect([self._log_mel(one) for one in recordings])

    def _log_mel(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """The logarithm of the power in each mel band, Hann window by window (Davis & Mermelstein 1980)."""
        samples = samples[: self.most]
        least = self.most if self.fixed and self.most is not None else self.window
        signal = np.zeros(max(least, self.window, len(samples)))
        signal[: len(samples)] = samples / FULL_SCALE
        filters = filterbank(self.rate, fft_size(self.window), self.mels)
        windows = np.lib.stride_tricks.sliding_window_view(signal, self.window)[:: self.hop]
        frames = np.empty((len(windows), self.mels), np.float32)
        step = max(1, _CHUNK_VALUES // fft_size(self.window))
        for first in range(0, len(windows), step):  # in parts: the spectra take many times what the frames take
            spectra = np.fft.rfft(windows[first : first + step] * hann(self.window), fft_size(self.window))
            power = np.square(spectra.real) + np.square(spectra.imag)
            frames[first : first + step] = np.log(np.maximum(power @ filters.T, FLOOR))
        if self.centred:
            real = 1 + max(0, len(samples) - self.window) // self.hop
            frames -= frames[:real].mean(0, dtype=np.float64).astype(np.float32)
        return frames


def fft_size(window: int) -> int:
    """The power of two that a window is filled up to with zeros."""
    return 1 << (window - 1).bit_length()


def hann(size: int) -> NDArray[np.float64]:
    """The periodic Hann window."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


@lru_cache(maxsize=16)
def filterbank(rate: int, size: int, mels: int) -> NDArray[np.float64]:
    """Triangles of height 1 over the frequencies of an FFT: [mels, size // 2 + 1], from 0 to half the rate.

    They are equally wide on the mel scale of HTK, 2595 log10(1 + f / 700).
    """
    points = 700 * (10 ** (np.linspace(0, 2595 * math.log10(1 + rate / 1400), mels + 2) / 2595) - 1)
    frequencies = np.arange(size // 2 + 1) * (rate / size)
    left, centre, right = points[:-2, None], points[1:-1, None], points[2:, None]
    rising, falling = (frequencies - left) / (centre - left), (right - frequencies) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling))


def probe(data: bytes) -> int:
    """The rate of a WAV, FLAC, OGG or MP3 file in Hz, from its header. ValueError: none, or beyond the limits."""
    with _opened(data) as file:
        return int(file.samplerate)


def decode(data: bytes, rate: int) -> tuple[NDArray[np.int16], int]:
    """A WAV, FLAC, OGG or MP3 file as int16 mono [n] at ``rate`` Hz, n >= 1; and the channels that were averaged.

    ValueError: no such file, damaged, empty, or beyond the limits.
    """
    with _opened(data) as file:
        blocks, count, most = [], 0, min(LONGEST_SECONDS * file.samplerate, MOST_SAMPLES)
        # piece by piece: a small file can claim to be very long
        while len(block := file.read(_BLOCK, "float32", always_2d=True)):
            count += len(block)
            if count > most:
                raise ValueError(f"the recording is longer than {most / file.samplerate:g} seconds")
            blocks.append(block[:, 0] if block.shape[1] == 1 else block.mean(1))
        if file.format == "FLAC" and count < file.frames:
            raise ValueError(f"the recording is cut off: it has {count:,} of {file.frames:,} samples")
        channels, found = file.channels, int(file.samplerate)
    if not blocks:
        raise ValueError("the recording has no samples")
    signal = np.concatenate(blocks).astype(np.float64)
    if not np.isfinite(signal).all():
        raise ValueError("the recording has samples that are no finite numbers")
    return _rounded(resample(signal, found, rate)), channels


def from_signal(signal: NDArray[np.float32]) -> NDArray[np.int16]:
    """Samples from -1 to 1 [n], n >= 1, as int16 [n]. ValueError: others."""
    peak = np.abs(signal).max()
    if not peak <= 1:  # NaN too
        raise ValueError(f"samples must be from -1 to 1, as 16-bit ones divided by {FULL_SCALE:,} are; one is {peak:g}")
    return _rounded(signal.astype(np.float64))


def _rounded(signal: NDArray[np.float64]) -> NDArray[np.int16]:
    """To 16 bits, as a data set holds recordings."""
    return np.rint(signal * FULL_SCALE).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


@contextmanager
def _opened(data: bytes) -> Iterator["SoundFile"]:
    """A file whose header was read, within the limits; what soundfile raises inside becomes ValueError."""
    import soundfile  # loads a library, and only recordings need it

    if not data:
        raise ValueError("the file is empty")
    if len(data) > MAX_BYTES:
        raise ValueError(f"the file has {len(data):,} bytes; the limit for a recording is {MAX_BYTES:,}")
    if data[:4] == b"RIFF" and len(data) + 1 < (size := int.from_bytes(data[4:8], "little") + 8) < 2**31:
        raise ValueError(f"the recording is cut off: it has {len(data):,} of {size:,} bytes")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.format not in FORMATS:
                raise ValueError(f"the format {file.format} is not read; send WAV, FLAC, OGG or MP3")
            if not 1000 <= file.samplerate <= MAX_RATE or file.channels > MAX_CHANNELS:
                raise ValueError(
                    f"the recording has {file.channels} channels at {file.samplerate:,} Hz; at most {MAX_CHANNELS} "
                    f"channels at 1,000 to {MAX_RATE:,} Hz are read"
                )
            yield file
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise ValueError(f"this is no WAV, FLAC, OGG or MP3 recording, or it is damaged: {reason}") from error


def resample(signal: NDArray[np.float64], rate: int, wanted: int) -> NDArray[np.float64]:
    """A signal [n] at ``rate`` Hz -> [ceil(n * wanted / rate)] at ``wanted`` Hz.

    A windowed sinc, of which each new sample needs one phase only (Crochiere & Rabiner 1983): a Kaiser window of shape
    5 over ten zero crossings to either side, cut off at the lower of the two rates.
    """
    if rate == wanted:
        return signal
    up, down = wanted // math.gcd(rate, wanted), rate // math.gcd(rate, wanted)
    phases, reach = _phases(up, down)
    taps = phases.shape[1]
    padded = np.concatenate([np.zeros(reach), signal, np.zeros(taps)])
    result = np.empty(-(-len(signal) * up // down))
    step = max(1, _CHUNK_VALUES // taps)
    around = np.lib.stride_tricks.sliding_window_view(padded, taps)
    for first in range(0, len(result), step):
        places = np.arange(first, min(first + step, len(result)), dtype=np.int64) * down
        result[first : first + step] = np.einsum("nt,nt->n", around[places // up], phases[places % up])
    return result


@lru_cache(maxsize=4)
def _phases(up: int, down: int) -> tuple[NDArray[np.float64], int]:
    """Weights [up, taps] of the old samples around each new one, the first ``reach`` samples before it."""
    slower = max(up, down)
    half = 10 * slower
    steps = np.arange(-half, half + 1)
    kernel = np.sinc(steps / slower) * np.kaiser(2 * half + 1, 5.0)
    kernel *= up / kernel.sum()
    reach = half // up
    taps = 2 * reach + 2
    # new sample n lies at n * down on a grid up times finer than the old samples; old sample j lies at j * up
    distance = np.arange(up)[:, None] - (np.arange(taps) - reach) * up
    inside = np.abs(distance) <= half
    return np.where(inside, kernel[np.clip(distance, -half, half) + half], 0.0), reach


def from_rows(rows: Any) -> NDArray[Any]:
    """Lists (or arrays) of whole numbers from -32768 to 32767 -> an object array of int16 [n_i].

    ValueError says what is wrong.
    """
    return ragged.collect([_recording(row) for row in rows])


def _recording(row: Any) -> NDArray[np.int16]:
    if not isinstance(row, (list, np.ndarray)) or not len(row):
        raise ValueError("each recording must be a list of samples, at least one")
    try:
        values = np.asarray(row)
    except ValueError as error:
        raise ValueError("each recording must be a list of numbers") from error
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise ValueError("each recording must be a list of numbers")
    # written so that NaN fails too
    if not (values.min() >= -FULL_SCALE and values.max() < FULL_SCALE) or (values != np.rint(values)).any():
        raise ValueError("samples must be whole numbers from -32768 to 32767")
    return values.astype(np.int16)


def wav(samples: NDArray[np.int16], rate: int) -> bytes:
    """int16 mono [n] as a WAV file."""
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return data.getvalue()
