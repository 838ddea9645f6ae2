"""The networks as PyTorch's own layers, for the contenders that train them in another way."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchmarks.contenders.case import CLASSES, HIDDEN, Case


class Recurrent(nn.Module):
    """Images [N, 28, 28] row by row -> logits [N, classes] from the last state."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        kind = {"elman": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.cell: nn.RNNBase = kind(28, HIDDEN, batch_first=True)
        self.dense = nn.Linear(HIDDEN, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.dense(self.cell(inputs)[0][:, -1])
        return logits


def build(case: Case) -> nn.Module:
    """The network of a case with the weights that all begin with."""
    return network(case.network, {name: torch.from_numpy(value) for name, value in case.weights().items()})


def network(kind: str, weights: Mapping[str, Tensor]) -> nn.Module:
    """A ``cnn``, ``elman``, ``gru`` or ``lstm`` with weights as Epochd's safetensors call them."""
    made: nn.Module
    if kind == "cnn":
        made = nn.Sequential(
            *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(1600, 128), nn.ReLU(), nn.Linear(128, CLASSES)),
        )
    else:
        made = Recurrent(kind)
        weights = {name.replace("1.", "cell.", 1).replace("3.", "dense.", 1): value for name, value in weights.items()}
        if kind == "elman":  # has one bias; nn.RNN's second one stays at zero
            unused = made.cell.get_parameter("bias_hh_l0").requires_grad_(False)
            weights["cell.bias_hh_l0"] = torch.zeros_like(unused)
    made.load_state_dict(weights)
    return made


def tensors(case: Case) -> tuple[Tensor, Tensor]:
    """Inputs float32 [N, 1, 28, 28] for the CNN, [N, 28, 28] for the others; digits int64 [N]."""
    inputs, targets = case.data()
    return torch.from_numpy(inputs.reshape((-1, 1, 28, 28) if case.network == "cnn" else (-1, 28, 28))), (
        torch.from_numpy(targets)
    )
