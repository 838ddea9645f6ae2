"""Data larger than memory: a training whose samples stay on disk is the one that has them in memory, bit for bit."""

import json
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import holed
import numpy as np
import pytest
from ingesting import ingested
from recordings import zipped
from safetensors.numpy import save_file

from core.encode import Preprocessing
from core.encode.mapped import Rows, Sequences, chunks
from core.encode.statistics import of_numbers
from core.specs import TrainSpec
from models.checkpoint import digest, load_weights
from models.data.splits import load
from models.events import Checkpointed, Finished
from models.training import fit
from workers import train

CNN = {"family": "cnn", "stages": [{"channels": 4}], "hidden": [8]}
RNN = {"family": "rnn", "hidden": 8, "bidirectional": True}


def series(lengths: bool) -> dict[str, Any]:
    """Random series of two features, padded behind their ends if they have ``lengths``."""
    generator = np.random.default_rng(0)
    tensors: dict[str, Any] = {}
    for split, count in (("train", 150), ("test", 40), ("validation", 30)):
        values = generator.normal(5, 30, (count, 20, 2)).astype(np.float32)
        known = generator.integers(3, 21, count)
        if lengths:
            values[np.arange(20) >= known[:, None]] = 0
            tensors[f"{split}.lengths"] = known
        tensors |= {f"{split}.inputs": values, f"{split}.targets": np.arange(count) % 3}
    return tensors


def words() -> bytes:
    generator = np.random.default_rng(1)
    rows = [f"{label},{' '.join(generator.choice(['ja', 'née', label, '語'], 6))}" for label in ("ab", "ba") * 70]
    return "\n".join(["label,text", *rows]).encode()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, digits_path: Path) -> dict[str, Path]:
    """A data set file of every kind."""
    folder = tmp_path_factory.mktemp("files")
    for name, content in {
        "texts": ingested({"words.csv": words()}).file,
        "tones": ingested({"tones.zip": zipped(20)}, pattern="{label}_{rest}").file,
    }.items():
        (folder / name).write_bytes(content)
    for name, known in (("series", None), ("varied", [3, 20])):
        manifest = {"kind": "series", "shape": [20, 2], "dtype": "float32", "classes": ["a", "b", "c"]}
        manifest |= {} if known is None else {"lengths": known}
        save_file(series(known is not None), folder / name, {"manifest": json.dumps(manifest)})
    return {name: folder / name for name in ("texts", "tones", "series", "varied")} | {"digits": digits_path}


CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "images": ("digits", CNN | {"stages": [{"channels": 4, "padding": "same"}]}, {}, {"steps": 30}),
    "images in another size": ("digits", CNN, {"resize": [12, 11], "augment": {"shift": 1}}, {"steps": 30}),
    "gradient descent": ("digits", CNN, {"resize": [10, 10]}, {"optimizer": {"name": "gd"}, "epochs": 2}),
    "series": ("series", RNN, {}, {"epochs": 3, "batch_size": 16}),
    "series of several lengths": ("varied", RNN, {}, {"epochs": 3, "batch_size": 16, "accumulate": 2}),
    "texts": ("texts", RNN, {"tokens": "word"}, {"epochs": 3, "batch_size": 16}),
    "recordings": ("tones", RNN, {"mels": 12}, {"epochs": 3, "batch_size": 16}),
    "recordings for a cnn": ("tones", CNN, {"mels": 12, "normalise": "recording"}, {"epochs": 2, "batch_size": 16}),
}


def outcome(spec: TrainSpec, path: Path, scratch: Path | None) -> list[Any]:
    """All that a run ends with: weights, optimizer, scores, preprocessing."""
    events = list(fit(spec, load(path, scratch), threads=1))
    *_, last = (event for event in events if isinstance(event, Checkpointed))
    end = events[-1]
    assert isinstance(end, Finished)
    measured = [end.validation, end.test, end.confusion_matrix, end.preprocessing]
    return [digest(last.checkpoint.weights), digest(last.checkpoint.state), last.checkpoint.manifest, *measured]


@pytest.mark.parametrize("case", CASES)
def test_on_disk_and_in_memory_give_the_same_bits(
    case: str, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.encode.mapped._CHUNK_BYTES", 5000)  # so that these small sets have many chunks
    name, network, data, rules = CASES[case]
    spec = TrainSpec.model_validate({"network": network, "data": data, "hyperparameters": rules, "seed": 4})
    mapped = load(files[name], tmp_path)
    assert isinstance(mapped.train.inputs, Rows | Sequences)
    assert len(list(chunks(mapped.train.inputs))) >= 3
    assert outcome(spec, files[name], tmp_path) == outcome(spec, files[name], None)
    assert not list(tmp_path.iterdir()), "files without a name need no cleaning up"


def test_the_numbers_to_normalise_with_do_not_depend_on_the_chunks(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = load(files["varied"], tmp_path).train
    whole = Preprocessing.fit(split.inputs[:], None, "standard", split.lengths)
    for size in (1, 997, 2**30):
        monkeypatch.setattr("core.encode.mapped._CHUNK_BYTES", size)
        assert Preprocessing.fit(split.inputs, None, "standard", split.lengths) == whole


def test_sums_are_rounded_once_however_the_numbers_are_cut() -> None:
    generator = np.random.default_rng(0)
    values = (generator.normal(size=(700, 3)) * 10.0 ** generator.integers(-38, 18, (700, 3))).astype(np.float32)
    values[:, 2] = [*np.repeat(np.float32(3e18), 350), *np.repeat(np.float32(-3e18), 349), 1e-45]
    means, deviations = of_numbers(lambda: np.array_split(values, 9))
    for channel in range(3):
        numbers = values[:, channel].astype(np.float64)
        mean = math.fsum(numbers) / 700
        assert (means[channel], deviations[channel]) == (mean, math.sqrt(math.fsum((numbers - mean) ** 2) / 700))


def test_a_mapped_split_is_cut_and_read_like_an_array(files: dict[str, Path], tmp_path: Path) -> None:
    for name in ("digits", "texts"):
        whole, mapped = load(files[name]).train.inputs, load(files[name], tmp_path).train
        rows = np.array([5, 3, 3, 100])
        part = mapped.take(np.array([7, 100, 5, 3])).take(np.array([2, 3, 3, 1]))
        assert np.array_equal(part.inputs[:], whole[rows])
        assert np.array_equal(part.inputs[1:3], whole[rows][1:3])
        assert np.array_equal(part.inputs[np.array([2, 0])], whole[rows][[2, 0]])


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_worker_child_does_as_its_task_says(in_memory: bool, digits_path: Path, tmp_path: Path) -> None:
    spec = TrainSpec.model_validate({"network": CNN, "data": {"resize": [10, 10]}, "hyperparameters": {"steps": 5}})
    task = {"scratch": str(tmp_path), "spec": spec.model_dump(mode="json"), "dataset": str(digits_path), "threads": 1}
    task |= {"in_memory": in_memory, "device": "cpu", "devices": 1, "checkpoint_seconds": 1e9}
    task |= {"resume": [], "start": None, "stop_step": None}
    said: list[dict[str, Any]] = []
    train.run(task, SimpleNamespace(pausing=False, storing=False), lambda **message: said.append(message))  # type: ignore[arg-type]
    *_, wanted = fit(spec, load(digits_path), threads=1)
    assert isinstance(wanted, Finished)
    assert digest(load_weights(Path(said[-1]["weights"]))) == digest(wanted.best.weights)


TRAINS_WITHIN_A_LIMIT = """
import json, resource, sys
from pathlib import Path
from core.specs import TrainSpec
from models.data.splits import load
from models.training import fit
path, folder, spec = json.load(sys.stdin)
used = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line)
resource.setrlimit(resource.RLIMIT_DATA, ((used + 200 * 1024) * 1024,) * 2)
for scratch in (Path(folder), None):
    try:
        *_, end = fit(TrainSpec.model_validate(spec), load(path, scratch), threads=1)
        print(end.step)
    except BaseException as error:  # safetensors panics where memory ends, which is no Exception
        print(type(error).__name__)
"""


def test_a_data_set_larger_than_the_memory_is_trained_on_from_disk(tmp_path: Path) -> None:
    """The process may have 200 MiB beside what its libraries take; the data set has 270."""
    path = tmp_path / "large.safetensors"
    holed.images(path, 4000, 300)
    network = {"family": "cnn", "stages": [{"channels": 2, "stride": 8}], "hidden": []}
    spec = {"network": network, "data": {"normalise": "unit"}, "hyperparameters": {"steps": 3, "batch_size": 16}}

    done = subprocess.run(
        [sys.executable, "-c", TRAINS_WITHIN_A_LIMIT],
        input=json.dumps([str(path), str(tmp_path), spec]),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    from_disk, in_memory = done.stdout.split()
    assert from_disk == "3"
    assert in_memory in ("MemoryError", "PanicException")
