"""kill -9 at a random step, and a new process: every kind of data, network and augmentation ends with the same bits."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ingesting import ingested, npz, ts
from prose import prose
from recordings import zipped

PROGRAM = Path(__file__).parents[1] / "killed.py"
OF_IMAGES = {"flip": "both", "shift": 1, "rotate": 10.0, "cutout": 2, "brightness": 0.1, "contrast": 0.2, "noise": 0.1}
OF_SERIES = {"time_shift": 2, "time_mask": 2, "scale": 0.2, "noise": 0.1}
RESIDUAL = {"channels": 4, "padding": "same", "residual_blocks": 1, "dropout": 0.2}


def cnn(*stages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"family": "cnn", "stages": list(stages), "hidden": [8], **fields}


def rnn(cell: str, **fields: Any) -> dict[str, Any]:
    return {"family": "rnn", "cell": cell, "hidden": 8, "dropout": 0.2, **fields}


CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "residual blocks": ("images", cnn(RESIDUAL | {"norm": "group", "pool": "average"}), {"augment": OF_IMAGES}, {}),
    "residual blocks in bf16": (
        "images",
        cnn(RESIDUAL | {"norm": "batch"}, global_pool="max"),
        {"resize": [12, 10], "augment": {**OF_IMAGES, "fill": "edge"}},
        {"precision": "bf16", "accumulate": 2, "schedule": {"name": "one_cycle"}},
    ),
    "rows of images": (
        "images",
        rnn("lstm", layers=2, bidirectional=True, dense=[6]),
        {"normalise": "unit"},
        {"precision": "bf16", "optimizer": {"name": "rmsprop"}, "schedule": {"name": "step", "step_epochs": 1}},
    ),
    "a convolution over time": (
        "series",
        cnn(RESIDUAL | {"norm": "batch"}, global_pool="average"),
        {"augment": OF_SERIES},
        {"class_weights": "balanced", "optimizer": {"name": "sgd", "momentum": 0.9}},
    ),
    "series of several lengths": (
        "varying",
        rnn("elman", bidirectional=True, readout="mean"),
        {"augment": OF_SERIES},
        {"precision": "bf16", "schedule": {"name": "cosine", "warmup_steps": 3}, "clip_norm": 0.5},
    ),
    "a convolution over several lengths": (
        "varying",
        cnn({"channels": 4, "kernel": 2, "norm": "batch", "pool": "none"}, global_pool="max"),
        {},
        {"optimizer": {"name": "adamw", "weight_decay": 0.1}, "label_smoothing": 0.1},
    ),
    "texts": (
        "texts",
        rnn("gru", bidirectional=True, readout="max", embedding=6),
        {"tokens": "word"},
        {"precision": "bf16"},
    ),
    "a convolution over texts": (
        "texts",
        cnn({"channels": 4, "kernel": 2, "pool": "none"}, global_pool="max", embedding=6, dropout=0.2),
        {"tokens": "byte"},
        {"optimizer": {"name": "gd"}, "batch_size": None, "epochs": 4},
    ),
    "recordings": ("tones", rnn("gru", readout="mean"), {"mels": 12, "augment": OF_SERIES}, {}),
    "spectrograms": (
        "tones",
        cnn({"channels": 4, "norm": "batch"}),
        {"mels": 12, "normalise": "recording", "augment": OF_SERIES},
        {"precision": "bf16"},
    ),
    "a text": ("play", rnn("lstm", layers=2, embedding=6), {"window": 16}, {"precision": "bf16", "steps": 8}),
    "a forecast": ("table", cnn({"channels": 4}), {"window": 12, "horizon": 3}, {"loss": "mae"}),
    "numbers of images": ("prices", cnn(RESIDUAL), {"augment": OF_IMAGES}, {"loss": "huber"}),
}


def made() -> dict[str, bytes]:
    """A data set file of every kind."""
    generator = np.random.default_rng(0)
    pixels, labels = generator.integers(0, 256, (90, 8, 8, 1)).astype(np.uint8), np.arange(90) % 3
    lines = [
        ":".join([*(",".join(f"{number:.3f}" for number in channel) for channel in series), "abc"[row % 3]])
        for row, series in enumerate(generator.normal(0, 1, (2, length)) for length in generator.integers(4, 12, 90))
    ]
    words = [f"{'ab'[row % 2]},{'ja' if row % 2 else 'née'} {generator.choice(['語', 'x', 'y'])}" for row in range(90)]
    hours = [
        f"2024-01-{1 + hour // 24:02d} {hour % 24:02d}:00,{np.sin(hour / 3):.4f},{hour % 7}" for hour in range(160)
    ]
    return {
        "images": ingested({"a.npz": npz(x=pixels, y=labels)}).file,
        "prices": ingested({"a.npz": npz(x=pixels, y=pixels.mean((1, 2, 3)))}, task="regression").file,
        "series": ingested({"a.npz": npz(x=generator.normal(0, 1, (90, 10, 2)), y=labels)}).file,
        "varying": ingested({"a.ts": ts(*lines, head="")}).file,
        "texts": ingested({"a.csv": "\n".join(["label,text", *words]).encode()}).file,
        "tones": ingested({"a.zip": zipped(25)}, pattern="{label}_{rest}").file,
        "play": ingested({"a.txt": prose(60).encode()}).file,
        "table": ingested({"a.csv": "\n".join(["date,load,day", *hours]).encode()}).file,
    }


def test_killed_and_gone_on_with_it_is_the_undisturbed_one(tmp_path: Path) -> None:
    for name, content in made().items():
        (tmp_path / name).write_bytes(content)
    cases = {}
    for name, (data, network, options, rules) in CASES.items():
        rules = {
            "batch_size": 12,
            "log_every": 1,
            **({} if rules.keys() & {"epochs", "steps"} else {"epochs": 2}),
            **rules,
        }
        spec = {"network": network, "data": options, "hyperparameters": rules, "seed": 3}
        cases[name] = {"dataset": str(tmp_path / data), "spec": spec, "step": random.randint(2, 4)}
    asked = "".join(f"{json.dumps(case)}\n" for case in cases.values())
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(PROGRAM)], input=asked, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    for (name, case), answer in zip(cases.items(), answers, strict=True):
        whole, resumed = answer["undisturbed"], answer["resumed"]
        # a checkpoint that was due after step k is told before step k + 1 is made
        assert (resumed.pop("exact"), resumed.pop("from")) == (True, case["step"] - 1), name
        assert (whole.pop("exact"), whole.pop("from")) == (True, 0)
        whole["metrics"] = [one for one in whole["metrics"] if one[0] >= case["step"]]
        assert resumed == whole, f"{name}, killed at step {case['step']}"
