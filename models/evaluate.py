"""How good a network is: loss, accuracy and confusion matrix."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

BATCH = 512


@torch.inference_mode()
def predict(
    network: nn.Module,
    inputs: Tensor,
    prepare: Callable[[Tensor], Tensor] | None = None,
    lengths: Tensor | None = None,
) -> Tensor:
    """Logits [N, classes] in evaluation mode, in fp32; ``prepare`` makes network input of a batch of ``inputs``.

    Sequences with ``lengths`` [N] are computed from short to long, each batch no longer than its longest.
    """
    was_training = network.training
    network.eval()
    if lengths is None:
        parts = [network(prepare(batch) if prepare else batch) for batch in torch.split(inputs, BATCH)]
        logits = torch.cat(parts)
    else:
        order = lengths.argsort(stable=True)
        parts = []
        for chosen in torch.split(order, BATCH):
            batch, known = inputs[:, : int(lengths[chosen[-1]])][chosen], lengths[chosen]
            parts.append(network(prepare(batch) if prepare else batch, known))
        logits = torch.cat(parts)[order.argsort()]
    network.train(was_training)
    return logits


def scores(logits: Tensor, targets: Tensor) -> dict[str, float]:
    """Mean cross-entropy (natural logarithm) and the share of samples whose largest logit is the target's."""
    return {
        "loss": nn.functional.cross_entropy(logits, targets).item(),
        "accuracy": (logits.argmax(1) == targets).double().mean().item(),
    }


def evaluate(
    network: nn.Module, inputs: Tensor, targets: Tensor, prepare: Callable[[Tensor], Tensor] | None = None
) -> dict[str, float]:
    """``loss`` and ``accuracy`` of a network on samples."""
    return scores(predict(network, inputs, prepare), targets)


def confusion_matrix(logits: Tensor, targets: Tensor) -> list[list[int]]:
    """Counts [target][prediction]."""
    classes = logits.shape[1]
    pairs = targets * classes + logits.argmax(1)
    matrix: list[list[int]] = pairs.bincount(minlength=classes * classes).view(classes, classes).tolist()
    return matrix
