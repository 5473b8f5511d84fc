"""What the report says of many cases: calibration, splits side by side, tables, and pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from perfect_runs import perfect_run
from PIL import Image

from articulation.camera import Camera
from articulation.joint import Joint, JointType
from articulation.metrics import JointScores
from articulation.plan import Box, PlannedPart
from training.draw import Split
from training.eval_case import Subject
from training.eval_gallery import close_up, draw_joints, grid, joint_segment, montage, sheet, write_jpeg
from training.eval_measure import measure
from training.eval_summary import calibration, joint_failures, times_worse
from training.evaluation_report import table
from training.scoring import Belief, Truth


def test_confidence_that_comes_true_as_often_as_it_says_is_calibrated() -> None:
    found = calibration([Belief(0.75, right) for right in (True, True, True, False)])
    assert found["expected_calibration_error"] == pytest.approx(0)
    assert found["bins"] == [{"from": 0.7, "to": 0.8, "n": 4, "confidence": 0.75, "right": 0.75}]


def test_calibration_error_weighs_bins_by_their_counts() -> None:
    sure, unsure = [Belief(1.0, False)] * 3, [Belief(0.25, False)]
    assert calibration(sure + unsure)["expected_calibration_error"] == pytest.approx((3 * 1.0 + 0.25) / 4)


@given(st.lists(st.builds(Belief, st.floats(0, 1), st.booleans()), max_size=30))
def test_every_belief_falls_into_one_bin(beliefs: list[Belief]) -> None:
    found = calibration(beliefs)
    assert sum(row["n"] for row in found["bins"]) == found["n"] == len(beliefs)
    assert all(row["from"] <= row["confidence"] <= row["to"] + 1e-9 for row in found["bins"])
    assert found["expected_calibration_error"] is None or 0 <= found["expected_calibration_error"] <= 1


def test_times_worse_knows_which_way_is_good() -> None:
    test = {"n": 9, "chamfer": 0.3, "success": 0.4, "type_error": 0.1, "texture_psnr": None}
    validation = {"n": 5, "chamfer": 0.1, "success": 0.8, "type_error": 0.0, "texture_psnr": 20.0}
    assert times_worse(test, validation) == pytest.approx(
        {"chamfer": 3.0, "success": 2.0, "type_error": None, "texture_psnr": None}
    )


def test_tables_leave_unknown_values_empty() -> None:
    assert table(["metric", "value"], [("chamfer", 0.123456), ("n", 3), ("f", None)]) == [
        "| metric | value |", "| --- | --- |", "| chamfer | 0.1235 |", "| n | 3 |", "| f |  |",
    ]  # fmt: skip


def part(joint: Joint) -> PlannedPart:
    return PlannedPart("door", "door", 0, Box(np.array([0.0, 0.2, 0.5]), np.array([0.5, 0.3, 0.05])), joint, "wood")


def test_a_hinge_is_drawn_along_its_part() -> None:
    hinge = Joint(JointType.REVOLUTE, np.array([0.0, 1.0, 0.0]), np.array([-0.5, -3.0, 0.5]), 0.0, 1.5)
    assert joint_segment(part(hinge)) == pytest.approx(np.array([[-0.5, -0.1, 0.5], [-0.5, 0.5, 0.5]]))


def test_a_slide_is_drawn_as_far_as_it_goes() -> None:
    slide = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, 1.0]), np.zeros(3), 0.0, 0.4)
    assert joint_segment(part(slide)) == pytest.approx(np.array([[0.0, 0.2, 0.5], [0.0, 0.2, 0.9]]))


def test_joints_are_drawn_where_the_camera_sees_them() -> None:
    subject = Subject.draw(Split.VAL, 1, 0)
    photo = np.full((200, 200, 3), 255, np.uint8)
    plan = subject.spec.plan(subject.camera)
    moving = next(part for part in plan.parts if part.joint.type is JointType.REVOLUTE)
    image, _ = subject.camera.project(joint_segment(moving).mean(0))
    column, row = ((image + 1) * 100).astype(int)
    assert (draw_joints(photo, plan)[row - 1 : row + 2, column - 1 : column + 2] < 255).any()


def test_sheet_and_montage_show_every_picture(tmp_path: Path) -> None:
    subject = Subject.draw(Split.VAL, 1, 0)
    run = perfect_run(subject.spec, subject.camera)
    page = sheet(subject, run)
    assert page.shape[0] >= 3 * 224, "two rows and one of parts"
    many = montage([run] * 4)
    assert many.shape[1] > 2 * many.shape[0], "three results a row, three pictures each"
    write_jpeg(tmp_path / "all.jpg", many, 40_000)
    assert (tmp_path / "all.jpg").stat().st_size < 40_000
    assert Image.open(tmp_path / "all.jpg").size == many.shape[1::-1]


def test_close_up_cuts_both_pictures_alike_and_loses_nothing() -> None:
    one, other = np.full((2, 100, 100, 3), 255, np.uint8)
    one[40:60, 45:50], other[50:52, 30:60] = 0, 0
    first, second = close_up([one, other])
    assert first is not None and second is not None
    assert first.shape == second.shape and first.shape[0] == first.shape[1] < 40
    assert (first == 0).sum() == (one == 0).sum() and (second == 0).sum() == (other == 0).sum()


def test_grid_leaves_white_where_tiles_are_missing() -> None:
    black = np.zeros((2, 2, 3), np.uint8)
    out = grid([black] * 3, columns=2, gap=0)
    assert out.shape == (4, 4, 3)
    assert (out[2:, 2:] == 255).all() and (out[:2] == 0).all()


def test_a_joint_behind_the_camera_is_left_out() -> None:
    hinge = Joint(JointType.REVOLUTE, np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 9.0]), 0.0, 1.5)
    subject = Subject.draw(Split.VAL, 1, 0)
    plan = subject.spec.plan(Camera(0.0, 0.0, 4.0, 0.6))
    behind = PlannedPart("door", "door", 0, Box(np.array([0.0, 0.0, 9.0]), np.full(3, 0.1)), hinge, "wood")
    photo = np.full((64, 64, 3), 255, np.uint8)
    fixed = type(plan)(plan.category, plan.size, (plan.parts[0], behind), plan.camera)
    assert (draw_joints(photo, fixed) == 255).all()


def test_what_is_wrong_with_a_joint_is_said_once() -> None:
    subject = Subject.draw(Split.VAL, 1, 0)
    measures = measure(Truth.of(subject.spec), subject.camera, perfect_run(subject.spec, subject.camera))
    joints = (
        JointScores(True, 0.0, 0.0, 0.0, 1.0, True),
        JointScores(False, None, None, None, None, False),
        JointScores(True, np.pi, 0.0, 0.0, 1.0, False),
        JointScores(True, 1.0, 1.0, 0.3, 1.0, False),
        JointScores(True, 0.0, 0.0, 0.3, 1.0, False),
    )
    found = joint_failures([replace(measures, complete=replace(measures.complete, joints=joints))])
    assert list(found.values()) == [1] * 5
