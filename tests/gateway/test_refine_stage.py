"""What the refine stage hands on: time, warnings, and joints that are too doubtful for the caller."""

import json

import pytest
from gateway_fixtures import Api, local_gateway, toy_settings
from toy_services import ToyServices

from gateway.stages.refine import LATE, UNUSABLE
from serving.errors import DeadlineExceeded, InvalidImage, SparkError
from serving.status import from_status
from spark.v1 import reconstruction_service_pb2 as pb

UNSURE = {"part_hints": ["behave: unsure"]}  # the plan at 0.3, the door at 0.25


def joints(done: pb.Reconstruction) -> list[str]:
    return [warning for warning in done.warnings if "door" in warning]


async def test_the_service_has_less_than_the_time_of_the_stage(toys: ToyServices, tmp_path) -> None:
    async with local_gateway(toy_settings(tmp_path, toys, stage_timeout_seconds=60)) as api:
        await api.wait(await api.create())
    assert 30 < toys.board.time_budget < 60


async def test_warnings_of_the_service_reach_the_caller_and_the_stage(api: Api, toys: ToyServices) -> None:
    toys.board.refinement_warning = "It was cut short."
    done = await api.wait(await api.create())
    assert list(done.warnings) == list(done.stages[-1].warnings) == ["It was cut short."]


@pytest.mark.parametrize(
    ("error", "warning"),
    [(DeadlineExceeded("the toy is late"), LATE), (InvalidImage.at("open_image", "shows no object"), UNUSABLE)],
    ids=["late", "blank"],
)
async def test_a_service_without_an_answer_leaves_the_planned_joints(
    api: Api, toys: ToyServices, error: SparkError, warning: str
) -> None:
    toys.board.refinement_error = error
    done = await api.wait(await api.create())
    assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, done.error
    assert list(done.warnings) == [warning]
    assert done.plan.parts[1].joint.origin.z == pytest.approx(0.5)  # the toy would have moved it


async def test_a_doubtful_joint_is_flagged_unless_the_caller_says_otherwise(api: Api) -> None:
    done = await api.wait(await api.create(**UNSURE))
    assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, done.error
    assert joints(done) == ["Joints that are right with a probability below 0.50: door (0.25)."]


@pytest.mark.parametrize(("least", "doubtful"), [(0.0, 0), (0.25, 0), (0.26, 1), (1.0, 1)])
async def test_the_caller_draws_the_line(api: Api, least: float, doubtful: int) -> None:
    done = await api.wait(await api.create(min_joint_confidence=least, last_stage=pb.STAGE_PLAN, **UNSURE))
    assert len(joints(done)) == doubtful


async def test_a_doubtful_joint_is_refused_by_name_where_the_caller_asks(api: Api) -> None:
    options = {"min_joint_confidence": 0.8, "doubtful_joints": pb.DOUBTFUL_JOINTS_REFUSE}
    failed = await api.wait(await api.create(**options))  # the toy is sure of its door with 0.75
    error = from_status(failed.error)
    assert error.reason == "JOINTS_DOUBTFUL"
    assert error.metadata == {"joints": "door", "stage": "refine"}
    assert "door (0.75)" in error.message
    assert [stage.stage for stage in failed.stages] == [1, 2, 3, 4]


async def test_joints_that_are_sure_enough_are_not_refused(api: Api) -> None:
    options = {"min_joint_confidence": 0.7, "doubtful_joints": pb.DOUBTFUL_JOINTS_REFUSE}
    assert (await api.wait(await api.create(**options))).state == pb.RECONSTRUCTION_STATE_SUCCEEDED


async def test_planned_joints_that_were_not_refined_in_time_are_refused_too(api: Api, toys: ToyServices) -> None:
    toys.board.refinement_error = DeadlineExceeded("the toy is late")
    options = {"min_joint_confidence": 0.8, "doubtful_joints": pb.DOUBTFUL_JOINTS_REFUSE}
    failed = await api.wait(await api.create(**options))
    assert from_status(failed.error).reason == "JOINTS_DOUBTFUL"


async def test_the_report_has_the_warnings(api: Api, toys: ToyServices) -> None:
    toys.board.refinement_warning = "It was cut short."
    done = await api.wait(await api.create(last_stage=pb.STAGE_UNSPECIFIED, min_joint_confidence=0.8), seconds=90)
    digest = next(a.digest for a in done.stages[-1].artifacts if a.path == "asset/report.json")
    report = json.loads(await api.download(digest))
    assert report["warnings"] == list(done.warnings)
    assert "door (0.75)" in report["warnings"][0]
