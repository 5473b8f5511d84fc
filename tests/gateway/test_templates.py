"""A caller's own plan, with a joint that follows another, from the request to the asset."""

import pytest
from gateway_fixtures import Api, refusal
from toy_services import ToyServices

from articulation.joint import Mimic
from articulation.urdf import read_urdf
from serving.status import from_status
from spark.v1 import articulation_pb2
from spark.v1 import reconstruction_service_pb2 as pb

KNOB = 2
"""Of the toy's plan: on the door, which is part 1."""


@pytest.fixture
async def template(api: Api) -> articulation_pb2.ArticulationPlan:
    """The toy's own plan, whose knob turns twice as far as the door."""
    plan = (await api.wait(await api.create(last_stage=pb.STAGE_PLAN))).plan
    knob = plan.parts[KNOB].joint
    knob.MergeFrom(plan.parts[1].joint)
    knob.axis.CopyFrom(articulation_pb2.Vector3(z=1))
    knob.origin.CopyFrom(plan.parts[KNOB].box.center)
    knob.mimic.CopyFrom(articulation_pb2.Mimic(leader="door", multiplier=2))
    return plan


async def test_a_template_is_the_plan_and_no_model_plans(
    api: Api, toys: ToyServices, template: articulation_pb2.ArticulationPlan
) -> None:
    toys.board.calls.clear()
    done = await api.wait(await api.create(template=template, last_stage=pb.STAGE_PLAN))
    assert done.plan == template
    assert not toys.board.calls
    assert not done.stages[0].models


async def test_a_joint_of_a_template_follows_in_the_asset(
    api: Api, template: articulation_pb2.ArticulationPlan
) -> None:
    done = await api.wait(await api.create(template=template, last_stage=pb.STAGE_UNSPECIFIED), seconds=90)
    assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, done.error
    digests = {artifact.path: artifact.digest for artifact in done.stages[-1].artifacts}
    tree = read_urdf(await api.download(digests["asset/asset.urdf"])).articulation
    assert [link.joint.mimic for link in tree] == [None, None, Mimic("door", 2.0)]


async def test_a_template_that_describes_no_object_is_refused_at_once(
    api: Api, toys: ToyServices, template: articulation_pb2.ArticulationPlan
) -> None:
    template.parts[KNOB].joint.mimic.leader = "gone"
    error = await refusal(api.create(template=template, validate_only=True))
    assert error.reason == "PLAN_INVALID"
    assert [violation.field for violation in error.violations] == ["options.template.parts[2].joint.mimic"]


async def test_a_template_less_sure_than_demanded_is_refused(
    api: Api, template: articulation_pb2.ArticulationPlan
) -> None:
    failed = await api.wait(await api.create(template=template, min_confidence=0.9))
    assert from_status(failed.error).reason == "IMAGE_REFUSED"
