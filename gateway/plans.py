"""The plan as an artifact, and what happens to it on the way."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from google.protobuf import json_format

from articulation.errors import InvalidArticulation
from articulation.plan import Plan
from serving.errors import EmptyPart, FieldViolation, ImageRefused, InvalidPlan, InvalidRequest
from serving.interceptors import validate
from spark.convert import plan_from_proto, plan_to_proto
from spark.v1 import articulation_pb2

PATH = "plan.json"
"""Its artifact path in every stage; the latest stage's file holds."""

OPENING = 0.7
"""How far the open-state image opens each joint, as a fraction of its planned range: wide, yet seldom out of view."""

LOW_CONFIDENCE = 0.5
"""A plan or a joint below is flagged: it is more likely wrong than right."""


def check_plan(message: articulation_pb2.ArticulationPlan) -> Plan:
    """A plan that a service sent, against the rules of the proto and of the tree.

    Raises:
        InvalidPlan: naming the field, e.g. `plan.parts[1].parent_index`.
    """
    try:
        validate(message)
        return plan_from_proto(message)
    except InvalidRequest as error:
        violations = [FieldViolation(f"plan.{v.field}", v.description) for v in error.violations]
        raise InvalidPlan(f"plan: {error.message}", violations=violations) from error
    except InvalidArticulation as error:
        raise InvalidPlan.at(f"plan.{error.field}", error.problem) from error


def plan_to_json(plan: Plan) -> bytes:
    """`plan.json`: the proto's JSON form under the proto's names, zeros written out."""
    text = json_format.MessageToJson(
        plan_to_proto(plan), preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return text.encode()


def plan_message_from_json(data: bytes) -> articulation_pb2.ArticulationPlan:
    return json_format.Parse(data, articulation_pb2.ArticulationPlan())


def plan_from_json(data: bytes) -> Plan:
    return plan_from_proto(plan_message_from_json(data))


def openings(plan: Plan) -> list[float]:
    """What the open-state image is asked for, and what refinement is told it shows; 0 for a fixed part."""
    return [OPENING if part.joint.type.moves else 0.0 for part in plan.parts]


def require_confidence(plan: Plan, least: float) -> None:
    """Raises ImageRefused if the plan is less sure than its caller demands."""
    if plan.confidence < least:
        problem = f"gives a plan that is right with probability {plan.confidence:.2f}, less than {least:.2f}"
        raise ImageRefused.at("image", problem, refusal="uncertain", confidence=f"{plan.confidence:.4f}")


def warnings(plan: articulation_pb2.ArticulationPlan) -> list[str]:
    """What the caller should look at before using an asset of this plan, a sentence each."""
    found = []
    if plan.confidence < LOW_CONFIDENCE:
        found.append(
            f"The plan is uncertain: parts and joint types are all right with probability {plan.confidence:.2f}."
        )
    doubtful = [
        f"{part.name} ({part.joint.confidence:.2f})"
        for part in plan.parts
        if part.joint.type != articulation_pb2.JOINT_TYPE_FIXED and part.joint.confidence < LOW_CONFIDENCE
    ]
    if doubtful:
        found.append(f"Joints that are more likely wrong than right: {', '.join(doubtful)}.")
    return found


def without_parts(plan: Plan, empty: Collection[int]) -> Plan:
    """The plan less the parts that came out without a surface.

    A part is left out together with its children if none of them has a surface either; the rest of the object stands
    without it.

    Raises:
        EmptyPart: it is the root, or carries a part that does have a surface.
    """
    kept = [index for index in range(len(plan.parts)) if index not in empty]
    for index in (plan.articulation().root, *(plan.parts[i].parent for i in kept)):
        if index in empty:
            name = plan.parts[index].name
            raise EmptyPart(f"the part {name!r} came out without a surface", metadata={"part": name})
    position = {old: new for new, old in enumerate(kept)} | {-1: -1}
    return replace(plan, parts=tuple(replace(plan.parts[i], parent=position[plan.parts[i].parent]) for i in kept))
