"""Generated objects: determinism, valid plans, proportions, no overlap when closed, disjoint splits."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from articulation.joint import JointType
from articulation.typing import Array
from services.vlm.vocabulary import CATEGORIES as PRIORS
from services.vlm.vocabulary import MAX_PARTS
from training import camera as cameras
from training.builder import Builder
from training.draw import Split
from training.fittings import slide
from training.handles import HELD_OUT, NAMES, SEEN
from training.objects import CATEGORIES, ObjectSpec, generate, generate_many, sample_camera, sample_cameras
from training.palettes import APPLIANCE, CARD, CERAMIC, FITTING, GLASS, PANEL, SAFE, SHELL, STEEL, TOP, WOOD
from training.pose import link_poses
from training.primitives import Pattern
from training.render import render
from training.scene import Scene, pack
from training.surface import sample_surface, signed_distance

SEEDS = range(8)
SAMPLES = 200
OVERLAP_LIMIT = 0.002
"""Deepest closed-state interpenetration, as a fraction of the object's diagonal."""
TRAVEL_LIMIT = 0.005
"""... and while a joint travels, as `gateway.package.travel.DEPTH`."""


def many(count: int) -> settings:
    """That many examples, the same ones each time."""
    return settings(max_examples=count, deadline=None, derandomize=True)


def batch(split: Split, category: str | None = None) -> list[ObjectSpec]:
    return [generate(seed, split, category) for seed in SEEDS]


def penetration(spec: ObjectSpec, q: Array, movers: set[int] | None = None) -> float:
    """Deepest that any link lies in another one, as a fraction of the diagonal; only movers against others if given."""
    scene = pack([spec], "cpu")
    rotation, shift = (x[0] for x in link_poses(scene, torch.tensor(q)[None].float()))
    worst = 0.0
    for a in range(len(spec.links)):
        points = sample_surface(scene, torch.tensor([a]), SAMPLES, torch.Generator().manual_seed(0))[0][0]
        world = points @ rotation[a].T + shift[a]
        for b, box in enumerate(torch.tensor(spec.boxes).float()):
            if a == b or (movers is not None and (a in movers) == (b in movers)):
                continue
            local = (world - shift[b]) @ rotation[b]
            near = ((local - box[:3]).abs() < box[3:]).all(-1)
            if near.any():
                worst = max(worst, -float(signed_distance(scene, torch.tensor([b]), local[None, near]).min()))
    return worst / (2 * float(np.linalg.norm(spec.half_extent)))


def family(spec: ObjectSpec, link: int) -> set[int]:
    """The link and all that hangs on it."""
    out = {link}
    for index in range(link + 1, len(spec.links)):
        if spec.links[index].parent in out:
            out.add(index)
    return out


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
        prior = PRIORS[category]
        assert prior.parts[0] <= len(plan.parts) <= prior.parts[1]
        assert {part.label for part in plan.parts if part.joint.type.moves} <= set(prior.moving)
        assert all(part.label and part.caption.endswith(".") for part in plan.parts)
        assert all(part.joint.upper > 0 == part.joint.lower for part in plan.parts if part.joint.type.moves)


@pytest.mark.parametrize("category", CATEGORIES)
def test_plan_boxes_bound_the_meshes(category: str) -> None:
    spec = generate(3, Split.TRAIN, category)
    for box, mesh in zip(spec.boxes, spec.link_meshes(), strict=True):
        assert mesh.is_watertight
        np.testing.assert_allclose(mesh.bounds, [box[:3] - box[3:], box[:3] + box[3:]], atol=2e-3)


@many(48)
@given(st.integers(0, 2**31), st.sampled_from(CATEGORIES), st.sampled_from(Split))
def test_closed_parts_do_not_interpenetrate(seed: int, category: str, split: Split) -> None:
    spec = generate(seed, split, category)
    assert penetration(spec, np.zeros(len(spec.links))) < OVERLAP_LIMIT


@many(24)
@given(st.integers(0, 2**31), st.sampled_from(CATEGORIES))
def test_every_joint_travels_its_whole_range(seed: int, category: str) -> None:
    """With the others closed, or with the others open, as a rack behind an oven's door does."""
    spec = generate(seed, Split.TRAIN, category)
    for joint in spec.articulation().moving:
        ways = []
        for others in (0.0, 1.0):
            q = spec.open_coordinates(others)
            depth = 0.0
            for fraction in (0.3, 1.0):
                q[joint] = spec.links[joint].joint.upper * fraction
                depth = max(depth, penetration(spec, q, family(spec, joint)))
            ways.append(depth)
            if depth < TRAVEL_LIMIT:
                break
        assert min(ways) < TRAVEL_LIMIT, spec.links[joint].name


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_moving_part_is_seen_from_the_front(category: str) -> None:
    specs = batch(Split.TRAIN, category)
    scene = pack(specs, "cpu")
    front = torch.tensor([[0.3, 0.3, 6.0, 0.42, 0.0, 0.0]]).expand(len(specs), 6)
    glazed = ((scene.look[..., 6] == Pattern.GLASS) & (scene.owner > 0)).nonzero()
    opaque = scene.link_valid.clone()
    opaque[glazed[:, 0], scene.owner[glazed[:, 0], glazed[:, 1]]] = False
    closed = torch.zeros_like(scene.joint_upper)
    shown = [render(scene, front, closed, visible, 128).link for visible in (scene.link_valid, opaque)]
    for index, spec in enumerate(specs):
        seen = {int(x) for mask in shown for x in mask[index].unique()}
        assert set(spec.articulation().moving) <= seen, spec.style


@many(20)
@given(st.permutations(range(6)))
def test_links_are_numbered_as_one_reads_however_they_were_added(order: list[int]) -> None:
    spots = [(0, 2), (1, 2), (0, 1), (1, 1.02), (2, 1), (1, 0)]
    look = PANEL.seen[0]
    b = Builder(np.random.default_rng(0))
    b.link("body", look, "Root.")
    b.box(0, look, (-1, -1, -1), (4, 4, 0))
    made = {}
    for index in order:
        x, y = spots[index]
        made[index] = b.link("door", look, f"{index}.", 0, slide((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), 0.5))
        b.box(made[index], look, (x, y, 0.1), (x + 0.8, y + 0.8, 0.2))
    for index in order[:2]:
        x, y = spots[index]
        knob = b.link("knob", look, f"{index}.", made[index], slide((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), 0.5))
        b.box(knob, look, (x, y, 0.3), (x + 0.1, y + 0.1, 0.4))
    links = b.finish("box", "").links
    assert [x.caption for x in links[1:7]] == [f"{i}." for i in range(6)]
    assert [x.parent for x in links[7:]] == sorted(index + 1 for index in order[:2])
    assert [x.name for x in links[5:]] == ["door_5", "door_6", "knob_1", "knob_2"]


@pytest.mark.parametrize("category", CATEGORIES)
def test_limits_follow_from_the_kind_of_part(category: str) -> None:
    spans: dict[tuple[str, str, bytes], list[float]] = {}
    for spec in batch(Split.TRAIN, category):
        for link in spec.links:
            if link.joint.type is JointType.REVOLUTE:
                key = link.label, link.caption.split(" hinged ")[-1], np.abs(link.joint.axis).tobytes()
                spans.setdefault(key, []).append(link.joint.upper)
    for key, values in spans.items():
        assert max(values) / min(values) < 1.2, key


def test_objects_have_up_to_sixteen_moving_parts_and_mostly_few() -> None:
    counts = np.array([len(generate(seed, Split.TRAIN).links) - 1 for seed in range(600)])
    assert (counts <= 6).mean() > 0.7
    assert (counts > 8).mean() > 0.02
    assert max(len(generate(seed, Split.TRAIN, "storage_furniture").links) for seed in range(300)) > 12


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
    seen = {generate(seed, Split.TRAIN, category).style for seed in range(800)}
    held_out = {generate(seed, Split.TEST, category).style for seed in range(100)}
    assert len(held_out) > 3
    assert not seen & held_out
    assert {word for style in held_out for word in style.split()} <= {word for style in seen for word in style.split()}


@pytest.mark.parametrize("category", CATEGORIES)
def test_kinds_of_a_category_are_equally_likely(category: str) -> None:
    for split in (Split.TRAIN, Split.TEST):
        kinds = Counter(generate(seed, split, category).style.split()[0] for seed in range(240))
        fair = 240 / len(kinds)
        assert all(0.4 * fair < count < 1.8 * fair for count in kinds.values()), kinds


def test_test_finishes_are_never_in_training() -> None:
    for finishes in (APPLIANCE, CARD, CERAMIC, FITTING, GLASS, PANEL, SAFE, SHELL, STEEL, TOP, WOOD):
        assert not {x.words for x in finishes.seen} & {x.words for x in finishes.held_out}


def test_test_handles_are_never_in_training() -> None:
    assert set(SEEN) | set(HELD_OUT) == set(NAMES)
    assert len(HELD_OUT) >= 3
    captions = {
        split: " ".join(x.caption for seed in range(300) for x in generate(seed, split).links) for split in Split
    }
    assert all(NAMES[style] not in captions[Split.TRAIN] + captions[Split.VAL] for style in HELD_OUT)
    assert all(NAMES[style] not in captions[Split.TEST] for style in SEEN)
    assert all(NAMES[style] in captions[Split.TEST] for style in HELD_OUT)


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
