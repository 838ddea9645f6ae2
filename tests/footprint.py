"""Measures the memory of trainings: ``python footprint.py < tasks`` answers each line of JSON with one of its own.

Every training runs as it does in a worker: by ``workers.train``, in a process forked from one that has torch imported,
under the allocator's settings of ``workers.forkserver``. A task is {"spec", "kind", "shape", "classes", "train",
"test", "threads"}, with "lengths" [min, max] and "rate" where there are such; the answer is {"bytes",
"dataset_file_bytes"}, the peak of resident memory less what was resident before the data was loaded.

The pages of libraries are among it, which all children share and which the system can take back: some 60 MiB with
PyTorch's CPU build, which the plan reckons with, and 150 with its CUDA build, of which no more are counted.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from forked import forked

sys.path.insert(0, str(Path(__file__).parents[1]))  # the repository: this file runs as a program


class Control:
    """A supervisor that stores every checkpoint at once and asks for nothing."""

    pausing = storing = False


MOST_OF_LIBRARIES = 64 * 2**20


def resident(field: str) -> int:
    """``VmRSS``, ``RssFile`` (now) or ``VmHWM`` (the most since it was last reset) of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def write_dataset(path: Path, task: dict[str, Any]) -> int:
    """Random samples in the form of a data set file; gives the file's size."""
    import numpy as np
    from safetensors.numpy import save

    random, shape, classes = np.random.default_rng(0), tuple(task["shape"]), task["classes"]
    tensors = {}
    for split in ("train", "test"):
        count = task[split]
        if task["kind"] == "corpus":
            tensors[f"{split}.text"] = random.integers(97, 123, count, np.uint8)
            continue
        if task.get("task") == "forecast":
            tensors[f"{split}.rows"] = random.standard_normal((count, *shape[1:]), np.float32)
            continue
        if "lengths" in task:
            lengths = random.integers(task["lengths"][0], task["lengths"][1], count, endpoint=True)
            lengths[0] = task["lengths"][1]
        if task["kind"] == "image":
            tensors[f"{split}.inputs"] = random.integers(0, 256, (count, *shape), np.uint8)
        elif task["kind"] == "series":
            tensors[f"{split}.inputs"] = random.standard_normal((count, *shape), np.float32)
            if "lengths" in task:
                tensors[f"{split}.lengths"] = lengths
        else:
            tensors[f"{split}.offsets"] = np.concatenate(([0], lengths.cumsum()))
            if task["kind"] == "text":  # letters, and a space behind every fourth or so
                letters = random.choice(np.frombuffer(b"abcdefghijkl    ", np.uint8), lengths.sum())
                tensors[f"{split}.text"] = letters
            else:
                tensors[f"{split}.audio"] = random.integers(-(2**15), 2**15, lengths.sum(), np.int16)
        tensors[f"{split}.targets"] = np.arange(count, dtype=np.int64) % classes
    names = [str(number) for number in range(classes)]
    manifest = {
        "kind": task["kind"],
        "task": task.get("task", "classification"),
        "shape": list(shape),
        "dtype": "",
        "classes": names,
        "source": "random",
    }
    manifest |= {name: task[name] for name in ("lengths", "rate", "columns", "targets") if name in task}
    content = save(tensors, {"manifest": json.dumps(manifest)})
    path.write_bytes(content)
    return len(content)


def measure(path: Path, task: dict[str, Any]) -> dict[str, int]:
    """Train, with a checkpoint at every step that may have one."""
    from workers import train

    folder = str(path.parent)
    given = {"dataset": str(path), "scratch": folder, "resume": [], "start": None, "stop_step": None, "device": "cpu"}
    given |= {"in_memory": True, "devices": 1}
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew
    before, libraries = resident("VmRSS"), resident("RssFile")
    task = {**given, "spec": task["spec"], "threads": task["threads"], "checkpoint_seconds": 0.0}
    train.run(task, Control(), lambda **message: None)
    libraries = resident("RssFile") - libraries
    return {"bytes": resident("VmHWM") - before - max(0, libraries - MOST_OF_LIBRARIES)}


def main() -> None:
    sys.orig_argv.append("multiprocessing.forkserver")  # what the preload does only there
    import workers.preload

    del workers
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def answer(task: dict[str, Any]) -> dict[str, int]:
    """The data is made by a process of its own, whose memory is gone when the training is measured."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.safetensors"
        size = forked(lambda: write_dataset(path, task))
        return {**forked(lambda: measure(path, task)), "dataset_file_bytes": size}


if __name__ == "__main__":
    main()
