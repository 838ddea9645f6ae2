"""How good a network is: loss, accuracy, confusion matrix, and what they hide, class by class."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from core.plan_shares import MOST_TOGETHER
from core.predictions.scores import MOST_CONFUSED
from models.networks import Network

READ_AT_ONCE = 1024
"""Tokens of a text that are read through the network together."""


def predict(
    network: nn.Module,
    inputs: Tensor,
    prepare: Callable[[Tensor], Tensor] | None = None,
    lengths: Tensor | None = None,
) -> Tensor:
    """Logits [N, classes] in evaluation mode, in fp32; ``prepare`` makes network input of a batch of ``inputs``.

    Sequences with ``lengths`` [N] are computed from short to long, each batch no longer than its longest.
    """

    def batch(chosen: Tensor | slice) -> tuple[Tensor, Tensor | None]:
        known = None if lengths is None else lengths[chosen]
        part = (inputs if known is None else inputs[:, : int(known[-1])])[chosen]
        return (prepare(part) if prepare else part), known

    return logits_of(network, batch, len(inputs), lengths)


@torch.inference_mode()
def logits_of(
    network: nn.Module,
    batch: Callable[[Tensor | slice], tuple[Tensor, Tensor | None]],
    count: int,
    lengths: Tensor | None,
) -> Tensor:
    """As :func:`predict`, of ``count`` samples of which ``batch`` gives the network input, and their lengths."""
    was_training = network.training
    size = network.together if isinstance(network, Network) else MOST_TOGETHER
    network.eval()
    if lengths is None:
        logits = torch.cat([network(batch(slice(first, first + size))[0]) for first in range(0, count, size)])
    else:
        order = lengths.argsort(stable=True)
        parts = [network(*batch(chosen)) for chosen in torch.split(order, size)]
        logits = torch.cat(parts)[order.argsort()]
    network.train(was_training)
    return logits


@torch.inference_mode()
def read_through(network: Network, tokens: Tensor) -> tuple[float, int]:
    """Token ids [T], read once from the first to the last: the summed cross-entropy of all but the first (natural
    logarithm), and how many of them were the likeliest. What the network knows of the text before is carried along.
    """
    was_training, threads = network.training, torch.get_num_threads()
    network.eval()
    torch.set_num_threads(1)  # steps of one sample are too small to be shared out: threads would only wait
    loss, right, states = 0.0, 0, None
    for first in range(0, len(tokens) - 1, READ_AT_ONCE):
        part = tokens[first : first + READ_AT_ONCE + 1]
        logits, states = network.carry(part[None, :-1], states)
        wanted = part[1:].long()
        loss += nn.functional.cross_entropy(logits[0], wanted, reduction="sum").item()
        right += int((logits[0].argmax(1) == wanted).sum())
    torch.set_num_threads(threads)
    network.train(was_training)
    return loss, right


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


def confusion_matrix(logits: Tensor, targets: Tensor) -> list[list[int]] | None:
    """Counts [target][prediction]; null beyond 500 classes, where it would be larger than all else of the job."""
    classes = logits.shape[1]
    if classes > MOST_CONFUSED:
        return None
    pairs = targets * classes + logits.argmax(1)
    matrix: list[list[int]] = pairs.bincount(minlength=classes * classes).view(classes, classes).tolist()
    return matrix


def per_class(logits: Tensor, targets: Tensor) -> list[dict[str, float | int | None]]:
    """``precision``, ``recall``, ``f1``, ``auroc`` and ``support`` (samples) of each class; null where undefined.

    Undefined are: precision of a class that was never predicted, recall of one that does not occur, F1 of one that is
    neither, and the area under the ROC curve (this class against the rest, by its probability) without both sides.
    """
    count, guesses = logits.shape[1], logits.argmax(1)
    found = (targets[guesses == targets], guesses, targets)
    hits, predicted, support = (labels.bincount(minlength=count).tolist() for labels in found)
    probability, truth = _probabilities(logits), targets.cpu()
    return [
        {
            "precision": _ratio(hits[label], predicted[label]),
            "recall": _ratio(hits[label], support[label]),
            "f1": _ratio(2 * hits[label], predicted[label] + support[label]),
            "auroc": _auroc(probability(label), truth == label),
            "support": support[label],
        }
        for label in range(len(hits))
    ]


def _probabilities(logits: Tensor) -> Callable[[int], Tensor]:
    """Gives those of a class for all samples, [N] in double precision, in which those of many classes fill a memory."""
    if logits.shape[1] <= MOST_CONFUSED:
        whole = logits.double().softmax(1).cpu()
        return lambda label: whole[:, label].contiguous()
    normaliser = torch.cat([part.double().logsumexp(1) for part in torch.split(logits, MOST_TOGETHER)])
    return lambda label: (logits[:, label].double() - normaliser).exp().cpu()


def macro(classes: list[dict[str, float | int | None]], name: str) -> float | None:
    """The mean of a score over the classes for which it is defined."""
    values = [value for one in classes if (value := one[name]) is not None]
    return sum(values) / len(values) if values else None


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _auroc(scores: Tensor, positive: Tensor) -> float | None:
    """How often a positive sample scores higher than a negative one, ties counting half (Mann & Whitney 1947)."""
    count = int(positive.sum())
    others = len(scores) - count
    if not count or not others:
        return None
    negatives = scores[~positive].sort().values
    below = torch.searchsorted(negatives, scores[positive]).sum()
    not_above = torch.searchsorted(negatives, scores[positive], right=True).sum()
    return int(below + not_above) / (2 * count * others)
