"""What further open pictures, masks and depth order tell; parts on parts, and many parts."""

from dataclasses import replace

import box_scenes
import numpy as np
import pytest
import torch
from box_scenes import CAMERA, Part

from articulation.camera import Camera
from articulation.joint import Joint, JointType
from articulation.plan import Plan
from services.refinement import proxies
from services.refinement.losses import Weights
from services.refinement.objective import Objective
from services.refinement.optimiser import Refined, Refinement
from services.refinement.proxies import Proxies
from services.refinement.rasteriser import TorchRenderer
from services.refinement.renderer import Renderer, Shader
from services.refinement.schedule import Schedule
from services.refinement.targets import Opened, targets

CPU = torch.device("cpu")
SHORT = Schedule(camera_steps=0, joint_steps=12, sizes=(48,), search_size=48, settle_count=3, settle_steps=6)
FRONT = Camera(0.0, 0.0, 4.2, 0.75)
FAR = Camera(0.0, 0.0, 12.0, 0.3)
"""Sees hardly more of what comes nearer."""
NOTHING = Weights(silhouette=0, colour=0, edges=0, masks=0, order=0)
SIZE = 96


def refine(
    parts: list[Part],
    plan: Plan,
    opened: list[Opened],
    opening: list[list[float]],
    weights: Weights | None = None,
    schedule: Schedule = SHORT,
    renderer: Renderer | None = None,
) -> Refined:
    """From the plan, with its camera held."""
    closed_target, open_targets, window = targets(picture(parts, [0.0] * len(parts), plan.camera).image, opened, CPU)
    moves = torch.tensor([part.joint.type.moves for part in plan.parts])
    objective = Objective(
        proxies=proxies.build(box_scenes.meshes(parts), 300, CPU),
        parents=tuple(part.parent for part in plan.parts),
        active=(torch.tensor(opening) > 0) & moves,
        closed=closed_target,
        opened=open_targets,
        window=window,
        renderer=renderer or TorchRenderer(),
        weights=weights or Weights(),
    )
    *_, last = results(Refinement(objective, plan, np.array(opening), schedule))
    return last


def results(refinement: Refinement):
    """What its run returns."""
    yield (yield from refinement.run())


def picture(parts: list[Part], q: list[float], camera: Camera = CAMERA) -> Opened:
    return Opened(box_scenes.picture(parts, np.array(q), camera, SIZE))


def with_joint(plan: Plan, index: int, joint: Joint, **changes: object) -> Plan:
    parts = list(plan.parts)
    parts[index] = replace(parts[index], joint=joint, **changes)
    return replace(plan, parts=tuple(parts))


def axis_error(guess: Joint, truth: Joint) -> float:
    """[degrees]"""
    return float(np.degrees(np.arccos(np.clip(guess.axis @ truth.axis, -1, 1))))


def line_error(guess: Joint, truth: Joint) -> float:
    return float(np.linalg.norm(np.cross(guess.origin - truth.origin, truth.axis)))


CABINET = box_scenes.cabinet()
EXACT = box_scenes.plan(CABINET)
DOOR, DRAWER = CABINET[1].joint, CABINET[2].joint


@pytest.fixture(scope="module")
def hinged_right() -> Plan:
    """The cabinet with its door believed to be hinged on the other side."""
    return with_joint(EXACT, 1, replace(DOOR, axis=-DOOR.axis, origin=np.array([0.8, 0.0, 0.67]), confidence=0.6))


AJAR = picture(CABINET, [0.0, 0.04, 0.6])
"""Hardly tells on which side the door hangs."""
WIDE = picture(CABINET, [0.0, 1.1, 0.0])


def test_a_picture_of_a_door_ajar_does_not_tell_its_side(hinged_right: Plan) -> None:
    found = refine(CABINET, hinged_right, [AJAR], [[0.0, 0.3, 0.6]])
    assert line_error(found.plan.parts[1].joint, DOOR) > 1


@pytest.fixture(scope="module")
def twice(hinged_right: Plan) -> Refined:
    return refine(CABINET, hinged_right, [AJAR, WIDE], [[0.0, 0.3, 0.6], [0.0, 0.6, 0.0]])


def test_a_second_picture_tells_the_side(twice: Refined) -> None:
    assert line_error(twice.plan.parts[1].joint, DOOR) < 0.05
    assert axis_error(twice.plan.parts[1].joint, DOOR) < 3


def test_each_picture_has_its_own_openings(twice: Refined) -> None:
    np.testing.assert_allclose(twice.coordinates, [[0, 0.04, 0.6], [0, 1.1, 0]], atol=0.05)


def test_a_part_that_a_picture_was_not_to_open_is_closed_in_it(twice: Refined) -> None:
    assert twice.coordinates[1, 2] == 0


@pytest.mark.parametrize("known", [False, True])
def test_a_mask_alone_tells_how_far_a_drawer_comes_towards_the_camera(known: bool) -> None:
    image, links = box_scenes.cast(CABINET, np.array([0.0, 0.0, 0.6]), FRONT, SIZE)
    mask = ((links == 2) * 255).astype(np.uint8)
    slanted = replace(DRAWER, axis=np.array([0.3, 0.0, np.sqrt(1 - 0.09)]), confidence=0.3)
    plan = with_joint(replace(EXACT, camera=FRONT), 2, slanted)
    opened = [Opened(image, {2: mask} if known else {})]
    found = refine(CABINET, plan, opened, [[0.0, 0.0, 0.3]], replace(NOTHING, masks=1))
    assert (abs(found.coordinates[0, 2] - 0.6) < 0.05) == known
    if known:
        assert axis_error(found.plan.parts[2].joint, DRAWER) < 3


@pytest.mark.parametrize(("sign", "order"), [(1, (1, 0)), (-1, (0, 1))])
@pytest.mark.parametrize("known", [False, True])
def test_depth_order_tells_in_front_of_what_a_shutter_folds(sign: int, order: tuple[int, int], known: bool) -> None:
    # Folded in front of the post or behind it, the shutter has the same outline from afar.
    hinge = Joint(JointType.REVOLUTE, np.array([0.0, -sign, 0.0]), np.array([0.3, 0.0, 0.0]), 0.0, 3.0)
    post, shutter = ((-0.3, -1.0, -0.05), (0.3, 1.0, 0.05)), ((0.3, -0.8, -0.05), (1.7, 0.8, 0.05))
    parts = [Part([post], (0.6, 0.6, 0.6)), Part([shutter], (0.6, 0.6, 0.6), hinge)]
    wrong = with_joint(box_scenes.plan(parts, FAR), 1, replace(hinge, axis=-hinge.axis, confidence=0.5))
    opened = replace(picture(parts, [0.0, 2.4], FAR), order=(order,) if known else ())
    found = refine(parts, wrong, [opened], [[0.0, 0.8]], replace(NOTHING, silhouette=1, order=1))
    assert (axis_error(found.plan.parts[1].joint, hinge) < 10) == known


def test_a_knob_that_turns_on_a_door_that_opens_is_found() -> None:
    knob = Joint(JointType.REVOLUTE, np.array([0.0, 0.0, -1.0]), np.array([0.2, 0.45, 0.7]), 0.0, 1.5)
    cross = [((-0.25, 0.3, 0.67), (0.65, 0.6, 0.8)), ((0.12, 0.0, 0.67), (0.28, 0.9, 0.8))]
    parts = [*CABINET[:2], Part(cross, (0.95, 0.9, 0.2), knob, parent=1)]
    q = [0.0, 0.7, 0.8]
    camera = replace(CAMERA, azimuth=-0.5)
    start = box_scenes.perturbed(box_scenes.plan(parts, camera), 15, 0.1, seed=0)
    for index, label in ((1, "door"), (2, "knob")):
        start = with_joint(start, index, replace(start.parts[index].joint, confidence=0.05), label=label)
    found = refine(parts, start, [picture(parts, q, camera)], [[0.0, 0.5, 0.5]])
    for index, truth in ((1, DOOR), (2, knob)):
        assert axis_error(found.plan.parts[index].joint, truth) < 3
        assert line_error(found.plan.parts[index].joint, truth) < 0.03
    np.testing.assert_allclose(found.coordinates[0], q, atol=0.15)


class Counting:
    """The default renderer, which remembers how many pictures it drew at once."""

    def __init__(self) -> None:
        self.pictures: list[int] = []

    def render(
        self, packed: Proxies, vertices: torch.Tensor, cameras: torch.Tensor, size: int, shader: Shader
    ) -> torch.Tensor:
        self.pictures.append(len(vertices))
        return TorchRenderer().render(packed, vertices, cameras, size, shader)


def test_sixteen_joints_are_refined_with_a_bounded_number_of_pictures_at_once() -> None:
    parts = [Part([((-1.0, -1.0, -0.6), (1.0, 1.0, 0.0))], (0.75, 0.6, 0.45))]
    slide = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, 1.0]), np.zeros(3), 0.0, 0.5)
    for index, colour in enumerate(np.random.default_rng(0).uniform(0.2, 0.8, (16, 3))):
        x, y = (index % 4) * 0.5 - 1, (index // 4) * 0.5 - 1
        parts.append(Part([((x + 0.03, y + 0.03, 0.0), (x + 0.47, y + 0.47, 0.1))], tuple(colour), slide))
    q = [0.0, *np.linspace(0.15, 0.4, 16)]
    start = box_scenes.perturbed(box_scenes.plan(parts), 20, 0.1, seed=0)
    schedule = Schedule(
        camera_steps=0, joint_steps=8, sizes=(32,), search_size=32, settle_count=1, settle_steps=2, batch=8
    )
    counting = Counting()
    found = refine(parts, start, [picture(parts, q)], [[0.0] + [0.5] * 16], schedule=schedule, renderer=counting)
    assert max(counting.pictures) == 8
    assert max(axis_error(part.joint, slide) for part in found.plan.parts[1:]) < 5
    # Within half a pixel.
    assert np.median(np.abs(found.coordinates[0] - q)) < 0.05
