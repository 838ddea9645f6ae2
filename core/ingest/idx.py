"""IDX files, the format of MNIST: two zero bytes, a type, the number of dimensions, a size for each, then the bytes."""

import re
import struct
from dataclasses import dataclass

import numpy as np

from core.ingest import pixels
from core.ingest.findings import Refused
from core.ingest.members import Member
from core.ingest.names import split_of
from core.ingest.samples import CHUNK_BYTES, Samples
from core.ingest.work import Work

_UNSIGNED_BYTE = 0x08
_NAMED = re.compile(r"idx\d([-_.]|$)|[-_.]ubyte$", re.IGNORECASE)


@dataclass(frozen=True)
class Idx:
    """A file of unsigned bytes of this shape: labels [N], images [N, H, W] or [N, H, W, C]."""

    member: Member
    shape: tuple[int, ...]
    start: int


def is_idx(member: Member) -> bool:
    """By its name or by its first bytes: it may be a damaged one, which ``read`` says."""
    head = member.read(4)
    return bool(_NAMED.search(member.name)) or (
        len(head) == 4 and head[:2] == b"\0\0" and 0x08 <= head[2] <= 0x0E and 1 <= head[3] <= 4
    )


def read(members: list[Member], work: Work) -> Samples:
    """Pairs of images and labels, matched by the split that their names say; one pair needs no name."""
    files = [_header(member) for member in members]
    images = [file for file in files if len(file.shape) > 1]
    labels = [file for file in files if len(file.shape) == 1]
    if len(images) != len(labels) or not images:
        names = ", ".join(member.name for member in members)
        raise Refused(
            f"{len(images)} IDX files of images and {len(labels)} of labels make no pairs; seen: {names}. "
            "Send images and labels of each split, as in train-images-idx3-ubyte and train-labels-idx1-ubyte"
        )
    pairs = [(None, images[0], labels[0])] if len(images) == 1 else _pairs(images, labels)
    shape = pixels.target_shape(_picture(images[0]), work)
    samples = Samples(work, "image", shape, "uint8")
    samples.expected = sum(picture.shape[0] for _, picture, _ in pairs)
    for split, picture, label in pairs:
        if picture.shape[0] != label.shape[0]:
            raise Refused(
                f"{picture.member.name} has {picture.shape[0]:,} images, "
                f"{label.member.name} has {label.shape[0]:,} labels; they must be equally many"
            )
        if _picture(picture) != _picture(images[0]) and work.options.height is None:
            raise Refused(
                f"{picture.member.name} has images of {pixels.size(_picture(picture))}, {images[0].member.name} of "
                f"{pixels.size(_picture(images[0]))}; give height and width to resize them"
            )
        _read_pair(samples, split, picture, label, work)
    work.findings.note(f"IDX files: {', '.join(sorted(member.name for member in members))}")
    return samples


def _header(member: Member) -> Idx:
    head = member.read(4 + 4 * 4)
    if len(head) < 8 or head[:2] != b"\0\0":
        raise Refused(
            f"{member.name} is no IDX file: it begins with {head[:4]!r}, not with two zero bytes, type and dimensions"
        )
    kind, dimensions = head[2], head[3]
    if kind != _UNSIGNED_BYTE:
        raise Refused(f"{member.name} holds IDX type 0x{kind:02X}; only 0x08, unsigned bytes, is read")
    if dimensions not in (1, 3, 4) or len(head) < 4 + 4 * dimensions:
        raise Refused(f"{member.name} has {dimensions} dimensions; images have 3 or 4, labels have 1")
    shape = struct.unpack(f">{dimensions}I", head[4 : 4 + 4 * dimensions])
    start = 4 + 4 * dimensions
    wanted = 1
    for side in shape:
        wanted *= side
    if wanted != member.size - start:
        sides = " x ".join(map(str, shape))
        raise Refused(f"{member.name} says {sides} bytes, which is {wanted:,}, and holds {member.size - start:,}")
    if not wanted:
        raise Refused(f"{member.name} is empty: its dimensions are {' x '.join(map(str, shape))}")
    return Idx(member, shape, start)


def _picture(file: Idx) -> tuple[int, int, int]:
    height, width, channels = (*file.shape[1:], 1)[:3]
    if channels not in (1, 3, 4):
        raise Refused(f"{file.member.name} has images of {channels} channels; 1, 3 and 4 are known")
    return height, width, channels


def _pairs(images: list[Idx], labels: list[Idx]) -> list[tuple[str | None, Idx, Idx]]:
    found: list[dict[str, Idx]] = []
    for files in (images, labels):
        named: dict[str, Idx] = {}
        for file in files:
            split = split_of(file.member.name)
            if split is None or split in named:
                why = "says neither train nor test" if split is None else f"is a second one for {split}"
                raise Refused(
                    f"{file.member.name} {why}; name the files as in train-images-idx3-ubyte and t10k-images-idx3-ubyte"
                )
            named[split] = file
        found.append(named)
    if found[0].keys() != found[1].keys():
        raise Refused(
            f"there are images for {' and '.join(sorted(found[0]))}, labels for {' and '.join(sorted(found[1]))}"
        )
    return [(split, found[0][split], found[1][split]) for split in sorted(found[0])]


def _read_pair(samples: Samples, split: str | None, picture: Idx, label: Idx, work: Work) -> None:
    shape = _picture(picture)
    step = max(1, CHUNK_BYTES // int(np.prod(shape)))
    with picture.member.open() as values, label.member.open() as names:
        values.seek(picture.start)
        names.seek(label.start)
        for start in range(0, label.shape[0], step):
            count = min(step, label.shape[0] - start)
            images = np.frombuffer(values.read(count * int(np.prod(shape))), np.uint8).reshape(count, *shape)
            samples.write(pixels.converted(images, samples.item, work), 1)
            for offset, target in enumerate(names.read(count)):
                samples.describe(str(target), split, picture.member.name, start + offset + 1)
