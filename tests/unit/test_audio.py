"""Recordings -> samples -> frames: against the formulas written out, scipy, and what other programs encode."""

import json
import math
import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from recordings import RATE, encoded, tone
from scipy.signal import get_window, resample_poly, stft

from core import plan
from core.encode import Preprocessing, audio, ragged
from core.encode.audio import Frames
from core.specs import TrainSpec
from epochd.models import audio_type

GENERATOR = np.random.default_rng(5)


def noise(count: int) -> NDArray[np.int16]:
    return GENERATOR.integers(-20_000, 20_000, count).astype(np.int16)


def mel_bands(rate: int, size: int, mels: int) -> NDArray[np.float64]:
    """The triangles of HTK's mel scale, one value at a time."""
    top = 2595 * math.log10(1 + rate / 2 / 700)
    edges = [700 * (10 ** (top * number / (mels + 1) / 2595) - 1) for number in range(mels + 2)]
    bands = np.zeros((mels, size // 2 + 1))
    for mel in range(mels):
        low, middle, high = edges[mel : mel + 3]
        for place in range(size // 2 + 1):
            frequency = place * rate / size
            if low < frequency <= middle:
                bands[mel, place] = (frequency - low) / (middle - low)
            elif middle < frequency < high:
                bands[mel, place] = (high - frequency) / (high - middle)
    return bands


@pytest.mark.parametrize(("rate", "window", "hop", "mels"), [(8000, 200, 80, 40), (16_000, 400, 160, 64)])
def test_frames_are_log_mel_spectra(rate: int, window: int, hop: int, mels: int) -> None:
    recording = noise(rate // 3)
    (frames,) = Frames(rate, mels, window, hop).encode(ragged.collect([recording]))
    size = 2 ** math.ceil(math.log2(window))
    hann = get_window("hann", window)
    _, _, spectra = stft(
        recording / 32_768, window=hann, nperseg=window, noverlap=window - hop, nfft=size, boundary=None, padded=False
    )
    power = np.abs(spectra.T * hann.sum()) ** 2  # scipy divides by the window's sum
    wanted = np.log(np.maximum(power @ mel_bands(rate, size, mels).T, 1e-6))
    assert frames.shape == wanted.shape == (Frames(rate, mels, window, hop).count(len(recording)), mels)
    assert frames.dtype == np.float32
    np.testing.assert_allclose(frames, wanted, rtol=0, atol=2e-5)


def test_short_silent_cut_and_filled_recordings() -> None:
    whole = Frames(RATE, 40, 200, 80)
    short, silent, long = whole.encode(ragged.collect([noise(1), np.zeros(500, np.int16), noise(4000)]))
    assert [len(one) for one in (short, silent, long)] == [1, 4, 48] == [whole.count(n) for n in (1, 500, 4000)]
    np.testing.assert_allclose(silent, math.log(1e-6), rtol=1e-6)
    recording = noise(1000)
    filled = np.concatenate([recording, np.zeros(600, np.int16)])
    (fixed,) = Frames(RATE, 40, 200, 80, most=1600, fixed=True).encode(ragged.collect([recording]))
    np.testing.assert_array_equal(fixed, whole.encode(ragged.collect([filled]))[0])
    (cut,) = Frames(RATE, 40, 200, 80, most=600).encode(ragged.collect([recording]))
    np.testing.assert_array_equal(cut, whole.encode(ragged.collect([recording[:600]]))[0])


@pytest.mark.parametrize("fixed", [False, True])
def test_the_mean_that_is_taken_away_is_that_of_the_recording_itself(fixed: bool) -> None:
    plain, centred = (Frames(RATE, 20, 200, 80, 2400, fixed, centred) for centred in (False, True))
    recordings = ragged.collect([noise(1000), noise(3000) // 7])
    for own, one, other in zip((11, 28), plain.encode(recordings), centred.encode(recordings), strict=True):
        np.testing.assert_allclose(other, one - one[:own].mean(0), atol=1e-5)


@pytest.mark.parametrize(("rate", "wanted"), [(44_100, 16_000), (8000, 16_000), (48_000, 8000), (11_025, 8000)])
def test_resampling_is_that_of_scipy(rate: int, wanted: int) -> None:
    for count in (1, 7, 5000):
        signal = GENERATOR.standard_normal(count)
        common = math.gcd(rate, wanted)
        expected = resample_poly(signal, wanted // common, rate // common)
        np.testing.assert_allclose(audio.resample(signal, rate, wanted), expected, rtol=0, atol=1e-10)


def test_formats_channels_and_rates() -> None:
    recording = tone(500, 1)
    for form in ("WAV", "FLAC"):
        samples, channels = audio.decode(encoded(recording, form=form), RATE)
        np.testing.assert_array_equal(samples, recording)
        assert channels == 1
    for form in ("OGG", "MP3"):  # lossy, and MP3 brings silence before and after
        samples, _ = audio.decode(encoded(recording, form=form), RATE)
        spectrum, wanted = (np.abs(np.fft.rfft(one, 8192)) for one in (samples, recording))
        assert abs(int(spectrum.argmax()) - int(wanted.argmax())) <= 2
        assert audio_type(encoded(recording, form=form)) == {"OGG": "audio/ogg", "MP3": "audio/mpeg"}[form]
    both = np.stack([recording, recording // 2], axis=1)
    samples, channels = audio.decode(encoded(both), RATE)
    np.testing.assert_array_equal(samples, np.rint(recording / 2 + recording // 2 / 2).astype(np.int16))
    assert channels == 2
    for subtype in ("PCM_24", "FLOAT", "PCM_U8"):
        samples, _ = audio.decode(encoded(recording / 32_768, subtype=subtype), RATE)
        np.testing.assert_allclose(samples, recording, rtol=0, atol=300 if subtype == "PCM_U8" else 1)
    samples, _ = audio.decode(encoded(np.array([2.0, -2.0, 0.5]), subtype="FLOAT"), RATE)
    assert samples.tolist() == [32_767, -32_768, 16_384]
    assert len(audio.decode(encoded(recording, 44_100), RATE)[0]) == math.ceil(len(recording) * RATE / 44_100)
    assert audio.probe(encoded(recording, 44_100)) == 44_100
    np.testing.assert_array_equal(audio.decode(audio.wav(recording, RATE), RATE)[0], recording)
    assert [audio_type(content) for content in (WAV, FLAC)] == ["audio/wav", "audio/flac"]


def _flac_that_claims(samples: int) -> bytes:
    content = bytearray(encoded(tone(500, 1), form="FLAC"))
    packed = int.from_bytes(content[18:26], "big")
    content[18:26] = (packed >> 36 << 36 | samples).to_bytes(8, "big")
    return bytes(content)


WAV, FLAC = encoded(tone(500, 1)), encoded(tone(500, 1), form="FLAC")
BAD: list[tuple[bytes, str]] = [
    (b"", "empty"),
    (b"RIFF", "cut off"),
    (WAV[:40], "cut off"),
    (WAV[:-100], "cut off"),
    (FLAC[: len(FLAC) // 2], "damaged|cut off"),
    (_flac_that_claims(2**35), "damaged|cut off"),
    (encoded(np.zeros(0, np.int16)), "no samples"),
    (encoded(np.zeros(100), form="AIFF"), "AIFF is not read"),
    (encoded(np.array([0.0, np.nan]), subtype="FLOAT"), "no finite"),
    (encoded(np.zeros((10, 9))), "9 channels"),
    (encoded(np.zeros(100), 500), "500 Hz"),
    (encoded(np.zeros(601 * 1000, np.int16), 1000, "FLAC"), "longer than 600 seconds"),
    (b"\x89PNG\r\n" + bytes(100), "no WAV"),
]


@pytest.mark.parametrize(("content", "reason"), BAD, ids=range(len(BAD)))
def test_bad_recordings_are_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        audio.decode(content, RATE)


@pytest.mark.parametrize("place", range(0, 44, 4))
def test_a_damaged_header_is_refused_or_read(place: int) -> None:
    content = bytearray(WAV)
    content[place : place + 4] = struct.pack("<I", 0xFFFFFFFF)
    try:
        samples, _ = audio.decode(bytes(content), RATE)
    except ValueError:
        return
    assert samples.dtype == np.int16 and len(samples)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([], "at least one"),
        ("x", "list"),
        ([1.5], "whole"),
        ([32_768], "32767"),
        ([[1]], "numbers"),
        ([1, [2]], "numbers"),
    ],
)
def test_rows_are_checked(row: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        audio.from_rows([[1, 2], row])


def spec(family: str, **data: Any) -> TrainSpec:
    return TrainSpec.model_validate({"network": {"family": family}, "data": data})


def sample(kind: str = "audio", rate: int | None = RATE) -> plan.Sample:
    return plan.Sample(kind, () if kind == "audio" else (20, 20, 1), 3, (800, 24_000) if rate else None, None, rate)  # type: ignore[arg-type]


def test_the_plan_knows_the_frames() -> None:
    assert plan.make(spec("rnn"), sample()).input == (298, 40)
    assert plan.make(spec("rnn"), sample()).variable
    assert plan.make(spec("rnn", max_seconds=1.0, mels=20), sample()).input == (98, 20)
    assert plan.make(spec("cnn"), sample()).input == (198, 40, 1)  # two seconds of three
    assert not plan.make(spec("cnn"), sample()).variable
    assert plan.make(spec("cnn", max_seconds=0.5, window_ms=32, hop_ms=16), sample()).input == (30, 40, 1)


@pytest.mark.parametrize(
    ("family", "data", "kind", "pointer"),
    [
        ("rnn", {"mels": 200}, "audio", "#/data/mels"),
        ("rnn", {"resize": [8, 8]}, "audio", "#/data/resize"),
        ("rnn", {"normalise": "unit"}, "audio", "#/data/normalise"),
        ("rnn", {"tokens": "word"}, "audio", "#/data/tokens"),
        ("cnn", {"mels": 20}, "image", "#/data/mels"),
        ("cnn", {"normalise": "recording"}, "image", "#/data/normalise"),
        ("cnn", {"augment": {"flip": "both"}}, "audio", "#/data/augment/flip"),
        ("rnn", {"augment": {"time_mask": 299}}, "audio", "#/data/augment/time_mask"),
    ],
)
def test_what_does_not_fit_is_named(family: str, data: dict[str, Any], kind: str, pointer: str) -> None:
    with pytest.raises(plan.PlanError) as caught:
        plan.make(spec(family, **data), sample(kind, RATE if kind == "audio" else None))
    assert caught.value.pointer == pointer


def test_the_numbers_to_normalise_with_are_those_of_real_frames() -> None:
    recordings = ragged.collect([noise(900), noise(2000) // 50, noise(120)])
    for fixed in (False, True):
        how = Frames(RATE, 24, 200, 80, 2400 if fixed else None, fixed)
        fitted = Preprocessing.of_recordings(recordings, how, "standard", 2000)
        real = np.concatenate(list(Frames(RATE, 24, 200, 80).encode(recordings))).astype(np.float64)
        np.testing.assert_allclose(fitted.mean, real.mean(0), atol=1e-5)
        np.testing.assert_allclose(fitted.std, real.std(0), atol=1e-5)
        again = Preprocessing.from_dict(json.loads(json.dumps(fitted.as_dict())))
        assert again == fitted
        fed = fitted.feed(fitted.from_rows([one.tolist() for one in recordings]))
        assert fed["input"].shape == ((3, 28, 24, 1) if fixed else (3, 23, 24))
        assert fixed or fed["lengths"].tolist() == [9, 23, 1]


def test_predictions_may_not_be_much_longer_than_what_was_learnt() -> None:
    fitted = Preprocessing.of_recordings(ragged.collect([noise(900)]), Frames(RATE, 24, 200, 80), "none", 900)
    with pytest.raises(ValueError, match=r"may be 0\.45 s long for this model, and this one has 0\.50 s"):
        fitted.from_recording(encoded(noise(4000)))
    cut = Preprocessing.of_recordings(ragged.collect([noise(900)]), Frames(RATE, 24, 200, 80, 800), "none", 900)
    assert [len(one) for one in cut.from_recording(encoded(noise(4000)))] == [800]
