"""A text that lives on the device as one tensor of token ids; a sample is a window of it, cut by index arithmetic."""

import numpy as np
import torch
from torch import Tensor

from core.encode import Preprocessing
from core.encode.splits import permutation
from core.encode.text import UNKNOWN
from models.data.splits import Split


class Corpus:
    """Token ids int32 [T] of a text. A sample is the ``window`` tokens from some place on, and their successors.

    An epoch goes through the text once: its windows follow each other from an offset that is drawn anew each time, so
    that over the epochs every token is seen at every place of a window.
    """

    def __init__(self, split: Split, preprocessing: Preprocessing, device: torch.device) -> None:
        text, tokens, (window,) = split.text, preprocessing.tokens, preprocessing.shape
        assert tokens is not None
        (ids,) = tokens.encode([text])
        if len(ids) < 2:
            raise ValueError(f"a split has {len(ids)} token; a model that is to go on with a text needs at least 2")
        self.tokens = torch.from_numpy(ids).to(device)
        self.characters = len(tokens.normal(text))
        self.unknown = float((ids == UNKNOWN).mean())
        """The share of tokens that the vocabulary does not have."""
        self.unknown_bytes = tokens.unknown_bytes(text)
        self.window = window
        self._steps = torch.arange(window, device=device)

    def __len__(self) -> int:
        """Windows of an epoch: one fewer than would fit, which leaves room for any offset."""
        return max(0, len(self.tokens) // self.window - 1)

    def check_window(self) -> None:
        """ValueError: there is not one window to train on."""
        if not len(self):
            count, width = len(self.tokens), self.window
            raise ValueError(
                f"the text to train on has {count:,} tokens; a window of {width:,} needs {2 * width:,}: "
                "use a smaller data.window"
            )

    def batch(self, places: Tensor) -> tuple[Tensor, None]:
        """The windows [N, W] from these places on."""
        return self.tokens[places[:, None] + self._steps], None

    def wanted(self, places: Tensor) -> Tensor:
        """What follows each token of these windows, int64 [N, W]."""
        return self.tokens[places[:, None] + (self._steps + 1)].long()

    def order(self, seed: int, epoch: int, batch: int | None = None) -> Tensor:
        """The places of an epoch's windows, shuffled: decided by seed and epoch alone, so there is no state to save."""
        offset = int(permutation(self.window, seed, epoch, 1)[0])
        places: np.ndarray[tuple[int], np.dtype[np.int64]] = offset + self.window * permutation(len(self), seed, epoch)
        return torch.from_numpy(places).to(self.tokens.device)
