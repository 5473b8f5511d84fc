"""What happens to a plan on its way."""

from dataclasses import replace

import numpy as np
import pytest

from articulation.camera import Camera
from articulation.joint import Joint, JointType, Mimic
from articulation.plan import Box, Plan, PlannedPart
from gateway.plans import check_plan, openings, plan_from_json, plan_to_json, without_parts
from serving.errors import EmptyPart, InvalidPlan
from spark.convert import plan_to_proto
from spark.v1 import articulation_pb2


def make_plan() -> Plan:
    """body <- door <- knob, and body <- drawer."""
    box = Box(np.zeros(3), np.full(3, 0.1))
    hinge = Joint(JointType.REVOLUTE, np.array([0.0, -1, 0]), upper=1.5)
    parts = [("body", -1, Joint(JointType.FIXED)), ("door", 0, hinge), ("knob", 1, Joint(JointType.FIXED))]
    slide = Joint(JointType.PRISMATIC, np.array([0.0, 0, 1]), upper=0.4)
    return Plan(
        "safe",
        0.5,
        tuple(PlannedPart(n, n, p, box, j, "wood") for n, p, j in [*parts, ("drawer", 0, slide)]),
        Camera(0.1, 0.2, 4, 0.7),
    )


def test_json_brings_the_same_plan_back() -> None:
    plan = make_plan()
    assert plan_to_proto(plan_from_json(plan_to_json(plan))) == plan_to_proto(plan)


def test_only_moving_parts_are_opened() -> None:
    assert [opening > 0 for opening in openings(make_plan())] == [False, True, False, True]


@pytest.mark.parametrize(
    ("empty", "left"),
    [({2}, [("body", -1), ("door", 0), ("drawer", 0)]), ({1, 2}, [("body", -1), ("drawer", 0)])],
    ids=["leaf", "branch"],
)
def test_empty_branches_are_left_out(empty: set[int], left: list[tuple[str, int]]) -> None:
    assert [(part.name, part.parent) for part in without_parts(make_plan(), empty).parts] == left


@pytest.mark.parametrize(("empty", "name"), [({0}, "body"), ({1}, "door"), ({0, 1, 2, 3}, "body")])
def test_what_others_hang_on_must_not_be_empty(empty: set[int], name: str) -> None:
    with pytest.raises(EmptyPart) as caught:
        without_parts(make_plan(), empty)
    assert caught.value.metadata == {"part": name}


def test_what_followed_an_empty_part_moves_by_itself() -> None:
    plan = make_plan()
    body, door, knob, drawer = plan.parts
    follows = replace(door.joint, mimic=Mimic("drawer"))
    turned = replace(plan, parts=(body, replace(door, joint=follows), knob, replace(drawer, joint=door.joint)))
    assert without_parts(turned, {2}).parts[1].joint.mimic == Mimic("drawer")
    assert without_parts(turned, {3}).parts[1].joint.mimic is None


def _spoil(field: str, message: articulation_pb2.ArticulationPlan) -> None:
    parts = message.parts
    match field:
        case "cycle":
            parts[1].parent_index = 2
        case "two roots":
            parts[3].parent_index = -1
        case "dangling parent":
            parts[3].parent_index = 9
        case "NaN":
            parts[1].joint.origin.x = float("nan")
        case "zero axis":
            parts[1].joint.axis.y = 0
        case "swapped limits":
            parts[1].joint.lower = 2
        case "no parts":
            del parts[:]
        case "65 parts":
            parts.extend([parts[2]] * 61)
        case "slash":
            parts[1].name = "a/b"
        case "no joint type":
            parts[1].joint.type = articulation_pb2.JOINT_TYPE_UNSPECIFIED


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ("cycle", "plan.parts[1].parent_index"),
        ("two roots", "plan.parts"),
        ("dangling parent", "plan.parts[3].parent_index"),
        ("NaN", "plan.parts[1].joint.origin.x"),
        ("zero axis", "plan.parts[1].joint.axis"),
        ("swapped limits", "plan.parts[1].joint.limits"),
        ("no parts", "plan.parts"),
        ("65 parts", "plan.parts"),
        ("slash", "plan.parts[1].name"),
        ("no joint type", "plan.parts[1].joint.type"),
    ],
)
def test_an_impossible_plan_names_its_field(fault: str, field: str) -> None:
    message = plan_to_proto(make_plan())
    _spoil(fault, message)
    with pytest.raises(InvalidPlan) as caught:
        check_plan(message)
    assert field in [violation.field for violation in caught.value.violations]
