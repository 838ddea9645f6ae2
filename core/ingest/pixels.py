"""Pictures that come as arrays, and the size that all pictures of a set get."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from core.encode import image
from core.ingest.findings import Refused
from core.ingest.work import Work

COLOURS = {1: "grey", 3: "colour", 4: "colour with transparency"}


def size(shape: tuple[int, ...]) -> str:
    """Height x width for people."""
    return f"{shape[0]}x{shape[1]}"


def target_shape(found: tuple[int, int, int], work: Work) -> tuple[int, int, int]:
    """(height, width, channels) that the samples get: what the options say, else what was found."""
    options = work.options
    height, width = (options.height, options.width) if options.height and options.width else found[:2]
    return height, width, options.channels or found[2]


def count(before: tuple[int, ...], after: tuple[int, ...], converted: Counter[str], number: int = 1) -> None:
    """What is to be said of pictures that were changed."""
    if before[:2] != after[:2]:
        converted[f"resized to {size(after)}"] += number
    if before[2] != after[2]:
        converted[f"{COLOURS[before[2]]} made {COLOURS[after[2]]}"] += number


def converted(images: NDArray[np.uint8], shape: tuple[int, ...], work: Work) -> NDArray[np.uint8]:
    """uint8 [N, H, W, C] in the set's size and channels."""
    count(images.shape[1:], shape, work.findings.converted, len(images))
    return image.resize(image.recolour(images, shape[2]), (shape[0], shape[1]))


def one_size(sizes: Counter[tuple[int, int]], examples: dict[tuple[int, int], str], work: Work) -> tuple[int, int]:
    """The size of all pictures. Refused if there are several and the options name none."""
    if work.options.height and work.options.width:
        return work.options.height, work.options.width
    (common, most), *others = sizes.most_common()
    if others:
        other = others[0][0]
        raise Refused(
            f"the images have {len(sizes):,} sizes: {most:,} of {sum(sizes.values()):,} are {size(common)} (height x "
            f"width), {examples[other]} is {size(other)}; give height and width to resize all"
        )
    return common
