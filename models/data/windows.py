"""Windows of one table that is on the device once: a sample is a place in it, copied when its batch is made."""

import torch
from torch import Tensor, nn

from core.encode import Preprocessing
from core.encode.splits import permutation
from models.evaluate import predict


class Windows:
    """``count`` windows of ``rows`` float32 [T, F], the first of which sees the rows from ``first`` on.

    Each is the rows seen [W, F] and the targets in the rows behind them, [horizon * targets], both normalised.
    """

    def __init__(self, rows: Tensor, first: int, count: int, preprocessing: Preprocessing) -> None:
        assert preprocessing.targets is not None and preprocessing.targets.horizon is not None
        self.rows, self._first, self._count = rows, first, count
        self._relative = preprocessing.normalise == "window"
        self._width, self.horizon = preprocessing.shape[0], preprocessing.targets.horizon
        self._mean, self._std = (
            torch.tensor(numbers, dtype=torch.float32, device=rows.device)
            for numbers in (preprocessing.mean, preprocessing.std)
        )
        targets = preprocessing.targets
        self._places = torch.tensor(targets.places, device=rows.device)
        self._target_mean, self._target_std = (
            torch.tensor(numbers, dtype=torch.float32, device=rows.device) for numbers in (targets.mean, targets.std)
        )
        self._seen = torch.arange(self._width, device=rows.device)
        self._foretold = torch.arange(self.horizon, device=rows.device)

    def __len__(self) -> int:
        return self._count

    @property
    def targets(self) -> Tensor:
        """Of all windows, [N, horizon * targets]."""
        return self.wanted(torch.arange(len(self), device=self.rows.device))

    def wanted(self, indices: Tensor) -> Tensor:
        """What the network should say of these windows."""
        return self.behind(indices, self._foretold)

    def behind(self, indices: Tensor, offsets: Tensor) -> Tensor:
        """The targets in the rows at ``offsets`` behind what is seen (0 is the next row), as ``wanted`` has them."""
        ends = self._first + indices + self._width
        values = self.rows[ends[:, None] + offsets][:, :, self._places]
        origin = self.rows[ends - 1][:, None, self._places] if self._relative else self._target_mean
        return ((values - origin) / self._target_std).flatten(1)

    def naive(self, season: int) -> Tensor:
        """The targets of one season before, as ``targets`` has them; beyond a season that one's again."""
        return self.behind(torch.arange(len(self), device=self.rows.device), self._foretold % season - season)

    def seasonal_change(self, season: int) -> Tensor:
        """How far each target is from its value one season before: the mean over the rows of all windows [targets]."""
        end = self._first + self._width + len(self) + self.horizon - 1
        values = self.rows[self._first : end, self._places].double()
        return (values[season:] - values[:-season]).abs().mean(0)

    def seen(self, index: int) -> Tensor:
        """The raw rows [W, F] that one window sees."""
        return self.rows[self._first + index + self._seen]

    def shown(self, index: int, most: int) -> tuple[Tensor, Tensor]:
        """The raw targets in the last rows that a window sees, ``most`` of them, and in those that it foretells."""
        end = self._first + index + self._width
        values = self.rows[:, self._places]
        return values[max(end - min(most, self._width), 0) : end], values[end : end + self.horizon]

    def batch(self, indices: Tensor) -> tuple[Tensor, None]:
        """Network input [N, W, F] of these windows, the same arithmetic as ``Preprocessing.feed``."""
        values = self.rows[(self._first + indices)[:, None] + self._seen]
        return (values - (values[:, -1:] if self._relative else self._mean)) / self._std, None

    def outputs(self, network: nn.Module) -> Tensor:
        """What a network says of all windows in their order, in evaluation mode."""
        places = torch.arange(len(self), device=self.rows.device)
        return predict(network, places, lambda indices: self.batch(indices)[0])

    def order(self, seed: int, epoch: int, batch: int | None = None) -> Tensor:
        """The shuffled indices of an epoch, decided by seed and epoch alone."""
        return torch.from_numpy(permutation(len(self), seed, epoch)).to(self.rows.device)
