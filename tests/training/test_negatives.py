"""Pictures that the plan model must refuse."""

import numpy as np
import pytest
import torch

from articulation.camera import Camera
from services.vlm.plan_format import REFUSALS
from training import patterns
from training.camera import sample_cameras
from training.draw import Split
from training.library import Library, build_library
from training.negatives import SHOWN, cut_off, draw, side_by_side
from training.render import render

CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


@pytest.fixture(scope="module")
def library() -> Library:
    return build_library(range(12), Split.TRAIN)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_pictures_come_with_every_reason_in_random_order(library: Library) -> None:
    pictures, reasons = draw(library, 40, 32, seeded(0))
    assert pictures.shape == (40, 32, 32, 3)
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    counts = reasons.bincount(minlength=len(REFUSALS))
    assert len(counts) == len(REFUSALS)
    assert counts.min() >= 3
    assert (reasons.diff() != 0).sum() > 8


def test_a_seed_repeats_and_another_gives_other_pictures(library: Library) -> None:
    first, again, other = (draw(library, 6, 32, seeded(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    "make",
    [patterns.clouds, patterns.stripes, patterns.page, patterns.leaves, patterns.creature],
    ids=lambda f: f.__name__,
)
def test_no_two_patterns_of_a_batch_are_alike_nor_is_one_a_single_colour(make: object) -> None:
    assert callable(make)
    pictures = make(6, 48, seeded(3))
    assert pictures.flatten(1, 2).std(1).amax(1).min() > 0.005
    apart = (pictures[:, None] - pictures[None]).abs().mean((2, 3, 4)) + torch.eye(6)
    assert apart.min() > 0.02


def test_noise_has_the_spectra_from_white_to_slow() -> None:
    pictures = patterns.clouds(40, 64, seeded(4)).mean(-1)
    step = (pictures[:, :, 1:] - pictures[:, :, :-1]).std((1, 2)) / pictures.std((1, 2))
    assert step.min() < 0.2  # neighbours alike
    assert step.max() > 1.2  # neighbours independent: the square root of 2


def test_shuffling_keeps_every_square() -> None:
    pictures = torch.rand(3, 16, 16, 3)
    laid = patterns.shuffled(pictures, seeded(5))
    assert not torch.equal(laid, pictures)
    np.testing.assert_array_equal(np.sort(laid.flatten()), np.sort(pictures.flatten()))
    squares = {tuple(x) for x in pictures.unfold(1, 2, 2).unfold(2, 2, 2).reshape(-1, 12).tolist()}
    assert {tuple(x) for x in laid.unfold(1, 2, 2).unfold(2, 2, 2).reshape(-1, 12).tolist()} == squares


def test_a_cut_off_view_shows_little_of_the_box_but_some() -> None:
    rng = np.random.default_rng(6)
    half = rng.uniform(0.2, 1, (200, 3))
    shares = []
    for camera, extent in zip(cut_off(sample_cameras(rng, Split.TRAIN, half), half, rng), half, strict=True):
        image, _ = Camera.from_array(camera).project(CORNERS * extent)
        low, high = image.min(0), image.max(0)
        shares.append((np.minimum(high, 1) - np.maximum(low, -1)).clip(0).prod() / (high - low).prod())
    assert max(shares) <= SHOWN[1] + 1e-6
    assert min(shares) > 0.1


def test_two_objects_stand_side_by_side_both_whole(library: Library) -> None:
    rng = np.random.default_rng(7)
    rows = torch.tensor([0, 3, 6, 9, 1, 4, 7, 10])
    scene, half = library.scene(rows), library.half_extent[rows].double().numpy()
    both, extent = side_by_side(scene[:4], scene[4:], half[:4], half[4:], rng)
    low, high = (both.boxes[..., :3] + sign * both.boxes[..., 3:] for sign in (-1, 1))
    links = scene.link_valid.shape[1]
    assert (torch.where(both.link_valid, high[..., 0], -9)[:, :links].amax(1) < low[:, links, 0]).all()
    reach = torch.where(both.link_valid[..., None], torch.maximum(low.abs(), high.abs()), 0).amax(1)
    assert (reach <= torch.tensor(extent) + 1e-4).all()
    cameras = torch.tensor(sample_cameras(rng, Split.TRAIN, extent), dtype=torch.float32)
    seen = render(both, cameras, torch.zeros(both.link_valid.shape), both.link_valid, 64).link
    first, second = ((seen >= 0) & (seen < links)).sum((1, 2)), (seen >= links).sum((1, 2))
    assert torch.minimum(first, second).min() > 30
    edges = torch.cat([seen[:, 0], seen[:, -1], seen[:, :, 0], seen[:, :, -1]], 1)
    assert (edges < 0).all()
