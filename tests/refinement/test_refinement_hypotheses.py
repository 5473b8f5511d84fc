"""Discrete hypotheses about one joint."""

from dataclasses import replace

import numpy as np
import pytest

from articulation.joint import Joint, JointType, Mimic
from services.refinement import hypotheses
from services.refinement.part_prior import PartPrior

DOOR = np.array([[-0.8, 0.0, 0.6], [0.8, 1.0, 0.67]])
KNOB = np.array([[0.2, 0.2, 0.5], [0.4, 0.4, 0.6]])
LEFT = Joint(JointType.REVOLUTE, np.array([0.0, -1.0, 0.0]), np.array([-0.8, 0.0, 0.67]), 0.0, 1.8)
SLIDE = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, 1.0]), np.zeros(3), 0.0, 0.5)


def alternatives(joint: Joint, bounds: np.ndarray, label: str = "") -> list[Joint]:
    return hypotheses.alternatives(joint, bounds, PartPrior.of(label, bounds))


def test_a_door_may_be_hinged_on_each_narrow_end_and_the_plan_may_have_the_wrong_way() -> None:
    found = [LEFT, *alternatives(LEFT, DOOR)]
    for x, sign in ((-0.8, -1.0), (-0.8, 1.0), (0.8, 1.0)):
        truth = Joint(JointType.REVOLUTE, sign * np.eye(3)[1], np.array([x, 0.3, 0.63]))
        assert sum(hypotheses.alike(truth, joint) for joint in found) == 1


def test_other_kinds_of_joint_and_none_at_all_are_tried() -> None:
    kinds = {joint.type for joint in alternatives(LEFT, DOOR, "door")}
    assert kinds == {JointType.REVOLUTE, JointType.PRISMATIC, JointType.FIXED}


def test_a_knob_may_turn_without_an_end() -> None:
    knob = Joint(JointType.REVOLUTE, -np.eye(3)[2], KNOB.mean(0), 0.0, 3.0)
    (wheel,) = [joint for joint in alternatives(knob, KNOB) if joint.type is JointType.CONTINUOUS]
    np.testing.assert_array_equal(wheel.axis, knob.axis)
    assert wheel.upper == pytest.approx(2 * np.pi)


def test_a_wheel_may_be_a_slide() -> None:
    wheel = Joint(JointType.CONTINUOUS, np.eye(3)[2], KNOB.mean(0), 0.0, 2 * np.pi)
    assert JointType.PRISMATIC in {joint.type for joint in alternatives(wheel, KNOB)}


def test_alternatives_are_distinct_and_unlike_the_belief() -> None:
    found = [SLIDE, *alternatives(SLIDE, DOOR)]
    for i, one in enumerate(found):
        assert not any(hypotheses.alike(one, other) for other in found[i + 1 :])


def test_limits_are_the_believed_ones_where_the_kind_is_the_same() -> None:
    limits = {joint.type: joint.upper for joint in alternatives(LEFT, DOOR, "door") if joint.axis @ LEFT.axis > -0.5}
    assert limits[JointType.REVOLUTE] == LEFT.upper
    assert limits[JointType.PRISMATIC] == pytest.approx(0.8 * 1.6)
    assert limits[JointType.FIXED] == 0


def test_a_joint_that_follows_another_turns_or_slides_as_it_does() -> None:
    follows = replace(LEFT, mimic=Mimic("left"))
    found = hypotheses.alternatives(follows, DOOR, PartPrior.of("door", DOOR), coupled=True)
    assert found
    assert {(joint.type.rotates, joint.mimic) for joint in found} == {(True, follows.mimic)}


def test_a_fixed_part_does_not_open() -> None:
    fixed = Joint(JointType.FIXED)
    assert hypotheses.starts(fixed, DOOR) == [0.0]
    assert hypotheses.upper_limit(fixed, DOOR, 0.2) == 0.0


def test_origins_along_the_axis_are_alike() -> None:
    moved = Joint(JointType.REVOLUTE, LEFT.axis, LEFT.origin + 5 * LEFT.axis)
    assert hypotheses.alike(LEFT, moved)


def test_snapping_keeps_the_depth_of_the_hinge() -> None:
    axis = np.array([0.05, -1.0, 0.02])
    slanted = Joint(JointType.REVOLUTE, axis / np.linalg.norm(axis), np.array([-0.76, 0.4, 0.66]), 0.0, 1.8)
    snapped = hypotheses.snapped(slanted, DOOR)
    np.testing.assert_allclose(snapped.axis, [0, -1, 0])
    np.testing.assert_allclose(snapped.origin, [-0.8, 0.4, 0.66])


def test_a_knob_snaps_to_its_middle() -> None:
    off = Joint(JointType.REVOLUTE, np.array([0.0, 0.0, 1.0]), np.array([0.33, 0.27, 0.5]), 0.0, 3.0)
    np.testing.assert_allclose(hypotheses.snapped(off, KNOB).origin[:2], [0.3, 0.3])


PANEL = np.array([[x, y, z] for x in DOOR[:, 0] for y in DOOR[:, 1] for z in DOOR[:, 2]] + [[0.5, 0.5, 0.9]])
"""Corners of a door, and the tip of its handle."""


def test_a_panel_is_hinged_on_the_nearer_end_on_faces_that_its_handle_does_not_move() -> None:
    lines = hypotheses.usual_lines(replace(LEFT, origin=np.array([-0.7, 0.4, 0.5])), PANEL)
    expected = {"ahead": [-0.8, 0.4, 0.67], "middle": [-0.8, 0.4, 0.635], "behind": [-0.8, 0.4, 0.6]}
    assert {name: point.round(6).tolist() for name, point in lines.items()} == expected


@pytest.mark.parametrize("x", [-0.8, 0.8])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_panel_moves_towards_the_face_ahead(x: float, sign: float) -> None:
    hinge = Joint(JointType.REVOLUTE, sign * np.eye(3)[1], np.array([x, 0.4, 0.635]))
    lines = hypotheses.usual_lines(hinge, PANEL)
    motion = np.cross(hinge.axis, DOOR.mean(0) - hinge.origin)
    assert motion @ (lines["ahead"] - lines["behind"]) > 0


def test_a_door_is_mostly_hinged_on_the_face_ahead() -> None:
    door, odds = hypotheses.usual(replace(LEFT, origin=np.array([-0.7, 0.4, 0.5])), PANEL, "door")
    np.testing.assert_allclose(door.origin, [-0.8, 0.4, 0.67])
    assert odds > np.log(5)


@pytest.mark.parametrize("label", ["lid", "handle", "display", "lever"])
def test_the_counts_of_other_labels_do_not_vouch_for_a_line(label: str) -> None:
    assert hypotheses.usual(LEFT, PANEL, label)[1] < np.log(2)


def test_knobs_and_slides_have_no_usual_line() -> None:
    knob = Joint(JointType.REVOLUTE, np.eye(3)[2], np.array([0.33, 0.27, 0.5]), 0.0, 3.0)
    assert hypotheses.usual(knob, KNOB, "knob") == (knob, -np.inf)
    assert hypotheses.usual(SLIDE, PANEL, "door") == (SLIDE, -np.inf)


def test_the_upper_limit_covers_what_the_picture_shows() -> None:
    assert hypotheses.upper_limit(LEFT, DOOR, 2.2) == 2.2
    assert hypotheses.upper_limit(LEFT, DOOR, 1.0) == LEFT.upper


def test_a_drawer_travels_at_most_its_depth() -> None:
    assert hypotheses.upper_limit(SLIDE, DOOR, 0.01) == pytest.approx(0.07)
