import numpy as np
import pytest
from articulations import box_mesh

from articulation.joint import Joint, JointType
from articulation.metrics import (
    angle_between,
    articulation_scores,
    chamfer,
    f_score,
    joint_scores,
    line_distance,
    match_parts,
    range_iou,
    sample_surface,
    shape_scores,
)
from articulation.tree import Articulation, Link
from articulation.typing import Array

X, Y, Z = np.eye(3)


def revolute(axis: Array = Y, origin: Array | None = None, upper: float = 1.0) -> Joint:
    return Joint(JointType.REVOLUTE, axis, np.zeros(3) if origin is None else origin, 0.0, upper)


def test_chamfer_sums_both_unsquared_means() -> None:
    assert chamfer(np.array([[0.0, 0, 0], [2, 0, 0]]), np.array([[0.0, 0, 0]])) == pytest.approx(1.0)


def test_f_score_is_the_harmonic_mean() -> None:
    assert f_score(np.array([0.0, 1.0]), np.array([0.0]), 0.1) == pytest.approx(2 / 3)


def test_f_score_without_a_hit_is_zero() -> None:
    assert f_score(np.array([1.0]), np.array([1.0]), 0.1) == 0.0


def test_shape_scores_of_a_shifted_cloud() -> None:
    cloud = np.random.default_rng(0).random((50, 3)) * 1e-3
    scores = shape_scores(cloud + 0.3 * X, cloud)
    assert scores.chamfer == pytest.approx(0.6, abs=0.01)
    assert (scores.f_0_02, scores.f_0_1, scores.f_0_5) == (0.0, 0.0, 1.0)


def test_samples_lie_on_the_surface_in_proportion_to_area() -> None:
    points = sample_surface(box_mesh(np.zeros(3), [2.0, 2.0, 0.02]), 4000, np.random.default_rng(0))
    assert np.allclose(np.max(np.abs(points) / (1.0, 1.0, 0.01), axis=1), 1.0)
    assert (np.abs(points[:, 2]) > 0.00999).mean() == pytest.approx(8 / 8.16, abs=0.02)


def test_parts_are_matched_whatever_their_order() -> None:
    parts = [np.zeros((1, 3)), X[None], 3 * X[None]]
    match = match_parts([parts[2], parts[0], parts[1]], parts)
    assert match.pairs == ((1, 0), (2, 1), (0, 2))
    assert match.mean_chamfer == 0


def test_an_unmatched_part_costs_half_the_diagonal() -> None:
    match = match_parts([np.zeros((1, 3))], [np.zeros((1, 3)), 4 * X[None]])
    assert (match.unmatched, match.penalty) == (1, 2.0)
    assert match.mean_chamfer == pytest.approx(1.0)


def test_one_blob_loses_to_two_rough_parts() -> None:
    truth = [np.zeros((1, 3)), 4 * X[None]]
    blob = match_parts([np.concatenate(truth)], truth)
    rough = match_parts([part + 0.5 * Y for part in truth], truth)
    assert rough.mean_chamfer < blob.mean_chamfer


def test_a_surplus_part_costs_too() -> None:
    assert match_parts([np.zeros((1, 3)), X[None]], [np.zeros((1, 3)) + X[None] * [[0], [4]]]).unmatched == 1


@pytest.mark.parametrize(("other", "angle"), [(X, 0.0), (-X, np.pi), (Y, np.pi / 2)])
def test_angle_between_axes(other: Array, angle: float) -> None:
    assert angle_between(X, other) == pytest.approx(angle)


def test_axis_error_signed_and_sign_free() -> None:
    scores = joint_scores(revolute(-Y), revolute(Y))
    assert (scores.axis, scores.axis_sign_free) == pytest.approx((np.pi, 0.0))
    assert not scores.success


def test_skew_lines_are_as_far_apart_as_their_common_perpendicular() -> None:
    assert line_distance(revolute(X), revolute(Y, 0.3 * Z + 5 * X)) == pytest.approx(0.3)


def test_parallel_lines_ignore_the_place_along_the_axis() -> None:
    assert line_distance(revolute(Y, 7 * Y), revolute(Y, 0.4 * X)) == pytest.approx(0.4)


def test_nearly_parallel_lines_do_not_count_their_far_crossing() -> None:
    tilted = revolute(np.array([np.sin(0.02), np.cos(0.02), 0]))
    assert line_distance(tilted, revolute(Y, 0.3 * X)) == pytest.approx(0.3, abs=0.01)


def test_a_prismatic_origin_does_not_matter() -> None:
    slide = Joint(JointType.PRISMATIC, Z, np.zeros(3), 0.0, 1.0)
    scores = joint_scores(Joint(JointType.PRISMATIC, Z, 9 * X, 0.0, 0.5), slide)
    assert scores.origin is None
    assert scores.range_iou == pytest.approx(0.5)
    assert scores.success


def test_a_wrong_type_is_no_success() -> None:
    scores = joint_scores(Joint(JointType.PRISMATIC, Y, upper=1.0), revolute())
    assert (scores.type_right, scores.axis, scores.success) == (False, None, False)


def test_a_continuous_joint_has_no_direction() -> None:
    assert joint_scores(Joint(JointType.CONTINUOUS, -Y), Joint(JointType.CONTINUOUS, Y)).success


@pytest.mark.parametrize(("axis", "origin", "success"), [(0.2, 0.04, True), (0.3, 0.04, False), (0.0, 0.06, False)])
def test_success_needs_axis_and_origin(axis: float, origin: float, success: bool) -> None:
    turned = np.array([0.0, np.cos(axis), np.sin(axis)])
    assert joint_scores(revolute(turned, origin * X), revolute()).success is success


@pytest.mark.parametrize(
    ("first", "second", "iou"),
    [((0, 1), (0, 1), 1.0), ((0, 1), (0.5, 1.5), 1 / 3), ((0, 1), (2, 3), 0.0), ((1, 1), (1, 1), 1.0)],
)
def test_range_iou(first: tuple[float, float], second: tuple[float, float], iou: float) -> None:
    assert range_iou(first, second) == pytest.approx(iou)


def tree(*parents: int) -> Articulation:
    fixed = Joint(JointType.FIXED)
    return Articulation(tuple(Link(f"l{i}", p, fixed if p < 0 else revolute()) for i, p in enumerate(parents)))


def test_articulation_scores_follow_the_matching() -> None:
    truth, places = tree(-1, 0, 1), [np.zeros((1, 3)), X[None], 2 * X[None]]
    shuffled = tree(1, -1, 0)
    match = match_parts([places[1], places[0], places[2]], places)
    scores = articulation_scores(shuffled, truth, match)
    assert (scores.tree_accuracy, scores.success_rate, scores.type_error, scores.part_count_right) == (
        1.0,
        1.0,
        0.0,
        True,
    )


def test_a_missing_part_fails_its_joint_and_its_place() -> None:
    truth, places = tree(-1, 0, 0), [np.zeros((1, 3)), X[None], 2 * X[None]]
    scores = articulation_scores(tree(-1, 0), truth, match_parts(places[:2], places))
    assert scores.tree_accuracy == pytest.approx(2 / 3)
    assert (scores.type_error, scores.success_rate, scores.part_count_right) == (0.5, 0.5, False)


def test_a_wrong_parent_lowers_tree_accuracy() -> None:
    places = [np.zeros((1, 3)), X[None], 2 * X[None]]
    scores = articulation_scores(tree(-1, 0, 0), tree(-1, 0, 1), match_parts(places, places))
    assert scores.tree_accuracy == pytest.approx(2 / 3)
