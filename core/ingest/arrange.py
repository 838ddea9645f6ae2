"""Samples as they were read -> classes, splits and what is to be said about them."""

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.encode.splits import drawn, stratified
from core.ingest import numbers
from core.ingest.findings import MOST_NAMED, Refused, shown
from core.ingest.names import SPLITS
from core.ingest.samples import Samples
from core.ingest.work import Work

MOST_CLASSES = 10_000
_EXAMPLES = 20
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}(\.0*)?([eE]\+?00?)?")


@dataclass(frozen=True)
class Arranged:
    """Class names in order, or none; per sample the index of its class int64 [N], or the number to foretell float32
    [N, 1], and the index of its split in ``names.SPLITS``."""

    classes: list[str]
    targets: NDArray[Any]
    splits: NDArray[np.int8]

    @property
    def counts(self) -> dict[str, int]:
        """Samples of each split that has some."""
        counts = np.bincount(self.splits, minlength=len(SPLITS)).tolist()
        return {split: count for split, count in zip(SPLITS, counts, strict=True) if count}


def arrange(samples: Samples, declared: list[str], work: Work) -> Arranged:
    """Name the classes, cut a test split unless the files brought one, count, and look for duplicates.

    ``declared`` are classes that the files name, with or without samples. Refused: too many bad samples, fewer than two
    classes, too many of them, splits that do not fit together.
    """
    work.findings.check(len(samples))
    if work.options.task == "regression":
        return _numbers(samples, work)
    classes, targets = _classes(samples, work)
    _describe(work, classes, declared)
    splits = _splits(samples, targets, work)
    counts = {
        SPLITS[split]: np.bincount(targets[splits == split], minlength=len(classes)) for split in np.unique(splits)
    }
    work.findings.values["samples"] = {
        split: dict(zip(classes, map(int, held), strict=True)) for split, held in counts.items()
    }
    single = [name for name, count in zip(classes, np.bincount(targets), strict=True) if count == 1]
    work.findings.values["single_sample_classes"] = single[:MOST_NAMED]
    work.findings.values["single_sample_classes_total"] = len(single)
    _check_train(counts, classes)
    _duplicates(samples, splits, work)
    return Arranged(classes, targets, splits)


def _numbers(samples: Samples, work: Work) -> Arranged:
    """Labels as numbers. Refused: one is none, or all are the same."""
    parsed = [numbers.parse([label], lambda _: "the label") for label in samples.labels]
    codes = samples.label_codes
    for code, value in enumerate(parsed):
        if isinstance(value, str):
            raise Refused(f"{samples.origin(int(np.argmax(codes == code)))}: {value}; a regression learns numbers")
    targets = np.concatenate([value for value in parsed if not isinstance(value, str)])[codes][:, None]
    if targets.min() == targets.max():
        raise Refused(f"all samples have the same number, {targets[0, 0]:g}; there is nothing to learn")
    splits = _splits(samples, None, work)
    work.findings.values["targets"] = {
        split: {samples.target: numbers.described(targets[splits == code, 0])}
        for code, split in enumerate(SPLITS)
        if (splits == code).any()
    }
    _duplicates(samples, splits, work)
    return Arranged([], targets, splits)


def _classes(samples: Samples, work: Work) -> tuple[list[str], NDArray[np.int64]]:
    """Sorted names, as numbers when all are integers; ``1.0`` and ``1`` are the same class."""
    labels = samples.labels
    if all(map(_WHOLE.fullmatch, labels)) and not all(map(_INTEGER.fullmatch, labels)):
        labels = [str(int(float(label))) for label in labels]
        work.findings.note("the labels are whole numbers written with a point; the classes are named without it")
    names = set(labels)
    if len(names) < 2:
        raise Refused(f"all samples are of one class, {shown(labels[0])!r}; at least two are needed")
    if len(names) > MOST_CLASSES:
        raise Refused(
            f"the labels name {len(names):,} classes, for example {shown(labels[0])!r} and {shown(labels[1])!r}; "
            f"at most {MOST_CLASSES:,} are possible. Is it the right column, folder or pattern?"
        )
    whole = all(map(_INTEGER.fullmatch, names))
    classes = sorted(names, key=lambda name: (int(name), name)) if whole else sorted(names)
    place = {name: index for index, name in enumerate(classes)}
    return classes, np.array([place[label] for label in labels], np.int64)[samples.label_codes]


def _describe(work: Work, classes: list[str], declared: list[str]) -> None:
    empty = sorted(set(declared) - set(classes))
    work.findings.values["empty_classes"] = [shown(name) for name in empty[:MOST_NAMED]]
    if empty:
        work.findings.note(f"classes without samples are left out: {_some(empty)}")
    folded: dict[str, str] = {}
    for name in classes:
        other = folded.setdefault(name.casefold(), name)
        if other != name:  # A and a are classes in sets of letters
            work.findings.note(f"the classes {shown(other)!r} and {shown(name)!r} differ only in case")


def _splits(samples: Samples, targets: NDArray[np.int64] | None, work: Work) -> NDArray[np.int8]:
    """The splits that the files brought, completed by a test split cut from what is to be trained on.

    It is drawn by class, where ``targets`` are classes.
    """
    train, _, test = range(len(SPLITS))
    splits = samples.split_codes
    present = set(splits.tolist()) - {-1}
    if len(present) == 1 and -1 not in splits:
        splits[:] = train  # whatever it is called, it is all there is
        present = {train}
    splits[splits == -1] = train
    if train not in splits:
        raise Refused("the files bring test and validation samples, but none to train on")
    brought = [SPLITS[split] for split in sorted(present - {train})]
    if test in present:
        work.findings.note(f"the files bring {_and(['train', *brought])}")
        return splits
    options, rest = work.options, np.flatnonzero(splits == train)
    count = max(1, round(len(rest) * options.test_share))
    try:
        if targets is None:
            _, chosen = drawn(len(rest), count, options.seed)
        else:
            codes = np.unique(targets[rest], return_inverse=True)[1].astype(np.int64)
            _, chosen = stratified(codes, count, options.seed)
    except ValueError as error:
        raise Refused(f"no test split can be cut: {error}; bring more samples") from error
    splits[rest[chosen]] = test
    by_class = "" if targets is None else " by class"
    work.findings.note(
        f"the files bring no test samples: {count:,} of {len(rest):,} were drawn{by_class} with seed {options.seed}"
        + (f"; they bring {_and(brought)}" if brought else "")
    )
    return splits


def _check_train(counts: dict[str, NDArray[np.int64]], classes: list[str]) -> None:
    for split, held in counts.items():
        missing = [name for name, own, train in zip(classes, held, counts["train"], strict=True) if own and not train]
        if missing:
            raise Refused(f"{split} has samples of classes that train lacks: {_some(missing)}")


def _duplicates(samples: Samples, splits: NDArray[np.int8], work: Work) -> None:
    """Equal values, by hash: the first of each split, and how often one occurs again in another."""
    digests = np.empty(len(samples), np.uint64)
    for chunk in samples.chunks():
        work.progress("checking", chunk.first, len(samples))
        for index in range(len(chunk)):
            digest = blake2b(chunk.sample(index).data, digest_size=8).digest()
            digests[chunk.first + index] = int.from_bytes(digest, "little")
    train = np.flatnonzero(splits == 0)
    known, first = np.unique(digests[train], return_index=True)
    across = 0
    examples: list[dict[str, str]] = []
    for split in (1, 2):
        held = np.flatnonzero(splits == split)
        place = np.minimum(np.searchsorted(known, digests[held]), len(known) - 1)
        again = np.flatnonzero(known[place] == digests[held])
        across += len(again)
        for index in again[: _EXAMPLES - len(examples)]:
            twin = samples.origin(int(train[first[place[index]]]))
            examples.append({"train": twin, SPLITS[split]: samples.origin(int(held[index]))})
    evaluated = {split: digests[splits == split] for split in (1, 2)}
    if len(evaluated[1]):
        shared = int(np.isin(evaluated[2], evaluated[1]).sum())
        if shared:
            work.findings.note(f"{shared:,} test samples are in validation too")
    work.findings.values["duplicates_across_splits"] = {"count": across, "examples": examples}
    work.findings.values["duplicates_within_train"] = len(train) - len(known)


def _and(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _some(names: list[str]) -> str:
    return ", ".join(shown(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
