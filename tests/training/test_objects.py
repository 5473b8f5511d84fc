"""Generated objects: determinism, valid plans, proportions, no overlap when closed, disjoint splits."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from articulation.joint import JointType
from services.vlm.vocabulary import MAX_PARTS
from training import camera as cameras
from training.draw import Split
from training.objects import CATEGORIES, ObjectSpec, generate, generate_many, sample_camera, sample_cameras
from training.palettes import APPLIANCE, CARD, CERAMIC, FITTING, GLASS, PANEL, SAFE, SHELL, STEEL, WOOD
from training.pose import link_poses
from training.scene import Scene, pack
from training.surface import sample_surface, signed_distance

SEEDS = range(8)
OVERLAP_LIMIT = 0.002
"""Deepest closed-state interpenetration, as a fraction of the object's diagonal."""


def batch(split: Split, category: str | None = None) -> list[ObjectSpec]:
    return [generate(seed, split, category) for seed in SEEDS]


def overlap(specs: list[ObjectSpec], fraction: float) -> torch.Tensor:
    """(B,) deepest penetration of any link's surface into another link, as a fraction of the diagonal."""
    scene = pack(specs, "cpu")
    rows = torch.arange(len(scene))
    rotation, shift = link_poses(scene, scene.joint_upper * fraction)
    worst = torch.zeros(len(scene))
    for a in range(scene.parent.shape[1]):
        first = torch.where(scene.link_valid[:, a], a, 0)
        points, _, _ = sample_surface(scene, first, 600, torch.Generator().manual_seed(0))
        world = points @ rotation[rows, first].transpose(1, 2) + shift[rows, first][:, None]
        for b in range(scene.parent.shape[1]):
            second = torch.where(scene.link_valid[:, b], b, 0)
            local = (world - shift[rows, second][:, None]) @ rotation[rows, second]
            depth = -signed_distance(scene, second, local).amin(1)
            worst = torch.where(first != second, torch.maximum(worst, depth), worst)
    return worst / torch.tensor([2 * np.linalg.norm(spec.half_extent) for spec in specs])


def test_same_seed_gives_the_same_bytes() -> None:
    for category in CATEGORIES:
        assert pickle.dumps(generate(5, Split.TRAIN, category)) == pickle.dumps(generate(5, Split.TRAIN, category))


def test_processes_give_the_same_objects_in_order() -> None:
    alone, together = (generate_many(range(4), Split.VAL, processes) for processes in (1, 2))
    assert [pickle.dumps(x) for x in alone] == [pickle.dumps(x) for x in together]


@pytest.mark.parametrize("category", CATEGORIES)
def test_closed_box_is_centred_with_longest_side_two(category: str) -> None:
    for spec in batch(Split.TRAIN, category):
        low = (spec.boxes[:, :3] - spec.boxes[:, 3:]).min(0)
        high = (spec.boxes[:, :3] + spec.boxes[:, 3:]).max(0)
        np.testing.assert_allclose(low, -high, atol=1e-9)
        assert 2 * high.max() == pytest.approx(2)
        assert 0.25 < spec.size < 3


@pytest.mark.parametrize("split", Split)
@pytest.mark.parametrize("category", CATEGORIES)
def test_plan_is_valid_and_complete(category: str, split: Split) -> None:
    rng = np.random.default_rng(0)
    for spec in batch(split, category):
        plan = spec.plan(sample_camera(rng, split, spec.half_extent))
        assert plan.articulation().order() == tuple(range(len(plan.parts))), "parents come before their children"
        assert 1 <= len(plan.articulation().moving) < MAX_PARTS
        assert all(part.label and part.caption.endswith(".") for part in plan.parts)
        assert all(part.joint.upper > 0 == part.joint.lower for part in plan.parts if part.joint.type.moves)


@pytest.mark.parametrize("category", CATEGORIES)
def test_plan_boxes_bound_the_meshes(category: str) -> None:
    spec = generate(3, Split.TRAIN, category)
    for box, mesh in zip(spec.boxes, spec.link_meshes(), strict=True):
        assert mesh.is_watertight
        np.testing.assert_allclose(mesh.bounds, [box[:3] - box[3:], box[:3] + box[3:]], atol=2e-3)


@pytest.mark.parametrize("split", Split)
@pytest.mark.parametrize("category", CATEGORIES)
def test_closed_parts_do_not_interpenetrate(category: str, split: Split) -> None:
    assert overlap(batch(split, category), 0.0).max() < OVERLAP_LIMIT


@pytest.mark.parametrize("category", CATEGORIES)
def test_opened_parts_hardly_touch(category: str) -> None:
    assert overlap(batch(Split.TRAIN, category), 0.6).max() < 0.01


def test_opening_moves_doors_and_drawers_to_the_front() -> None:
    for category in CATEGORIES:
        for spec in batch(Split.TRAIN, category):
            scene = pack([spec], "cpu")
            rotation, shift = link_poses(scene, torch.tensor(spec.open_coordinates(0.5))[None].float())
            for index, link in enumerate(spec.links):
                if (
                    link.label in ("door", "drawer")
                    and abs(link.joint.axis[0]) * (link.joint.type is JointType.PRISMATIC) == 0
                ):
                    center = torch.tensor(spec.boxes[index, :3]).float()
                    assert (rotation[0, index] @ center + shift[0, index])[2] > center[2] + 0.01


def test_axis_lines_pass_through_the_part_that_they_turn() -> None:
    for category in CATEGORIES:
        for spec in batch(Split.TRAIN, category):
            for box, link in zip(spec.boxes, spec.links, strict=True):
                if link.joint.type in (JointType.REVOLUTE, JointType.CONTINUOUS):
                    assert (np.abs(link.joint.origin - box[:3]) <= box[3:] + 1e-6).all()


def test_splits_share_no_object() -> None:
    styles: dict[Split, set[bytes]] = {
        split: {spec.primitives.center.tobytes() for category in CATEGORIES for spec in batch(split, category)}
        for split in Split
    }
    assert not styles[Split.TRAIN] & styles[Split.VAL]
    assert not styles[Split.TRAIN] & styles[Split.TEST]


@pytest.mark.parametrize("category", CATEGORIES)
def test_test_layouts_are_new_combinations_of_known_choices(category: str) -> None:
    seen = {generate(seed, Split.TRAIN, category).style for seed in range(400)}
    held_out = {generate(seed, Split.TEST, category).style for seed in range(100)}
    assert len(held_out) > 3
    assert not seen & held_out
    assert {word for style in held_out for word in style.split()} <= {word for style in seen for word in style.split()}


def test_test_finishes_are_never_in_training() -> None:
    for family in (APPLIANCE, CARD, CERAMIC, FITTING, GLASS, PANEL, SAFE, SHELL, STEEL, WOOD):
        assert not {x.words for x in family.seen} & {x.words for x in family.held_out}


def test_test_views_come_from_held_out_bands_only() -> None:
    halves = np.ones((2000, 3))
    for split in Split:
        views = sample_cameras(np.random.default_rng(0), split, halves)
        for values, limits in ((views[:, 0], cameras.AZIMUTH), (views[:, 1], cameras.ELEVATION)):
            held_out = cameras.is_held_out(cameras.band(values, *limits))
            assert held_out.all() if split is Split.TEST else not held_out.any()


def test_closed_object_fills_the_asked_share_of_the_frame() -> None:
    rng = np.random.default_rng(0)
    for category in CATEGORIES:
        for spec in batch(Split.TRAIN, category):
            view = sample_camera(rng, Split.TRAIN, spec.half_extent)
            corners = np.array(np.meshgrid(*([-1, 1],) * 3)).reshape(3, 8).T * spec.half_extent
            image, depth = view.project(corners)
            assert (depth > 0).all()
            assert (np.abs(image) < 1).all()
            assert 0.54 < np.ptp(image, axis=0).max() / 2 < 0.86


def test_packing_keeps_links_and_pads_the_rest() -> None:
    specs = [generate(seed, Split.TRAIN, category) for seed, category in enumerate(CATEGORIES)]
    scene: Scene = pack(specs, "cpu")
    for index, spec in enumerate(specs):
        count = len(spec.links)
        assert scene.link_valid[index].sum() == count
        np.testing.assert_allclose(scene.boxes[index, :count], spec.boxes, atol=1e-6)
        assert (scene.owner[index] >= 0).sum() == len(spec.primitives)
