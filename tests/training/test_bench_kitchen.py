"""The kitchen benchmark: what it pictures, and that it starts and scores as the other refinement benchmark does."""

import json

import mujoco
import numpy as np
import pytest

from articulation.camera import Camera
from articulation.joint import JointType
from articulation.plan import Plan
from spark.convert import plan_from_proto
from training import bench_kitchen
from training.bench_kitchen import Shot, report, trial
from training.bench_refine import Outcome
from training.outside.mjcf import read
from training.refine_cases import CameraError, errors

CUPBOARD = """
<mujoco><worldbody>
  <geom type="box" size="0.3 0.2 0.4"/>
  <body pos="-0.3 -0.21 0"><joint name="hinge" axis="0 0 1" range="-1.5 0"/>
    <geom type="box" size="0.3 0.01 0.4" pos="0.3 0 0"/></body>
</worldbody></mujoco>"""


@pytest.fixture
def shot() -> Shot:
    imported = read(mujoco.MjModel.from_xml_string(CUPBOARD), {"hinge": "door"}, "wood")
    picture = np.full((8, 8, 3), 255, dtype=np.uint8)
    plan = Plan("storage_furniture", imported.size, imported.parts, Camera(0.3, 0.2, 5.0, 0.7))
    return Shot("cupboard_0", plan, imported, picture, picture, np.array([0.0, 0.8]))


def test_labelled_joints_start_wrong_and_the_rest_as_it_is(shot: Shot) -> None:
    wrong = trial(shot, np.random.default_rng(0))
    assert set(wrong.truth) == {1}
    assert wrong.truth[1].type is JointType.REVOLUTE
    (error,) = errors(wrong, wrong.start)
    assert np.degrees(error.axis) == pytest.approx(20)
    assert wrong.start.camera != wrong.camera == shot.plan.camera


def test_the_request_has_meshes_pictures_and_openings_of_all_parts(shot: Shot) -> None:
    request = trial(shot, np.random.default_rng(0)).request
    assert len(request.part_meshes) == len(plan_from_proto(request.plan).parts) == 2
    assert request.opening[0] == 0
    assert request.opening[1] == pytest.approx(0.8, rel=0.31)


def test_other_starts_differ(shot: Shot) -> None:
    first, second = (trial(shot, np.random.default_rng(seed)).start.parts[1].joint.axis for seed in (0, 1))
    assert not np.allclose(first, second)


def test_the_report_has_the_keys_of_bench_refine(shot: Shot) -> None:
    wrong = trial(shot, np.random.default_rng(0))
    before, after = errors(wrong, wrong.start), errors(wrong, shot.plan)
    camera = CameraError.of(wrong.start.camera, wrong.camera, wrong.points)
    figures = report([Outcome(before, after, (camera, camera), 2.0, 0)])
    assert figures["ground_truth_shapes"]["axis_error_deg_median"] == pytest.approx(0)
    assert figures["ground_truth_shapes"]["seconds_p50"] == 2
    assert figures["no_refinement"]["axis_error_deg_median"] == pytest.approx(20)
    assert figures["no_refinement"]["seconds_p50"] == 0
    assert figures["ground_truth_shapes"].keys() == figures["no_refinement"].keys()
    json.dumps(figures, allow_nan=False)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_kitchen, "PACKAGE", "no_such_package")
    with pytest.raises(bench_kitchen.typer.BadParameter, match="no_such_package"):
        bench_kitchen.installed()
