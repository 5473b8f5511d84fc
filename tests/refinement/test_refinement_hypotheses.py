"""Discrete hypotheses about one joint."""

import numpy as np
import pytest

from articulation.joint import Joint, JointType
from services.refinement import hypotheses

DOOR = np.array([[-0.8, 0.0, 0.6], [0.8, 1.0, 0.67]])
KNOB = np.array([[0.2, 0.2, 0.5], [0.4, 0.4, 0.6]])
LEFT = Joint(JointType.REVOLUTE, np.array([0.0, -1.0, 0.0]), np.array([-0.8, 0.0, 0.67]), 0.0, 1.8)
SLIDE = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, 1.0]), np.zeros(3), 0.0, 0.5)


def test_a_door_may_be_hinged_on_each_narrow_end_and_turn_both_ways() -> None:
    found = [LEFT, *hypotheses.alternatives(LEFT, DOOR)]
    for x in (-0.8, 0.8):
        for sign in (-1.0, 1.0):
            truth = Joint(JointType.REVOLUTE, sign * np.eye(3)[1], np.array([x, 0.3, 0.63]))
            assert sum(hypotheses.alike(truth, joint) for joint in found) == 1


def test_the_other_kind_of_joint_is_tried() -> None:
    kinds = {joint.type for joint in hypotheses.alternatives(LEFT, DOOR)}
    assert kinds == {JointType.REVOLUTE, JointType.PRISMATIC}


def test_alternatives_are_distinct_and_unlike_the_belief() -> None:
    found = [SLIDE, *hypotheses.alternatives(SLIDE, DOOR)]
    for i, one in enumerate(found):
        assert not any(hypotheses.alike(one, other) for other in found[i + 1 :])


def test_continuous_joints_stay_continuous() -> None:
    assert hypotheses.alternatives(Joint(JointType.CONTINUOUS, np.eye(3)[2]), KNOB) == []


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


def test_the_upper_limit_covers_what_the_picture_shows() -> None:
    assert hypotheses.upper_limit(LEFT, DOOR, 2.2) == 2.2
    assert hypotheses.upper_limit(LEFT, DOOR, 1.0) == LEFT.upper


def test_a_drawer_travels_at_most_its_depth() -> None:
    assert hypotheses.upper_limit(SLIDE, DOOR, 0.01) == pytest.approx(0.07)


def test_without_evidence_the_posterior_is_the_prior() -> None:
    priors = hypotheses.priors(0.7, 4)
    np.testing.assert_allclose(hypotheses.posterior(np.full(4, 0.3), priors, 0.01), priors)
    np.testing.assert_allclose(priors.sum(), 1)


def test_evidence_outweighs_the_prior() -> None:
    chances = hypotheses.posterior(np.array([0.3, 0.2]), hypotheses.priors(0.9, 2), 0.01)
    assert chances[1] > 0.99
