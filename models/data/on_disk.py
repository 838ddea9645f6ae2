"""A split that stays on disk; a batch is read when it is asked for, and has the bits that it has in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.encode import Preprocessing, ragged
from core.encode.mapped import Rows, Sequences, chunks, spill
from models.data.resident import Resident
from models.data.splits import Split


def hold(split: Split, preprocessing: Preprocessing, device: torch.device, scratch: Path | None) -> Resident:
    """A split as a training reads it: on the device, or on disk where its data set is."""
    if scratch is None:
        return Resident(split, preprocessing, device)
    return OnDisk(split, preprocessing, device, scratch)


class OnDisk(Resident):
    """Reads from the data set's file, or from a file in ``scratch`` with what is made of the samples.

    Only targets, lengths and the order of an epoch are in memory; there are no ``inputs``.
    """

    def __init__(self, split: Split, preprocessing: Preprocessing, device: torch.device, scratch: Path) -> None:
        assert isinstance(split.inputs, Rows | Sequences), "a data set that was loaded with a scratch folder"
        self._stored = _store(split.inputs, preprocessing, scratch)
        lengths = np.diff(self._stored.ends) if isinstance(self._stored, Sequences) else split.lengths
        self._keep(split.targets, lengths, preprocessing, device)

    @property
    def _indexed_on(self) -> torch.device:
        return torch.device("cpu")

    def _select(self, indices: Tensor | slice, longest: int | None) -> Tensor:
        samples = self._stored[indices if isinstance(indices, slice) else indices.cpu().numpy()]
        if isinstance(self._stored, Sequences):
            samples, _ = ragged.pad(samples)
        elif longest is not None:
            samples = samples[:, :longest]
        batch = torch.from_numpy(np.ascontiguousarray(samples))
        if self.targets.device.type == "cuda":  # from pinned memory the copy does not wait for the device
            return batch.pin_memory().to(self.targets.device, non_blocking=True)
        return batch


def _store(samples: Rows | Sequences, preprocessing: Preprocessing, scratch: Path) -> Rows | Sequences:
    """The samples as the network reads them, but for the normalisation."""
    frames = preprocessing.frames
    if frames is not None and frames.fixed:
        return Rows(spill((np.stack(list(frames.encode(part)))[..., None] for part in chunks(samples)), scratch))
    if frames is not None or preprocessing.tokens is not None:
        coder = frames or preprocessing.tokens
        assert coder is not None
        return _sequences((coder.encode(part) for part in chunks(samples)), scratch)
    if preprocessing.resized is not None:
        return Rows(spill((preprocessing.resize(part) for part in chunks(samples)), scratch))
    return samples


def _sequences(parts: Iterator[NDArray[Any]], scratch: Path) -> Sequences:
    ends = [0]

    def joined() -> Iterator[NDArray[Any]]:
        for part in parts:
            ends.extend((ends[-1] + np.cumsum([len(one) for one in part])).tolist())
            yield np.concatenate(list(part))

    content = spill(joined(), scratch)
    return Sequences(content, np.array(ends, np.int64))
