"""Arranged samples -> the tensors of the data set file and its manifest."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.ingest import file
from core.ingest.arrange import Arranged
from core.ingest.file import Tensor
from core.ingest.findings import Refused
from core.ingest.names import SPLITS
from core.ingest.samples import CHUNK_BYTES, Chunk, Samples
from core.ingest.work import Work

_Pick = Callable[[Chunk, NDArray[np.bool_]], Iterator[NDArray[Any]]]


def pack(samples: Samples, arranged: Arranged, output: Path, source: str, work: Work) -> dict[str, Any]:
    """Write the data set file; gives its manifest, which is also in the file. Refused if padding makes it too large."""
    lengths = samples.lengths
    manifest: dict[str, Any] = {
        "kind": samples.kind,
        "task": work.options.task or "classification",
        "classes": arranged.classes,
        "source": source,
    }
    if work.options.task == "regression":
        manifest["targets"] = [samples.target]
    if samples.kind == "text":
        manifest |= {"shape": [], "dtype": "utf8"}
        lengths = np.array(samples.characters, np.int64)
    elif samples.kind == "audio":
        manifest |= {"shape": [], "dtype": "int16", "rate": samples.rate}
    elif samples.kind == "image":
        manifest |= {"shape": list(samples.item), "dtype": "uint8"}
    else:
        manifest |= {"shape": [int(lengths.max()), *samples.item], "dtype": "float32"}
    shortest, longest = int(lengths.min()), int(lengths.max())
    varying = samples.kind in ("text", "audio") or shortest < longest
    if varying:
        manifest["lengths"] = [shortest, longest]
        middle = int(np.sort(lengths)[len(lengths) // 2])
        work.findings.values["lengths"] = {"min": shortest, "median": middle, "max": longest}
    work.findings.values["shape"] = manifest["shape"]

    tensors: list[Tensor] = []
    total = 0
    for code, split in enumerate(SPLITS):
        mask = arranged.splits == code
        if mask.any():
            tensors.append(_whole(f"{split}.targets", arranged.targets[mask]))
            inputs, more = _inputs(samples, split, mask, varying, work)
            tensors += [inputs, *more]
            total += inputs.size
    if total > work.limit_bytes:  # only padding can do that: the samples alone were within it
        raise Refused(
            f"the samples take {total:,} bytes when all are padded to the longest, {longest:,} steps; "
            f"the limit is {work.limit_bytes:,}. Cut the longest, or leave them out"
        )
    file.write(output, manifest, tensors)
    return manifest


def _inputs(
    samples: Samples, split: str, mask: NDArray[np.bool_], varying: bool, work: Work
) -> tuple[Tensor, list[Tensor]]:
    """The tensor of the values, and those that say where each sample ends."""
    count, lengths = int(mask.sum()), samples.lengths
    if samples.kind in ("text", "audio"):
        offsets = np.concatenate([[0], np.cumsum(lengths[mask])]).astype(np.int64)
        pieces = _pieces(samples, mask, _joined, work)
        values = Tensor(f"{split}.{samples.kind}", str(samples.dtype), (int(offsets[-1]),), pieces)
        return values, [_whole(f"{split}.offsets", offsets)]
    if varying:
        longest = int(lengths.max())
        pieces = _pieces(samples, mask, lambda chunk, keep: _padded(chunk, keep, longest), work)
        inputs = Tensor(f"{split}.inputs", "float32", (count, longest, *samples.item), pieces)
        return inputs, [_whole(f"{split}.lengths", lengths[mask])]
    length = () if samples.kind == "image" else (int(lengths[0]),)
    pieces = _pieces(samples, mask, lambda chunk, keep: _equal(chunk, keep, length), work)
    return Tensor(f"{split}.inputs", str(samples.dtype), (count, *length, *samples.item), pieces), []


def _whole(name: str, values: NDArray[Any]) -> Tensor:
    return Tensor(name, str(values.dtype), values.shape, iter([values]))


def _pieces(samples: Samples, mask: NDArray[np.bool_], pick: _Pick, work: Work) -> Iterator[NDArray[Any]]:
    for chunk in samples.chunks():
        work.progress("writing", chunk.first, len(samples))
        keep = mask[chunk.first : chunk.first + len(chunk)]
        if keep.any():
            yield from pick(chunk, keep)


def _equal(chunk: Chunk, keep: NDArray[np.bool_], length: tuple[int, ...]) -> Iterator[NDArray[Any]]:
    """Samples of one size."""
    yield chunk.values.reshape(len(chunk), *length, *chunk.values.shape[1:])[keep]


def _joined(chunk: Chunk, keep: NDArray[np.bool_]) -> Iterator[NDArray[Any]]:
    """Samples one after the other."""
    yield chunk.values[np.repeat(keep, np.diff(chunk.offsets))]


def _padded(chunk: Chunk, keep: NDArray[np.bool_], longest: int) -> Iterator[NDArray[Any]]:
    """Samples with zeros after their end, some megabytes at a time: padding may be most of it."""
    item = chunk.values.shape[1:]
    step = max(1, CHUNK_BYTES // (longest * int(np.prod(item)) * chunk.values.itemsize))
    chosen = np.flatnonzero(keep)
    for start in range(0, len(chosen), step):
        block = chosen[start : start + step]
        padded = np.zeros((len(block), longest, *item), chunk.values.dtype)
        for row, index in zip(padded, block, strict=True):
            sample = chunk.sample(index)
            row[: len(sample)] = sample
        yield padded
