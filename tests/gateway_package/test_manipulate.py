from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from cabinets import box, copy_with, cupboard

from articulation.joint import Joint, JointType
from articulation.tree import Articulation, Link
from articulation.typing import Array
from gateway.package.build import build_asset
from gateway.package.grasp import find_grasp, outermost, points_on
from gateway.package.manipulate import LEAST_OPENED, Demonstration, Manipulation, demonstrate, is_graspable
from gateway.package.validate import validate_by_hand
from gateway.package.write import MJCF, write_asset

HINGE = Joint(JointType.REVOLUTE, np.array([0.0, 0.0, -1.0]), np.array([0.0, -0.3, 0.0]), 0.0, 2.0)
"""On the left edge of a front that faces +x."""
RAIL = Joint(JointType.PRISMATIC, np.array([1.0, 0.0, 0.0]), np.zeros(3), 0.0, 0.3)
LEAF = box([0.0, -0.3, 0.2], [0.02, 0.3, 1.0])
GRIP = box([0.02, 0.2, 0.55], [0.05, 0.22, 0.65])


def surface(*meshes: trimesh.Trimesh) -> Array:
    return np.concatenate([mesh.triangles for mesh in meshes])


@pytest.fixture(scope="module")
def shown(folder: Path) -> tuple[Demonstration, ...]:
    return demonstrate(folder)


def test_a_plain_door_is_held_half_way_up_its_free_edge() -> None:
    point = outermost(HINGE, points_on(surface(LEAF)))
    np.testing.assert_allclose(point, [0.02, 0.3, 0.6], atol=0.07)


def test_a_handle_of_the_same_mesh_is_held() -> None:
    point = outermost(HINGE, points_on(surface(LEAF, GRIP)))
    assert point[0] == pytest.approx(0.05)


def test_a_drawer_is_held_in_the_centre_of_its_front() -> None:
    front = box([-0.3, -0.2, 0.4], [0.1, 0.4, 0.6])
    np.testing.assert_allclose(outermost(RAIL, points_on(surface(front))), [0.1, 0.1, 0.5])


def test_a_joint_that_opens_to_negative_coordinates_is_held_in_front_too() -> None:
    backwards = replace(RAIL, axis=-RAIL.axis, lower=-0.3, upper=0.0)
    front = box([-0.3, -0.2, 0.4], [0.1, 0.4, 0.6])
    assert outermost(backwards, points_on(surface(front)))[0] == pytest.approx(0.1)


def with_handle(joint: Joint) -> Articulation:
    door = Link("door", 0, HINGE, "door")
    return Articulation((Link("body", -1, Joint(JointType.FIXED)), door, Link("grip", 1, joint, "door handle")))


def test_a_handle_that_is_a_part_of_its_own_is_held() -> None:
    surfaces = [surface(LEAF), surface(LEAF), surface(GRIP)]
    grasp = find_grasp(with_handle(Joint(JointType.FIXED)), 1, surfaces.__getitem__)
    assert grasp.link == 2
    assert grasp.point[0] == pytest.approx(0.05)


def test_a_handle_that_turns_is_held_by_its_shaft() -> None:
    turning = Joint(JointType.REVOLUTE, np.array([1.0, 0.0, 0.0]), np.array([0.02, 0.28, 0.6]), 0.0, 1.0)
    arm = box([0.02, 0.1, 0.59], [0.05, 0.29, 0.61])
    grasp = find_grasp(with_handle(turning), 1, [surface(LEAF), surface(LEAF), surface(arm)].__getitem__)
    assert grasp.link == 1
    assert grasp.point[1] == pytest.approx(0.29)


@pytest.mark.parametrize(
    ("joint", "size"),
    [
        (replace(RAIL, upper=0.01), 0.02),
        (Joint(JointType.REVOLUTE, np.array([1.0, 0, 0]), np.zeros(3), 0.0, 5.0), 0.03),
        (Joint(JointType.CONTINUOUS, np.array([1.0, 0, 0]), np.zeros(3)), 0.5),
    ],
    ids=["button", "knob", "wheel"],
)
def test_what_fingers_move_is_not_for_a_hand(joint: Joint, size: float) -> None:
    tree = Articulation((Link("body", -1, Joint(JointType.FIXED)), Link("part", 0, joint)))
    part = surface(box([-size] * 3, [size] * 3))
    assert not is_graspable(tree, 1, find_grasp(tree, 1, lambda link: part))


def test_a_hand_opens_a_door_and_a_drawer(shown: tuple[Demonstration, ...]) -> None:
    door, drawer = (one.result for one in shown)
    for result in (door, drawer):
        assert result.applicable and result.problems == ()
        assert result.opened >= LEAST_OPENED
        assert result.disturbed < 0.01
        assert 0 < result.force < 30
    assert (door.link, drawer.link) == ("door", "drawer")


def test_a_film_shows_each_part_move_from_closed_to_open(shown: tuple[Demonstration, ...]) -> None:
    door, drawer = (one.path for one in shown)
    assert np.abs(door[0]).max() == 0
    assert door[:, 1].max() > 1.6 and drawer[:, 2].max() > 0.25
    assert np.abs(door[:, 2]).max() < 0.01


def test_a_drawer_behind_a_block_is_not_opened(folder: Path, tmp_path: Path) -> None:
    block = '<geom type="box" size="0.05 0.2 0.05" pos="0.35 0 0.85"/>\n  </worldbody>'
    blocked = copy_with(folder, tmp_path, MJCF, "</worldbody>", block)
    report, _ = validate_by_hand(blocked)
    assert report.manipulations is not None
    door, drawer = report.manipulations
    assert door.problems == ()
    assert drawer.opened < 0.3
    assert "a hand opens drawer only" in " ".join(report.problems)


def test_a_part_that_is_stiffer_than_a_person_is_strong_is_not_opened(folder: Path, tmp_path: Path) -> None:
    stiff = copy_with(folder, tmp_path, MJCF, 'type="slide"', 'type="slide" stiffness="20000"')
    drawer = demonstrate(stiff)[1].result
    assert drawer.force == pytest.approx(150.0)
    assert drawer.opened < 0.1


def test_a_drawer_behind_a_door_needs_the_door_open(tmp_path: Path) -> None:
    write_asset(build_asset(*cupboard(), "cupboard"), tmp_path)
    door, drawer = (one.result for one in demonstrate(tmp_path))
    assert (door.problems, door.needs_open) == ((), False)
    assert (drawer.problems, drawer.needs_open) == ((), True)


def test_a_part_that_drags_another_along_fails() -> None:
    dragging = Manipulation("drawer", "drawer", (0.0, 0.0, 0.0), True, opened=1.0, disturbed=0.3)
    assert dragging.problems == ("opening drawer moves another joint by 30% of its range",)


def test_an_asset_that_does_not_load_is_not_opened(folder: Path, tmp_path: Path) -> None:
    broken = copy_with(folder, tmp_path, MJCF, "meshes/door.obj", "meshes/gone.obj")
    report, shown = validate_by_hand(broken)
    assert report.manipulations == () and shown == ()
    assert not report.ok
