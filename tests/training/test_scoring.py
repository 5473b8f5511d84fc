"""The truth scores perfectly, and everything else does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from articulation.camera import Camera
from training.baseline import mean_shape, mean_shape_scores
from training.objects import Split, generate
from training.scoring import Result, Truth, box_mesh, joined, joint_summary, score, shape_summary, tree_summary

VIEW = Camera(0.3, 0.2, 5.0, 0.6)


@pytest.fixture(scope="module")
def truth() -> Truth:
    seeds = (generate(seed, Split.TEST, "refrigerator") for seed in range(20))
    return Truth.of(next(spec for spec in seeds if 3 <= len(spec.links) <= 5))


@pytest.fixture(scope="module")
def perfect(truth: Truth) -> Result:
    return Result(truth.spec.plan(VIEW), truth.meshes)


def test_the_truth_scores_perfectly(truth: Truth, perfect: Result) -> None:
    found = score(truth, perfect)
    out = {**joint_summary([found]), **tree_summary([found]), **shape_summary([found])}
    assert out["success"] == out["tree_accuracy"] == out["part_count_accuracy"] == 1
    assert out["type_error"] == out["axis_error_rad"] == out["origin_error"] == 0
    assert out["range_iou"] == 1
    assert out["f_0_1"] == out["f_0_5"] == 1
    assert out["chamfer"] is not None and out["chamfer"] < 0.08, "two random samples of one surface"
    assert out["part_chamfer"] is not None and out["part_chamfer"] < 0.05
    assert found.plan_right


def test_the_mean_shape_is_worse_than_the_truth_but_not_absurd(truth: Truth, perfect: Result) -> None:
    own, mean = score(truth, perfect).shape, mean_shape_scores(truth, 6)
    assert own is not None
    assert own.chamfer < mean.chamfer < 0.5
    assert own.f_0_1 > mean.f_0_1


def test_the_mean_shape_lies_inside_model_space() -> None:
    points = mean_shape("safe", 4)
    assert np.abs(points).max() <= 1


def test_one_blob_for_all_parts_is_punished(truth: Truth, perfect: Result) -> None:
    plan = perfect.plan
    blob = Result(replace(plan, parts=plan.parts[:1]), (joined(perfect.meshes),))
    whole, parts = score(truth, blob), score(truth, perfect)
    assert whole.part_chamfer is not None and parts.part_chamfer is not None
    assert whole.part_chamfer > 10 * parts.part_chamfer
    assert joint_summary([whole])["type_error"] == 1
    assert not whole.part_count_right


def test_a_moved_part_costs_shape_but_not_joints(truth: Truth, perfect: Result) -> None:
    moved = replace(perfect.meshes[1], vertices=np.add(perfect.meshes[1].vertices, (0.0, 0.0, 0.3)))
    out = score(truth, replace(perfect, meshes=(perfect.meshes[0], moved, *perfect.meshes[2:])))
    right = score(truth, perfect)
    assert out.shape is not None and right.shape is not None
    assert out.shape.chamfer > right.shape.chamfer
    assert out.joints == right.joints


def test_a_wrong_axis_fails_its_joint_and_its_confidence_alone(truth: Truth, perfect: Result) -> None:
    part = perfect.plan.parts[1]
    flipped = replace(part, joint=replace(part.joint, axis=-part.joint.axis, confidence=0.75))
    plan = replace(perfect.plan, parts=(perfect.plan.parts[0], flipped, *perfect.plan.parts[2:]))
    found = score(truth, replace(perfect, plan=plan))
    joints = found.joints
    assert joints[0].type_right and not joints[0].success
    assert joints[0].axis == pytest.approx(np.pi)
    assert joints[0].axis_sign_free == pytest.approx(0)
    assert all(joint.success for joint in joints[1:])
    assert (found.beliefs[0].confidence, found.beliefs[0].right) == (0.75, False)
    assert all(belief.right for belief in found.beliefs[1:])


def test_the_confidence_in_a_part_that_does_not_exist_is_wrong(truth: Truth, perfect: Result) -> None:
    extra = replace(perfect.plan.parts[1], name="ghost")
    plan = replace(perfect.plan, parts=(*perfect.plan.parts, extra))
    shifted = replace(perfect.meshes[1], vertices=perfect.meshes[1].vertices + 5)
    found = score(truth, Result(plan, (*perfect.meshes, shifted)))
    assert [belief.right for belief in found.beliefs].count(False) == 1
    assert not found.beliefs[-1].right


def test_a_plan_alone_is_scored_by_its_boxes(truth: Truth, perfect: Result) -> None:
    out = score(truth, replace(perfect, meshes=()))
    assert out.shape is None and out.part_chamfer is None
    assert all(joint.success for joint in out.joints)


def test_box_mesh_is_the_box(perfect: Result) -> None:
    box = perfect.plan.parts[0].box
    surface = box_mesh(box)
    mesh = trimesh.Trimesh(surface.vertices, surface.faces)
    assert mesh.is_volume
    assert mesh.volume == pytest.approx(8 * np.prod(box.half_extent))
