"""A split that lives on the device as a few tensors; a batch is a selection by index, without worker processes."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.encode import Preprocessing, ragged
from core.encode.splits import draws, permutation
from models.data.splits import Split
from models.evaluate import logits_of

WINDOW = 8
"""Batches whose sequences are sorted by length together."""


class Resident:
    """Inputs in the network's size and targets: classes int64 [N], or scaled numbers float32 [N, targets].

    Images uint8 [N, H, W, C], series or frames float32 [N, T, F], spectrograms float32 [N, T, mels, 1] or token
    ids int32 [N, T], with lengths int64 [N] where they
    vary, else null. Numbers are normalised batch by batch.
    """

    def __init__(self, split: Split, preprocessing: Preprocessing, device: torch.device) -> None:
        assert isinstance(split.inputs, np.ndarray), "a data set that was loaded into memory"
        inputs, lengths = split.inputs, split.lengths
        if preprocessing.tokens is not None:
            inputs, lengths = ragged.pad(preprocessing.tokens.encode(inputs))
        if preprocessing.frames is not None:
            inputs, lengths = ragged.pad(preprocessing.frames.encode(inputs))
            if preprocessing.frames.fixed:
                inputs, lengths = inputs[..., None], None
        inputs = np.ascontiguousarray(preprocessing.resize(inputs))
        self.inputs = torch.from_numpy(inputs).to(device)
        self._keep(split.targets, lengths, preprocessing, device)

    def _keep(
        self,
        targets: NDArray[Any],
        lengths: NDArray[np.int64] | None,
        preprocessing: Preprocessing,
        device: torch.device,
    ) -> None:
        """What is in memory wherever the inputs are."""
        mean, std = (np.array(values, np.float32) for values in (preprocessing.mean, preprocessing.std))
        if preprocessing.frames is not None and preprocessing.frames.fixed:
            mean, std = mean[:, None], std[:, None]
        self._known = None if lengths is None else torch.from_numpy(lengths)
        self.lengths = None if self._known is None else self._known.to(device)
        targets = targets if preprocessing.targets is None else preprocessing.targets.scale(targets)
        self.targets = torch.from_numpy(np.ascontiguousarray(targets)).to(device)
        self.mean = torch.from_numpy(mean).to(device)
        self.std = torch.from_numpy(std).to(device)

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, indices: Tensor | slice) -> tuple[Tensor, Tensor | None]:
        """Network input of these samples and their lengths, cut to the longest: nothing depends on the rest."""
        if self._known is None or self.lengths is None:
            return self.prepare(self._select(indices, None)), None
        assert isinstance(indices, Tensor)
        # looked up on the host, where the order of what varies is: a GPU would have to be waited for
        longest = int(self._known[indices.cpu()].max())
        return self.prepare(self._select(indices, longest)), self.lengths.index_select(0, self._here(indices))

    def wanted(self, indices: Tensor) -> Tensor:
        """What the network should say of these samples."""
        return self.targets.index_select(0, self._here(indices))

    def _here(self, indices: Tensor) -> Tensor:
        return indices.to(self.targets.device, non_blocking=True)

    def _select(self, indices: Tensor | slice, longest: int | None) -> Tensor:
        """These raw samples, sequences up to ``longest``."""
        raw = self.inputs if longest is None else self.inputs[:, :longest]
        # by index_select: on bytes a plain index takes many times as long
        return raw[indices] if isinstance(indices, slice) else raw.index_select(0, self._here(indices))

    def outputs(self, network: nn.Module) -> Tensor:
        """What a network says of all samples in their order, [N, ...], in evaluation mode."""
        return logits_of(network, self.batch, len(self), self.lengths)

    def prepare(self, raw: Tensor) -> Tensor:
        """Raw samples -> network input, the same arithmetic as ``Preprocessing.feed``; ``raw`` stays."""
        if not len(self.mean):  # token ids
            return raw
        return raw.to(torch.float32, copy=True).sub_(self.mean).div_(self.std)

    def order(self, seed: int, epoch: int, batch: int | None = None) -> Tensor:
        """The shuffled indices of an epoch: decided by seed and epoch alone, so there is no state to save.

        Sequences that vary are put into batches with others of about their length; the batches come in any order.
        """
        if self._known is None and self._indexed_on.type == "cuda":
            return sort_draws(draws(len(self), seed, epoch), self._indexed_on)
        shuffled = permutation(len(self), seed, epoch)
        if self._known is not None and batch is not None:
            shuffled = _alike(shuffled, self._known.numpy(), batch, seed, epoch)
        return torch.from_numpy(shuffled)

    @property
    def _indexed_on(self) -> torch.device:
        """Where samples are looked up."""
        return self.targets.device


def sort_draws(raw: NDArray[np.uint64], device: torch.device) -> Tensor:
    """The permutation that :func:`core.encode.splits.permutation` makes of these numbers, sorted on a device."""
    signed = (raw ^ np.uint64(2**63)).view(np.int64)  # in the same order
    return torch.from_numpy(signed).to(device).argsort(stable=True)


def _alike(order: NDArray[np.int64], lengths: NDArray[np.int64], batch: int, *seeds: int) -> NDArray[np.int64]:
    """Sorted by length within windows of a few batches, so that little is padded and chance still mixes them.

    The rest that fills no batch stays at the end as it was drawn, or it would always be the longest.
    """
    whole = len(order) // batch
    result = order.copy()
    for first in range(0, whole * batch, WINDOW * batch):
        window = result[first : min(first + WINDOW * batch, whole * batch)]
        window[:] = window[np.argsort(lengths[window], kind="stable")]
    batches = result[: whole * batch].reshape(whole, batch)
    batches[:] = batches[permutation(whole, *seeds, 1)]
    return result
