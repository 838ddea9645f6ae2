"""How recordings become frames, of what a spec asks and a data set has."""

from core.encode import audio
from core.encode.audio import Frames
from core.plan_layers import PlanError, Sample
from core.specs import TrainSpec

OPTIONS = ("mels", "window_ms", "hop_ms", "max_seconds")
LONGEST_FIXED = 2.0
"""Seconds that a cnn reads when nothing else is asked for."""


def frames(spec: TrainSpec, sample: Sample) -> Frames:
    """PlanError names the option that the rate of the recordings does not allow."""
    assert sample.rate is not None and sample.lengths is not None, "a set of recordings says its rate and lengths"
    data, rate, fixed = spec.data, sample.rate, spec.network.family == "cnn"
    window, hop = (max(1, round(rate * length / 1000)) for length in (data.window_ms, data.hop_ms))
    bands = audio.filterbank(rate, audio.fft_size(window), data.mels)
    if not bands.any(axis=1).all():
        raise PlanError(
            "#/data/mels",
            f"{data.mels} mels are more than a window of {data.window_ms:g} ms at {rate:,} Hz can tell apart; "
            "use fewer, or a longer window_ms",
        )
    most = None if data.max_seconds is None else max(window, round(rate * data.max_seconds))
    if fixed and most is None:
        most = max(window, min(sample.lengths[1], round(LONGEST_FIXED * rate)))
    return Frames(rate, data.mels, window, hop, most, fixed, centred=data.normalise == "recording")
