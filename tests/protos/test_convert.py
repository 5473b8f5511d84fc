"""Plans between the proto and the core types."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from articulation.camera import Camera
from articulation.errors import InvalidArticulation
from articulation.joint import Joint, JointType, Mimic
from articulation.plan import Box, Plan, PlannedPart
from spark.convert import plan_from_proto, plan_to_proto
from spark.v1 import articulation_pb2

NUMBER = st.floats(-1, 1)


def leads(leader: Joint, joint: Joint) -> bool:
    """Whether a joint may follow that one."""
    alike = leader.type.rotates == joint.type.rotates
    return leader.mimic is None and leader.type.moves and joint.type.moves and alike


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any tree of up to six parts."""
    parts = []
    for index in range(draw(st.integers(1, 6))):
        moving = draw(st.sampled_from(list(JointType))) if index else JointType.FIXED
        axis = np.array([draw(NUMBER), draw(NUMBER), draw(NUMBER) + 3])
        joint = Joint(moving, axis / np.linalg.norm(axis), np.array([draw(NUMBER), 0.1, 0.2]), 0.0, draw(NUMBER) + 1)
        leaders = [other.name for other in parts if leads(other.joint, joint)]
        if leader := draw(st.sampled_from(["", *leaders])):
            joint = replace(joint, mimic=Mimic(leader, draw(NUMBER) + 2, draw(NUMBER)))
        box = Box(np.array([draw(NUMBER), 0, 0]), np.array([0.1, 0.2, draw(st.floats(0.01, 1))]))
        parent = draw(st.integers(0, index - 1)) if index else -1
        parts.append(PlannedPart(f"part_{index}", "part", parent, box, joint, "metal", "a part", 0.5))
    camera = Camera(draw(NUMBER), draw(NUMBER), 4.0, 0.7, (draw(NUMBER), 0.0))
    return Plan("safe", draw(st.floats(0.01, 20)), tuple(parts), camera, 0.25)


@given(plans())
def test_a_plan_survives_the_wire(plan: Plan) -> None:
    sent = plan_to_proto(plan)
    got = plan_from_proto(articulation_pb2.ArticulationPlan.FromString(sent.SerializeToString()))
    assert plan_to_proto(got) == sent
    assert np.array_equal(got.parts[-1].joint.axis, plan.parts[-1].joint.axis)
    assert [part.joint.mimic for part in got.parts] == [part.joint.mimic for part in plan.parts]
    assert got.camera == plan.camera


@pytest.fixture
def two_doors() -> articulation_pb2.ArticulationPlan:
    box = Box(np.zeros(3), np.ones(3))
    doors = (
        PlannedPart(name, "door", 0, box, Joint(JointType.REVOLUTE, upper=1.0), "wood") for name in ("left", "right")
    )
    body = PlannedPart("body", "body", -1, box, Joint(JointType.FIXED), "wood")
    return plan_to_proto(Plan("safe", 1.0, (body, *doors), Camera(0, 0, 4, 0.7)))


def test_a_bad_joint_is_named_with_its_part(two_doors: articulation_pb2.ArticulationPlan) -> None:
    two_doors.parts[1].joint.axis.z = 0
    with pytest.raises(InvalidArticulation) as caught:
        plan_from_proto(two_doors)
    assert caught.value.field == "parts[1].joint.axis"


def test_a_joint_follows_one_to_one_unless_told(two_doors: articulation_pb2.ArticulationPlan) -> None:
    two_doors.parts[2].joint.mimic.leader = "left"
    assert plan_from_proto(two_doors).parts[2].joint.mimic == Mimic("left", 1.0, 0.0)


def test_a_multiplier_of_zero_is_not_one(two_doors: articulation_pb2.ArticulationPlan) -> None:
    two_doors.parts[2].joint.mimic.leader = "left"
    two_doors.parts[2].joint.mimic.multiplier = 0.0
    with pytest.raises(InvalidArticulation, match="not zero"):
        plan_from_proto(two_doors)


def test_a_joint_that_follows_nothing_is_named_with_its_part(two_doors: articulation_pb2.ArticulationPlan) -> None:
    two_doors.parts[2].joint.mimic.leader = "gone"
    with pytest.raises(InvalidArticulation) as caught:
        plan_from_proto(two_doors)
    assert caught.value.field == "parts[2].joint.mimic"
