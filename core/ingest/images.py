"""Pictures in a folder per class, or with the class in their names, decoded by ``core.encode.image``."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from core.encode import image
from core.ingest import pixels
from core.ingest.findings import Refused
from core.ingest.labels import Labelled, labelled
from core.ingest.members import Member
from core.ingest.samples import Samples
from core.ingest.unpack import Unpacked
from core.ingest.work import Work

EXTENSIONS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp")
OTHER_EXTENSIONS = (".gif", ".tif", ".tiff", ".heic", ".heif", ".avif", ".svg", ".ppm", ".pgm", ".jp2", ".ico", ".tga")
"""Pictures that are not read, which is said of each."""
_Shape = tuple[int, int, int]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def is_picture(member: Member) -> bool:
    """By its first bytes."""
    head = member.read(12)
    return head.startswith((b"\x89PNG\r\n", b"\xff\xd8\xff")) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def read(members: list[Member], unpacked: Unpacked, work: Work) -> tuple[Samples, list[str]]:
    """The pictures, and the classes that folders name. All headers are read first: they decide size and channels."""
    files, declared = labelled(members, unpacked, work)
    with warnings.catch_warnings():  # Pillow's, of odd but readable files
        warnings.simplefilter("ignore")
        found = _headers(files, work)
        shape = _shape(found, work)
        total = len(found) * int(np.prod(shape))
        if total > work.limit_bytes:
            raise Refused(
                f"{len(found):,} images of {'x'.join(map(str, shape))} take {total:,} bytes; "
                f"the limit is {work.limit_bytes:,}. Give a smaller height and width"
            )
        return _decode(found, shape, work), declared


def _headers(files: list[Labelled], work: Work) -> list[tuple[Labelled, _Shape]]:
    found = []
    for number, (file, header) in enumerate(_each(files, lambda file: image.probe(_content(file.member)))):
        work.progress("looking at headers", number, len(files))
        if isinstance(header, str):
            work.findings.skip(file.member.name, header)
        else:
            found.append((file, header))
    work.findings.check(len(found))
    return found


def _shape(found: list[tuple[Labelled, _Shape]], work: Work) -> _Shape:
    """Of all samples: the one size that all have or the options name; the most channels that a file has."""
    sizes = Counter(header[:2] for _, header in found)
    examples = {header[:2]: file.member.name for file, header in reversed(found)}
    height, width = pixels.one_size(sizes, examples, work)
    return height, width, work.options.channels or max(header[2] for _, header in found)


def _decode(found: list[tuple[Labelled, _Shape]], shape: _Shape, work: Work) -> Samples:
    samples = Samples(work, "image", shape, "uint8")
    samples.expected = len(found)
    decoded = _each(found, lambda one: image.decode(_content(one[0].member), shape))
    for (file, header), picture in decoded:
        if isinstance(picture, str):
            work.findings.skip(file.member.name, picture)
        else:
            pixels.count(header, shape, work.findings.converted)
            samples.add(picture[None], file.label, file.split, file.member.name)
    return samples


def _content(member: Member) -> bytes:
    if member.size > image.MAX_BYTES:
        raise ValueError(f"the file has {member.size:,} bytes; the limit for an image is {image.MAX_BYTES:,}")
    if not member.size:
        raise ValueError("the file is empty")
    return member.read()


def _each(items: list[_Item], read: Callable[[_Item], _Result]) -> Iterator[tuple[_Item, _Result | str]]:
    """Each item with its result, or with the reason why there is none.

    One after the other: threads took longer for pictures of up to 100 pixels a side, and for all that are resized.
    """
    for item in items:
        try:
            yield item, read(item)
        except ValueError as error:
            yield item, str(error)
