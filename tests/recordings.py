"""Recordings for tests: tones whose class is their pitch."""

import io
from typing import Any

import numpy as np
import soundfile
from ingesting import packed_zip
from numpy.typing import NDArray

RATE = 8000
PITCHES = {"low": 300.0, "middle": 900.0, "high": 2000.0}


def tone(pitch: float, number: int, rate: int = RATE) -> NDArray[np.int16]:
    """A tone of about this pitch in Hz with some noise, 0.1 to 0.3 seconds; another for every number."""
    random = np.random.default_rng(number)
    time = np.arange(int(rate * random.uniform(0.1, 0.3))) / rate
    signal = random.uniform(0.1, 0.5) * np.sin(2 * np.pi * pitch * random.uniform(0.9, 1.1) * time)
    return np.rint(32_767 * (signal + 0.01 * random.standard_normal(len(time)))).clip(-32_768, 32_767).astype(np.int16)


def encoded(samples: NDArray[Any], rate: int = RATE, form: str = "WAV", subtype: str | None = None) -> bytes:
    """A sound file; ``samples`` int16 or float, [n] or [n, channels]."""
    data = io.BytesIO()
    soundfile.write(data, samples, rate, subtype, format=form)
    return data.getvalue()


def tones(count: int = 20) -> dict[str, bytes]:
    """``count`` WAV files of each pitch, named after it."""
    return {
        f"{label}_{number}.wav": encoded(tone(pitch, 100 * place + number))
        for place, (label, pitch) in enumerate(PITCHES.items())
        for number in range(count)
    }


def zipped(count: int = 20) -> bytes:
    """The same in one archive."""
    return packed_zip(tones(count))
