"""Random changes of a training batch, on its device and for all its samples at once.

The draws are decided by seed, step and the sample's place in the step alone, so a resumed training, which has no state
of them to restore, makes the same ones.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.specs import Augment

_DRAWS = 12
"""Numbers of one sample, a multiple of the four that Philox makes at once. Each change has columns of its own."""


class Augmentation:
    """The changes that a spec asks for. ``black`` is the network input [C] of a raw zero.

    What a cnn reads of recordings, an image [T, mels, 1] of ``kind`` audio, is changed like a series.
    """

    def __init__(self, augment: Augment, seed: int, black: Tensor, kind: str = "image") -> None:
        self.augment, self.seed, self.black, self.kind = augment, seed, black, kind

    def __call__(self, inputs: Tensor, step: int, first: int = 0, lengths: Tensor | None = None) -> Tensor:
        """Network input, images [N, H, W, C] or series [N, T, F], of the samples from place ``first`` in a step on.

        What lies behind the ``lengths`` [N] of series is padding and stays.
        """
        if inputs.ndim == 4 and self.kind == "audio":
            return self(inputs[..., 0], step, first)[..., None]
        raw = draws(self.seed, step, first, len(inputs))
        # the raw numbers are promised never to change, NumPy's own uniform numbers are not
        uniform = torch.from_numpy((raw >> np.uint64(11)) * 2.0**-53).to(inputs.device)
        change = self._image if inputs.ndim == 4 else self._series
        changed = change(inputs, uniform, lengths)
        if self.augment.noise is not None:
            changed = add_noise(changed, self.augment.noise, int(raw[0, -1] >> np.uint64(1)))
        return changed if lengths is None else torch.where(_inside(inputs, lengths)[..., None], changed, inputs)

    def _image(self, images: Tensor, uniform: Tensor, lengths: Tensor | None) -> Tensor:
        assert lengths is None, "images have one size"
        augment = self.augment
        if augment.flip is not None or augment.shift is not None:
            reach = augment.shift or 0
            mirrored = [
                (uniform[:, column] < 0.5) & (augment.flip in (direction, "both"))
                for column, direction in enumerate(("vertical", "horizontal"))
            ]
            moved = [_whole(uniform[:, column], -reach, reach) for column in (2, 3)]
            images = place(images, mirrored, moved, None if augment.fill == "edge" else self.black)
        if augment.rotate is not None:
            degrees = _between(uniform[:, 4], -augment.rotate, augment.rotate)
            images = rotate(images, degrees, None if augment.fill == "edge" else self.black)
        if augment.contrast is not None:
            images = contrast(images, _between(uniform[:, 5], 1 - augment.contrast, 1 + augment.contrast))
        if augment.brightness is not None:
            images = images + _along(_between(uniform[:, 6], -augment.brightness, augment.brightness), images)
        if augment.cutout is not None:
            centres = [_whole(uniform[:, 7 + axis], 0, images.shape[1 + axis] - 1) for axis in (0, 1)]
            images = cut_out(images, centres, augment.cutout)
        return images

    def _series(self, series: Tensor, uniform: Tensor, lengths: Tensor | None) -> Tensor:
        augment = self.augment
        if lengths is None:
            lengths = torch.full((len(series),), series.shape[1], device=series.device)
        if augment.time_shift is not None:
            steps = _whole(uniform[:, 0], -augment.time_shift, augment.time_shift)
            series = move_in_time(series, steps, lengths, edge=augment.fill == "edge")
        if augment.scale is not None:
            series = series * _along(_between(uniform[:, 1], 1 - augment.scale, 1 + augment.scale), series)
        if augment.time_mask is not None:
            masked = _whole(uniform[:, 2], 0, augment.time_mask).minimum(lengths)
            series = mask_time(series, _whole(uniform[:, 3], 0, lengths - masked), masked)
        return series


def draws(seed: int, step: int, first: int, count: int) -> NDArray[np.uint64]:
    """Random bits [count, 12] of the samples from ``first`` on: those of a sample are always the same."""
    key = np.array([seed, step], np.uint64)
    bits = np.random.Philox(key=key, counter=first * _DRAWS // 4).random_raw(count * _DRAWS)
    return bits.reshape(count, _DRAWS)


def place(images: Tensor, mirrored: list[Tensor], moved: list[Tensor], fill: Tensor | None) -> Tensor:
    """Mirror, then move images [N, H, W, C]: (upside down, left to right) bool [N] and pixels (down, right) int [N].

    ``fill`` [C] comes in behind them; null repeats the edge.
    """
    count, *sides, channels = images.shape
    found, outside = [], []
    for flip, by, side in zip(mirrored, moved, sides, strict=False):
        source = torch.arange(side, device=images.device) - by[:, None]
        outside.append((source < 0) | (source >= side))
        source = source.clamp(0, side - 1)
        found.append(torch.where(flip[:, None], side - 1 - source, source))
    rows, columns = found
    rows = rows + torch.arange(count, device=images.device)[:, None] * sides[0]
    flat = (rows[:, :, None] * sides[1] + columns[:, None, :]).reshape(-1)
    result = images.reshape(-1, channels).index_select(0, flat).view_as(images)
    if fill is None:
        return result
    return torch.where((outside[0][:, :, None] | outside[1][:, None, :])[..., None], fill, result)


def rotate(images: Tensor, degrees: Tensor, fill: Tensor | None) -> Tensor:
    """Turn images [N, H, W, C] counter-clockwise around their centres, bilinear; ``fill`` as in :func:`place`."""
    height, width = images.shape[1:3]
    radians = degrees.double() * (torch.pi / 180)
    cosine, sine, zero = radians.cos(), radians.sin(), torch.zeros_like(radians)
    # where each pixel comes from, in units of half the image; a turn keeps distances in pixels, hence the ratios
    across = torch.stack((cosine, -sine * (height / width), zero), 1)
    down = torch.stack((sine * (width / height), cosine, zero), 1)
    maps = torch.stack((across, down), 1).to(images.dtype)
    whole = images if fill is None else images - fill
    planes = whole.permute(0, 3, 1, 2)
    grid = nn.functional.affine_grid(maps, list(planes.shape), align_corners=False)
    padding = "border" if fill is None else "zeros"
    turned = nn.functional.grid_sample(planes, grid, padding_mode=padding, align_corners=False).permute(0, 2, 3, 1)
    return (turned if fill is None else turned + fill).contiguous()


def contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Multiply each image's distance to its mean by its factor."""
    mean = images.mean((1, 2, 3), keepdim=True)
    return torch.lerp(mean, images, _along(factors, images))


def cut_out(images: Tensor, centres: list[Tensor], side: int) -> Tensor:
    """Set a square around the centre (row, column) of each image to zero; what reaches over the border is cut off."""
    inside = []
    for centre, length in zip(centres, images.shape[1:3], strict=True):
        distance = torch.arange(length, device=images.device) - (centre[:, None] - side // 2)
        inside.append((distance >= 0) & (distance < side))
    return images.masked_fill((inside[0][:, :, None] & inside[1][:, None, :])[..., None], 0.0)


def move_in_time(series: Tensor, steps: Tensor, lengths: Tensor, *, edge: bool) -> Tensor:
    """Move series [N, T, F] later by ``steps`` [N] (earlier: negative); zeros come in, or the first or last step."""
    source = torch.arange(series.shape[1], device=series.device) - steps[:, None]
    outside = (source < 0) | (source >= lengths[:, None])
    source = source.clamp(min=0).minimum(lengths[:, None] - 1)
    result = series.gather(1, source[..., None].expand_as(series))
    return result if edge else result.masked_fill(outside[..., None], 0.0)


def mask_time(series: Tensor, starts: Tensor, counts: Tensor) -> Tensor:
    """Set ``counts`` [N] steps of series [N, T, F] to zero, from ``starts`` [N] on."""
    distance = torch.arange(series.shape[1], device=series.device) - starts[:, None]
    return series.masked_fill(((distance >= 0) & (distance < counts[:, None]))[..., None], 0.0)


def add_noise(inputs: Tensor, deviation: float, seed: int) -> Tensor:
    """Add normal noise, drawn on the device of the inputs."""
    generator = torch.Generator(inputs.device).manual_seed(seed)
    noise = torch.empty_like(inputs).normal_(0.0, deviation, generator=generator)
    return noise.add_(inputs)


def _whole(uniform: Tensor, least: int, most: int | Tensor) -> Tensor:
    """Whole numbers from ``least`` to ``most``, all as likely, of numbers in [0, 1)."""
    return least + (uniform * (most - least + 1)).long()


def _between(uniform: Tensor, least: float, most: float) -> Tensor:
    return least + uniform * (most - least)


def _along(values: Tensor, inputs: Tensor) -> Tensor:
    """One number a sample, shaped and typed to act on all of its numbers."""
    return values.to(inputs.dtype).view(-1, *[1] * (inputs.ndim - 1))


def _inside(series: Tensor, lengths: Tensor) -> Tensor:
    return torch.arange(series.shape[1], device=series.device) < lengths[:, None]
