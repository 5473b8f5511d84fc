"""Plans between the proto and the core types."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from articulation.camera import Camera
from articulation.errors import InvalidArticulation
from articulation.joint import Joint, JointType
from articulation.plan import Box, Plan, PlannedPart
from spark.convert import plan_from_proto, plan_to_proto
from spark.v1 import articulation_pb2

NUMBER = st.floats(-1, 1)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any tree of up to six parts."""
    parts = []
    for index in range(draw(st.integers(1, 6))):
        moving = draw(st.sampled_from(list(JointType))) if index else JointType.FIXED
        axis = np.array([draw(NUMBER), draw(NUMBER), draw(NUMBER) + 3])
        joint = Joint(moving, axis / np.linalg.norm(axis), np.array([draw(NUMBER), 0.1, 0.2]), 0.0, draw(NUMBER) + 1)
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
    assert got.camera == plan.camera


def test_a_bad_joint_is_named_with_its_part() -> None:
    parts = [
        PlannedPart("body", "body", -1, Box(np.zeros(3), np.ones(3)), Joint(JointType.FIXED), "wood"),
        PlannedPart("door", "door", 0, Box(np.zeros(3), np.ones(3)), Joint(JointType.REVOLUTE, upper=1.0), "wood"),
    ]
    message = plan_to_proto(Plan("safe", 1.0, tuple(parts), Camera(0, 0, 4, 0.7)))
    message.parts[1].joint.axis.z = 0
    with pytest.raises(InvalidArticulation) as caught:
        plan_from_proto(message)
    assert caught.value.field == "parts[1].joint.axis"
