"""The truth scores perfectly, everything else does not, and failures show in the summary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from articulation.camera import Camera
from training.baseline import baseline_scores, mean_shape
from training.objects import ObjectSpec, Split, generate
from training.scoring import Result, box_mesh, joined, score, summary, truth

VIEW = Camera(0.3, 0.2, 5.0, 0.6)


@pytest.fixture(scope="module")
def spec() -> ObjectSpec:
    return generate(2, Split.TEST, "refrigerator")


@pytest.fixture(scope="module")
def perfect(spec: ObjectSpec) -> Result:
    return Result(spec.plan(VIEW), truth(spec), 3.0)


def test_the_truth_scores_perfectly(spec: ObjectSpec, perfect: Result) -> None:
    out = summary([score(spec, perfect)], asked=1)
    assert out["coverage"] == out["success"] == out["tree_accuracy"] == out["part_count_accuracy"] == 1
    assert out["type_error"] == out["axis_error_rad"] == out["origin_error"] == 0
    assert out["range_iou"] == 1
    assert out["f_0_1"] == out["f_0_5"] == 1
    assert out["chamfer"] is not None and out["chamfer"] < 0.06, "two random samples of one surface"
    assert out["seconds_p50"] == 3.0


def test_the_mean_shape_is_worse_than_the_truth_but_not_absurd(spec: ObjectSpec, perfect: Result) -> None:
    own = score(spec, perfect).shape
    (mean,) = baseline_scores([spec], 6)
    assert own is not None
    assert own.chamfer * 1.5 < mean.chamfer < 0.5


def test_the_mean_shape_lies_inside_model_space() -> None:
    points = mean_shape("safe", 4)
    assert np.abs(points).max() <= 1


def test_one_blob_for_all_parts_is_punished(spec: ObjectSpec, perfect: Result) -> None:
    plan = perfect.plan
    blob = Result(replace(plan, parts=plan.parts[:1]), (joined(perfect.meshes),), 1.0)
    whole, parts = score(spec, blob), score(spec, perfect)
    assert whole.part_chamfer is not None and parts.part_chamfer is not None
    assert whole.part_chamfer > 10 * parts.part_chamfer
    assert summary([whole], asked=1)["type_error"] == 1
    assert not whole.part_count_right


def test_a_moved_part_costs_shape_but_not_joints(spec: ObjectSpec, perfect: Result) -> None:
    moved = replace(perfect.meshes[1], vertices=np.add(perfect.meshes[1].vertices, (0.0, 0.0, 0.3)))
    out = score(spec, replace(perfect, meshes=(perfect.meshes[0], moved, *perfect.meshes[2:])))
    right = score(spec, perfect)
    assert out.shape is not None and right.shape is not None
    assert out.shape.chamfer > right.shape.chamfer
    assert out.joints == right.joints


def test_a_wrong_axis_fails_its_joint_alone(spec: ObjectSpec, perfect: Result) -> None:
    part = perfect.plan.parts[1]
    flipped = replace(part, joint=replace(part.joint, axis=-part.joint.axis))
    plan = replace(perfect.plan, parts=(perfect.plan.parts[0], flipped, *perfect.plan.parts[2:]))
    joints = score(spec, replace(perfect, plan=plan)).joints
    assert joints[0].type_right and not joints[0].success
    assert joints[0].axis == pytest.approx(np.pi)
    assert joints[0].axis_sign_free == pytest.approx(0)
    assert all(joint.success for joint in joints[1:])


def test_a_plan_alone_is_scored_by_its_boxes(spec: ObjectSpec, perfect: Result) -> None:
    out = score(spec, replace(perfect, meshes=()))
    assert out.shape is None and out.part_chamfer is None
    assert all(joint.success for joint in out.joints)


def test_failures_lower_coverage_only(spec: ObjectSpec, perfect: Result) -> None:
    good = score(spec, perfect)
    assert summary([good], asked=4) == {**summary([good], asked=1), "n": 4, "coverage": 0.25}
    assert summary([], asked=4)["chamfer"] is None


def test_box_mesh_is_the_box(spec: ObjectSpec) -> None:
    box = spec.plan(VIEW).parts[0].box
    surface = box_mesh(box)
    mesh = trimesh.Trimesh(surface.vertices, surface.faces)
    assert mesh.is_volume
    assert mesh.volume == pytest.approx(8 * np.prod(box.half_extent))
