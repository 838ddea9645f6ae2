"""Draws, decided by a seed alone: of any samples, or the same share of every class."""

import numpy as np
from numpy.typing import NDArray


def permutation(count: int, *seeds: int) -> NDArray[np.int64]:
    """0..count-1 in an order that the seeds decide.

    It sorts PCG64's raw numbers, the part of NumPy's random streams that is promised never to change.
    """
    return np.argsort(draws(count, *seeds), kind="stable")


def draws(count: int, *seeds: int) -> NDArray[np.uint64]:
    """Random numbers [count] that the seeds decide."""
    return np.random.PCG64(np.random.SeedSequence(seeds)).random_raw(count)


def drawn(total: int, count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices (rest, drawn): ``count`` of ``total`` samples, both in ascending order.

    ValueError when nothing would be left, or nothing drawn.
    """
    if not 0 < count < total:
        raise ValueError(f"cannot hold out {count} of {total} samples: one must be left to train on, and one held out")
    shuffled = permutation(total, seed)
    return np.sort(shuffled[count:]), np.sort(shuffled[:count])


def stratified(targets: NDArray[np.int64], count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices (rest, drawn): ``count`` samples drawn in proportion to the classes, both in ascending order.

    Every class keeps at least one sample in the rest. ValueError when that leaves too few to draw from.
    """
    sizes = np.bincount(targets)
    spare = np.maximum(sizes - 1, 0)
    if not 0 < count <= spare.sum():
        raise ValueError(
            f"cannot hold out {count} of {len(targets)} samples in {np.count_nonzero(sizes)} classes: every class "
            "needs a sample to train on, and at least one sample must be held out"
        )
    share = count * sizes / len(targets)
    quota = np.minimum(share.astype(np.int64), spare)
    # the largest remainders get what rounding down left over
    while (missing := count - int(quota.sum())) > 0:
        room = np.flatnonzero(quota < spare)
        order = room[np.argsort(-(share - quota)[room], kind="stable")]
        quota[order[:missing]] += 1
    shuffled = permutation(len(targets), seed)
    by_class = shuffled[np.argsort(targets[shuffled], kind="stable")]
    place = np.arange(len(targets)) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # of each within its class
    mask = np.zeros(len(targets), bool)
    mask[by_class[place < np.repeat(quota, sizes)]] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)
