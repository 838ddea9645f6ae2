"""Each augmentation does what it says, and its draws are those of seed, step and place alone."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core.specs import Augment
from models.data import augment
from models.data.augment import Augmentation


def changed(options: dict[str, Any], inputs: Tensor, step: int = 0, **place: Any) -> Tensor:
    black = torch.full(inputs.shape[-1:], -0.5)
    return Augmentation(Augment.model_validate(options), 3, black)(inputs, step, **place)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn((4000, 5, 6, 2), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def sequences() -> Tensor:
    return torch.randn((4000, 7, 3), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(("direction", "dims"), [("horizontal", [2]), ("vertical", [1])])
def test_half_of_the_images_become_their_mirror_image(images: Tensor, direction: str, dims: list[int]) -> None:
    found, mirrored = changed({"flip": direction}, images), images.flip(dims)
    same, flipped = ((found == wanted).flatten(1).all(1) for wanted in (images, mirrored))
    assert bool((same ^ flipped).all())
    assert flipped.float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_both_flips_are_independent(images: Tensor) -> None:
    found = changed({"flip": "both"}, images)
    shares = [(found == images.flip(dims)).flatten(1).all(1).float().mean().item() for dims in ([], [1], [2], [1, 2])]
    assert shares == pytest.approx([0.25] * 4, abs=0.03) and sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("fill", ["zero", "edge"])
def test_a_shift_is_a_crop_of_the_padded_image_and_all_are_as_likely(images: Tensor, fill: str) -> None:
    found = changed({"shift": 2, "fill": fill}, images).numpy()
    widths = [(0, 0), (2, 2), (2, 2), (0, 0)]
    if fill == "edge":
        padded = np.pad(images.numpy(), widths, mode="edge")
    else:
        padded = np.pad(images.numpy(), widths, constant_values=-0.5)  # the black of these images
    hits = np.zeros((5, 5), int)
    for down in range(5):
        for right in range(5):
            crop = padded[:, down : down + 5, right : right + 6]
            hits[down, right] = (crop == found).all(axis=(1, 2, 3)).sum()
    assert hits.sum() == len(images)
    assert np.allclose(hits / len(images), 1 / 25, atol=0.02)


@pytest.mark.parametrize("size", [(6, 6), (7, 7)])
@pytest.mark.parametrize("fill", [None, torch.tensor([-0.5, 0.25])], ids=["edge", "zero"])
def test_quarter_turns_are_rot90(size: tuple[int, int], fill: Tensor | None) -> None:
    pictures = torch.randn((4, *size, 2))
    turned = augment.rotate(pictures, torch.tensor([90.0, -90.0, 180.0, 0.0]), fill)
    for index, quarters in enumerate((1, -1, 2, 0)):
        wanted = torch.rot90(pictures[index], quarters, (0, 1))
        torch.testing.assert_close(turned[index], wanted, rtol=0, atol=1e-5)


def test_a_turn_keeps_distances_in_an_oblong_image() -> None:
    """A pixel two to the right of the centre stands two above it after a quarter turn; black comes in at the sides."""
    picture = torch.zeros((1, 5, 9, 1))
    picture[0, 2, 6] = 1.0
    turned = augment.rotate(picture, torch.tensor([90.0]), torch.tensor([-3.0]))[0, :, :, 0]
    assert turned[0, 4].item() == pytest.approx(1.0, abs=1e-5)
    assert turned[:, :2].tolist() == [[-3.0, -3.0]] * 5


def test_rotation_draws_every_angle_up_to_the_limit() -> None:
    """The angle of a turned line that starts at the centre is read off with its centre of mass."""
    picture = torch.zeros((2000, 41, 41, 1))
    picture[:, 20, 21:36] = 1.0
    found = changed({"rotate": 30.0}, picture)[..., 0]
    offsets = torch.arange(41.0) - 20
    weight = (found - found.amin((1, 2), keepdim=True)).clamp(min=0) * (found > 0.01)
    right = (weight.sum(1) * offsets).sum(1)
    up = -(weight.sum(2) * offsets).sum(1)
    degrees = torch.rad2deg(torch.atan2(up, right))
    assert degrees.abs().max().item() == pytest.approx(30, abs=0.5)
    counts = torch.histc(degrees, 6, -30, 30) / len(degrees)
    assert torch.allclose(counts, torch.tensor(1 / 6), atol=0.04)


def test_a_cutout_is_a_square_of_zeros_around_any_pixel(images: Tensor) -> None:
    found = changed({"cutout": 3}, images)
    cut = (found == 0).all(3)
    assert torch.equal(found[~cut], images[~cut])
    rows, columns = cut.any(2), cut.any(1)
    assert torch.equal(cut, rows[:, :, None] & columns[:, None, :])
    heights, widths = rows.sum(1), columns.sum(1)
    # whole squares lie around the pixels that are not at the border; at the border one row or column is cut off
    assert sorted(set(heights.tolist())) == sorted(set(widths.tolist())) == [2, 3]
    assert (heights == 3).float().mean().item() == pytest.approx(3 / 5, abs=0.03)
    assert (widths == 3).float().mean().item() == pytest.approx(4 / 6, abs=0.03)


def test_brightness_adds_one_number_to_an_image(images: Tensor) -> None:
    added = (changed({"brightness": 0.4}, images) - images).flatten(1)
    assert (added.amax(1) - added.amin(1)).max().item() < 1e-5
    each = added.mean(1)
    assert each.abs().max().item() <= 0.4 + 1e-5
    assert each.mean().item() == pytest.approx(0, abs=0.02)
    assert each.std().item() == pytest.approx(0.8 / 12**0.5, rel=0.05)  # of a uniform number


def test_contrast_scales_around_the_mean(images: Tensor) -> None:
    found = changed({"contrast": 0.5}, images).flatten(1)
    before = images.flatten(1)
    torch.testing.assert_close(found.mean(1), before.mean(1), rtol=0, atol=1e-5)
    ratio = found.std(1) / before.std(1)
    assert 0.5 - 1e-4 <= ratio.min().item() < 0.52 and 1.48 < ratio.max().item() <= 1.5 + 1e-4
    assert ratio.mean().item() == pytest.approx(1, abs=0.02)


def test_noise_is_normal_and_of_its_deviation(images: Tensor, sequences: Tensor) -> None:
    for inputs in (images, sequences):
        added = (changed({"noise": 0.2}, inputs) - inputs).flatten()
        assert added.mean().item() == pytest.approx(0, abs=0.005)
        assert added.std().item() == pytest.approx(0.2, rel=0.02)
        assert (added.abs() < 0.2).float().mean().item() == pytest.approx(0.6827, abs=0.01)


@pytest.mark.parametrize("fill", ["zero", "edge"])
def test_a_time_shift_moves_all_features_together(sequences: Tensor, fill: str) -> None:
    found = changed({"time_shift": 2, "fill": fill}, sequences).numpy()
    padded = np.pad(sequences.numpy(), [(0, 0), (2, 2), (0, 0)], mode="edge" if fill == "edge" else "constant")
    hits = [(padded[:, start : start + 7] == found).all(axis=(1, 2)).sum() for start in range(5)]
    assert sum(hits) == len(sequences)
    assert np.allclose(np.array(hits) / len(sequences), 1 / 5, atol=0.03)


def test_a_time_mask_is_one_run_of_zeros(sequences: Tensor) -> None:
    found = changed({"time_mask": 3}, sequences)
    masked = (found == 0).all(2)
    assert torch.equal(found[~masked], sequences[~masked])
    counts = masked.sum(1)
    for wanted in range(4):
        assert (counts == wanted).float().mean().item() == pytest.approx(0.25, abs=0.03)
    rises = (masked[:, 1:] & ~masked[:, :-1]).sum(1) + masked[:, 0]
    assert torch.equal(rises, (counts > 0).long())
    assert masked[counts == 1].float().mean(0).tolist() == pytest.approx([1 / 7] * 7, abs=0.05)


def test_scale_multiplies_a_series_by_one_number(sequences: Tensor) -> None:
    ratio = (changed({"scale": 0.3}, sequences) / sequences).flatten(1)
    assert (ratio.amax(1) - ratio.amin(1)).max().item() < 1e-5
    each = ratio.mean(1)
    assert 0.7 - 1e-5 <= each.min().item() < 0.71 and 1.29 < each.max().item() <= 1.3 + 1e-5


def test_padding_behind_the_end_of_a_series_stays(sequences: Tensor) -> None:
    lengths = torch.arange(len(sequences)) % 7 + 1
    options = {"time_shift": 2, "fill": "edge", "time_mask": 3, "scale": 0.2, "noise": 0.1}
    found = changed(options, sequences, lengths=lengths)
    behind = torch.arange(7) >= lengths[:, None]
    assert torch.equal(found[behind], sequences[behind])
    assert not torch.equal(found[~behind], sequences[~behind])
    other = sequences.clone()
    other[behind] = 100.0  # and nothing of it gets in
    assert torch.equal(changed(options, other, lengths=lengths)[~behind], found[~behind])
    moved = changed({"time_shift": 7 - 1, "fill": "edge"}, sequences[lengths == 1], lengths=lengths[lengths == 1])
    assert torch.equal(moved, sequences[lengths == 1])


def test_draws_are_decided_by_seed_step_and_place_alone() -> None:
    whole = augment.draws(5, 7, 0, 40)
    assert len(np.unique(whole)) == whole.size
    for first in (1, 3, 8, 39):
        assert np.array_equal(augment.draws(5, 7, first, 40 - first), whole[first:])
    for other in (augment.draws(5, 8, 0, 40), augment.draws(6, 7, 0, 40), augment.draws(7, 5, 0, 40)):
        assert not np.isin(other, whole).any()
    assert augment.draws(2**63 - 1, 10**9, 0, 1).shape == (1, 12)


def test_it_draws_from_no_generator_but_its_own(images: Tensor) -> None:
    """Nor does it change its input, and asking again gives the same; another step gives something else."""
    options = {"flip": "both", "shift": 1, "rotate": 9.0, "cutout": 2, "brightness": 0.1, "contrast": 0.1, "noise": 0.1}
    before, state = images.clone(), torch.get_rng_state()
    first = changed(options, images)
    torch.rand(5)
    assert torch.equal(changed(options, images), first)
    torch.set_rng_state(state)
    changed(options, images)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(images, before)
    assert not torch.equal(changed(options, images, 1), first)
