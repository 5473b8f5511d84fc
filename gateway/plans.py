"""The plan as an artifact, and what happens to it on the way."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from google.protobuf import json_format

from articulation.errors import InvalidArticulation
from articulation.plan import Plan
from serving.errors import DoubtfulJoints, EmptyPart, FieldViolation, ImageRefused, InvalidPlan, InvalidRequest
from serving.interceptors import validate
from spark.convert import plan_from_proto, plan_to_proto
from spark.v1 import articulation_pb2
from spark.v1 import reconstruction_service_pb2 as pb

PATH = "plan.json"
"""Its artifact path in every stage; the latest stage's file holds."""

TEMPLATE = "options.template"
"""Where a request has the caller's plan."""

OPENING = 0.7
"""How far the open-state image opens each joint, as a fraction of its planned range: wide, yet seldom out of view."""

LOW_CONFIDENCE = 0.5
"""A plan or a joint below is more likely wrong than right: it is flagged unless the caller draws another line."""


def check_plan(message: articulation_pb2.ArticulationPlan, field: str = "plan") -> Plan:
    """A plan that a service or a caller sent as `field`, against the rules of the proto and of the tree.

    Raises:
        InvalidPlan: naming the field, e.g. `plan.parts[1].parent_index`.
    """
    try:
        validate(message)
        return plan_from_proto(message)
    except InvalidRequest as error:
        violations = [FieldViolation(f"{field}.{v.field}", v.description) for v in error.violations]
        raise InvalidPlan(f"{field}: {error.message}", violations=violations) from error
    except InvalidArticulation as error:
        raise InvalidPlan.at(f"{field}.{error.field}", error.problem) from error


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


def require_joints(plan: articulation_pb2.ArticulationPlan, options: pb.ReconstructionOptions) -> None:
    """Raises DoubtfulJoints if a joint is less sure than the caller, who wants such assets refused, demands."""
    doubtful = doubtful_joints(plan, options)
    if doubtful and options.doubtful_joints == pb.DOUBTFUL_JOINTS_REFUSE:
        raise DoubtfulJoints(_sentence(doubtful, options), metadata={"joints": ",".join(doubtful)})


def doubtful_joints(plan: articulation_pb2.ArticulationPlan, options: pb.ReconstructionOptions) -> dict[str, float]:
    """Confidence of each moving joint that is less sure than the caller demands, by the name of its part."""
    return {
        part.name: part.joint.confidence
        for part in plan.parts
        if part.joint.type != articulation_pb2.JOINT_TYPE_FIXED and part.joint.confidence < _least(options)
    }


def warnings(
    plan: articulation_pb2.ArticulationPlan, options: pb.ReconstructionOptions, stages: Iterable[pb.StageResult]
) -> list[str]:
    """What the caller should look at before using an asset, a sentence each.

    Args:
        plan: the latest one.
        options: what the caller asked for.
        stages: finished so far.
    """
    found = []
    if plan.confidence < LOW_CONFIDENCE:
        found.append(
            f"The plan is uncertain: parts and joint types are all right with probability {plan.confidence:.2f}."
        )
    doubtful = doubtful_joints(plan, options)
    if doubtful:
        found.append(_sentence(doubtful, options))
    return found + [warning for stage in stages for warning in stage.warnings]


def _least(options: pb.ReconstructionOptions) -> float:
    return options.min_joint_confidence if options.HasField("min_joint_confidence") else LOW_CONFIDENCE


def _sentence(doubtful: dict[str, float], options: pb.ReconstructionOptions) -> str:
    names = ", ".join(f"{name} ({confidence:.2f})" for name, confidence in doubtful.items())
    return f"Joints that are right with a probability below {_least(options):.2f}: {names}."


def without_parts(plan: Plan, empty: Collection[int]) -> Plan:
    """The plan less the parts that came out without a surface.

    A part is left out together with its children if none of them has a surface either; the rest of the object stands
    without it, and joints that followed its joint move by themselves.

    Raises:
        EmptyPart: it is the root, or carries a part that does have a surface.
    """
    kept = [index for index in range(len(plan.parts)) if index not in empty]
    for index in (plan.articulation().root, *(plan.parts[i].parent for i in kept)):
        if index in empty:
            name = plan.parts[index].name
            raise EmptyPart(f"the part {name!r} came out without a surface", metadata={"part": name})
    position = {old: new for new, old in enumerate(kept)} | {-1: -1}
    tree, parts = plan.articulation(), []
    for index in kept:
        part = replace(plan.parts[index], parent=position[plan.parts[index].parent])
        if tree.leader(index) in empty:
            part = replace(part, joint=replace(part.joint, mimic=None))
        parts.append(part)
    return replace(plan, parts=tuple(parts))
