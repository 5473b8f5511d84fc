"""The refinement benchmark: how wrong its starts are, what it counts, and that it goes on where it was broken off."""

import json
from dataclasses import replace

import numpy as np
import pytest
from perfect_runs import perfect_run

from articulation.joint import Joint, JointType
from articulation.metrics import angle_between
from articulation.plan import Box, PlannedPart
from spark.convert import plan_from_proto
from training import bench_refine, refine_cases
from training.bench_refine import Bench, Outcome
from training.draw import Split
from training.eval_case import CaseFolder, Subject
from training.refine_cases import CameraError, JointError, Trial, disturbed_joint

HINGE = Joint(JointType.REVOLUTE, np.array([0.0, 1.0, 0.0]), np.array([0.5, 0.0, 0.2]), 0.0, 1.8)
SLIDE = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, 1.0]), np.zeros(3), 0.0, 0.4)
CENTER = np.array([0.1, 0.2, 0.3])


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject.draw(Split.VAL, 5, 1)


@pytest.fixture(scope="module")
def trial(subject: Subject) -> Trial:
    return refine_cases.with_true_shapes(subject)


@pytest.fixture
def no_refinement(monkeypatch: pytest.MonkeyPatch) -> list[Trial]:
    """`outcome` that leaves every start as it is, and the trials that it was given."""
    asked: list[Trial] = []

    def outcome(trial: Trial) -> Outcome:
        asked.append(trial)
        errors = refine_cases.errors(trial, trial.start)
        camera = CameraError.of(trial.start.camera, trial.camera, trial.points)
        return Outcome(errors, errors, (camera, camera), 1.0, trial.missed)

    monkeypatch.setattr(bench_refine, "outcome", outcome)
    return asked


@pytest.mark.parametrize("joint", [HINGE, SLIDE])
def test_starts_are_off_by_what_the_goal_says(joint: Joint) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        wrong = disturbed_joint(joint, CENTER, rng)
        shift = wrong.origin - (joint.origin if wrong.type is joint.type or joint.type.rotates else CENTER)
        assert angle_between(wrong.axis, joint.axis) == pytest.approx(np.radians(20))
        assert np.linalg.norm(shift) == pytest.approx(0.15)
        assert shift @ wrong.axis == pytest.approx(0, abs=1e-9)


def test_one_type_in_five_is_swapped() -> None:
    rng = np.random.default_rng(1)
    swapped = [disturbed_joint(joint, CENTER, rng).type is not joint.type for joint in [HINGE, SLIDE] * 500]
    assert np.mean(swapped) == pytest.approx(0.2, abs=0.03)


def test_no_start_is_believed_as_none_is_right(trial: Trial) -> None:
    assert {trial.start.parts[index].joint.confidence for index in trial.truth} == {0.0}


def test_the_request_asks_for_an_opening_of_moving_parts_only(subject: Subject, trial: Trial) -> None:
    moves = [link.joint.type.moves for link in subject.spec.links]
    assert [share > 0 for share in trial.request.opening] == moves
    assert set(trial.truth) == set(np.flatnonzero(moves))


def test_a_reconstruction_starts_from_its_own_plan_with_disturbed_true_joints(subject: Subject) -> None:
    run = perfect_run(subject.spec, subject.camera)
    trial = refine_cases.with_own_shapes(subject, run)
    exact = run.plan("shape")
    assert trial.missed == 0
    assert trial.start.camera == exact.camera
    for index, truth in trial.truth.items():
        assert angle_between(trial.start.parts[index].joint.axis, truth.axis) == pytest.approx(np.radians(20))
    sent = plan_from_proto(trial.request.plan)
    assert [part.box.center.tolist() for part in sent.parts] == [part.box.center.tolist() for part in exact.parts]


DOOR = PlannedPart("door_1", "door", 0, Box(np.array([0.0, 0.0, 0.2]), np.array([0.5, 0.4, 0.03])), HINGE, "wood")


def test_a_joint_of_the_wrong_type_has_an_axis_but_no_line() -> None:
    error = JointError.of(DOOR, replace(SLIDE, axis=HINGE.axis), HINGE)
    assert error == JointError("door", False, 0.0, None, None)


def test_a_wheel_is_not_a_hinge_but_turns_about_a_line_too() -> None:
    wheel = replace(HINGE, type=JointType.CONTINUOUS, axis=-HINGE.axis)
    error = JointError.of(DOOR, HINGE, wheel)
    assert not error.type_right
    assert error.axis == pytest.approx(0)
    assert error.origin == error.offset == pytest.approx(0)


def test_a_tilted_line_that_meets_the_true_one_far_away_is_off_beside_the_part() -> None:
    tilt = np.radians(20)
    tilted = replace(HINGE, axis=np.array([np.sin(tilt), np.cos(tilt), 0.0]), origin=np.array([0.5, 1.0, 0.2]))
    error = JointError.of(DOOR, tilted, HINGE)
    assert error.origin == pytest.approx(0, abs=1e-9)
    assert error.offset == pytest.approx(np.sin(tilt))


def test_a_part_that_was_fixed_is_off_by_all() -> None:
    assert JointError.of(DOOR, Joint(JointType.FIXED), HINGE) == JointError("door", False, np.pi, None, None)


START = JointError("door", True, np.radians(20), 0.05, 0.1)


@pytest.mark.parametrize(
    ("end", "worse"),
    [
        (START, False),
        (replace(START, axis=np.radians(21.9), offset=0.119), False),
        (replace(START, axis=np.radians(22.1)), True),
        (replace(START, offset=0.121), True),
        (replace(START, axis=0.0, origin=None, offset=None, type_right=False), True),
    ],
)
def test_worse_is_beyond_a_small_tolerance(end: JointError, worse: bool) -> None:
    assert end.worse_than(START) == worse


def test_a_camera_shifted_by_a_tenth_of_the_picture(trial: Trial) -> None:
    shifted = replace(trial.camera, shift=(trial.camera.shift[0] + 0.2, trial.camera.shift[1]))
    error = CameraError.of(shifted, trial.camera, trial.points)
    assert error == CameraError(0.0, 0.0, pytest.approx(0.1))


def test_the_report_has_each_condition_with_the_keys_of_the_goals(tmp_path, subject, no_refinement) -> None:
    refined = Bench(tmp_path, CaseFolder(tmp_path / "cases")).refined(subject)
    figures = bench_refine.report([refined])
    assert set(figures) == {"ground_truth_shapes", "compact", "no_refinement"}
    for values in figures.values():
        assert values.keys() >= {
            "n", "axis_error_deg_median", "axis_error_deg_p90", "origin_error_median", "type_accuracy",
            "worse_than_start", "seconds_p50",
        }  # fmt: skip
    assert figures["no_refinement"]["axis_error_deg_median"] == pytest.approx(20)
    assert figures["no_refinement"]["worse_than_start"] == 0
    assert figures["compact"]["n"] == 0
    json.dumps(figures, allow_nan=False)
    assert "| n | 1 | 0 | 1 |" in bench_refine.table(figures)


def test_a_stored_object_is_not_refined_again(tmp_path, subject, no_refinement) -> None:
    bench = Bench(tmp_path, CaseFolder(tmp_path / "cases"))
    first, second = bench.refined(subject), bench.refined(subject)
    assert first == second
    assert len(no_refinement) == 1


def test_a_reconstruction_that_was_missing_is_refined_later(tmp_path, subject, no_refinement) -> None:
    cases = CaseFolder(tmp_path / "cases")
    assert Bench(tmp_path, cases).refined(subject).own_shapes is None
    cases.save_run(subject, perfect_run(subject.spec, subject.camera))
    assert Bench(tmp_path, cases).refined(subject).own_shapes is not None
    assert len(no_refinement) == 2
