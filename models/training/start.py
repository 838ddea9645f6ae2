"""Where a training starts: the weights of a trained network instead of random ones."""

from dataclasses import dataclass

from torch import Tensor, nn

from core.encode.text import Tokens
from models.checkpoint import digest


@dataclass(frozen=True)
class Start:
    """Weights of an equal network but for its head, the last dense layer, which is random unless ``keep_head``.

    It is random, too, where the head has another size, as that of a forecast for another horizon. ``tokens`` are what
    the weights know of texts: the training cuts its own into the same ones, and has no others.
    """

    weights: dict[str, Tensor]
    keep_head: bool
    tokens: Tokens | None = None

    def put_into(self, network: nn.Sequential) -> None:
        """Replace the network's initial weights. ValueError: they are not those of such a network."""
        head = f"{len(network) - 1}."
        own = network.state_dict()
        fresh = {name: value for name, value in own.items() if name.startswith(head)}
        if self.keep_head and all(self.weights[name].shape == value.shape for name, value in fresh.items()):
            fresh = {}
        weights = {**self.weights, **fresh}
        if {name: value.shape for name, value in weights.items()} != {name: own[name].shape for name in own}:
            raise ValueError("the weights to start from are those of another network")
        network.load_state_dict(weights)

    @property
    def identity(self) -> str:
        """Names what the training starts from."""
        return f"{digest(self.weights)} {self.keep_head}"
