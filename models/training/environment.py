"""What decides the bits of a training beside the spec: seeds, threads, deterministic kernels, versions, hardware."""

import os
import platform
import random
from pathlib import Path

import numpy as np
import torch

ARITHMETIC = "2"
"""To be raised whenever our own layers or loop compute something in another order, which changes bits."""


def prepare(seed: int, threads: int, device: torch.device) -> None:
    """Seed every generator and ask for deterministic algorithms, for this process."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with it
        torch.backends.cudnn.benchmark = False
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # fp32 is what it says
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # would fill every new tensor with NaN first: our kernels write all that they read
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def seed_apart(seed: int, rank: int) -> None:
    """Have a rank other than 0 draw numbers of its own, once its weights are those of all."""
    torch.manual_seed(int(np.random.SeedSequence((seed, rank)).generate_state(1, np.uint64)[0] >> np.uint64(1)))


def generator_states(device: torch.device) -> dict[str, torch.Tensor]:
    """The generators that a training draws from (dropout, initialisation): torch's, of the CPU and the device."""
    states = {"torch": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_generators(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """Put back what ``generator_states`` gave; nothing, where a rank has none in the checkpoint."""
    if "torch" in states:
        torch.set_rng_state(states["torch"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


def describe(threads: int, device: torch.device, devices: int = 1) -> dict[str, str]:
    """What must be equal for two runs, or the parts of one, to be equal in every bit."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    libraries = {}
    if device.type == "cuda":
        libraries = {"cuda": str(torch.version.cuda), "cudnn": str(torch.backends.cudnn.version())}  # type: ignore[no-untyped-call]
    return libraries | {
        "arithmetic": ARITHMETIC,
        "torch": str(torch.__version__),
        "numpy": np.__version__,  # it makes the frames of recordings, and the numbers to normalise with
        "threads": str(threads),
        "device": device.type,
        "devices": str(devices),
        "hardware": name,
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in _lines(info) if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
