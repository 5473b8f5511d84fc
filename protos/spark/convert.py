"""Messages of `spark.v1` to and from the core types of `articulation`, for the gateway and the services."""

from __future__ import annotations

import numpy as np

from articulation.camera import Camera
from articulation.errors import InvalidArticulation
from articulation.joint import Joint, JointType, Mimic
from articulation.plan import Box, Plan, PlannedPart
from articulation.typing import Array
from spark.v1 import articulation_pb2 as pb

_TYPE_TO_PROTO = {
    JointType.FIXED: pb.JOINT_TYPE_FIXED,
    JointType.REVOLUTE: pb.JOINT_TYPE_REVOLUTE,
    JointType.CONTINUOUS: pb.JOINT_TYPE_CONTINUOUS,
    JointType.PRISMATIC: pb.JOINT_TYPE_PRISMATIC,
}
_TYPE_FROM_PROTO = {value: key for key, value in _TYPE_TO_PROTO.items()}


def _vector_to_proto(value: Array) -> pb.Vector3:
    return pb.Vector3(x=float(value[0]), y=float(value[1]), z=float(value[2]))


def _vector_from_proto(message: pb.Vector3) -> Array:
    return np.array([message.x, message.y, message.z])


def _joint_to_proto(joint: Joint) -> pb.Joint:
    return pb.Joint(
        type=_TYPE_TO_PROTO[joint.type],
        axis=_vector_to_proto(joint.axis),
        origin=_vector_to_proto(joint.origin),
        lower=joint.lower,
        upper=joint.upper,
        confidence=joint.confidence,
        mimic=None if joint.mimic is None else _mimic_to_proto(joint.mimic),
    )


def _joint_from_proto(joint: pb.Joint) -> Joint:
    return Joint(
        type=_TYPE_FROM_PROTO[joint.type],
        axis=_vector_from_proto(joint.axis),
        origin=_vector_from_proto(joint.origin),
        lower=joint.lower,
        upper=joint.upper,
        confidence=joint.confidence,
        mimic=_mimic_from_proto(joint.mimic) if joint.HasField("mimic") else None,
    )


def _mimic_to_proto(mimic: Mimic) -> pb.Mimic:
    return pb.Mimic(leader=mimic.leader, multiplier=mimic.multiplier, offset=mimic.offset)


def _mimic_from_proto(mimic: pb.Mimic) -> Mimic:
    multiplier = mimic.multiplier if mimic.HasField("multiplier") else 1.0
    return Mimic(mimic.leader, multiplier, mimic.offset)


def plan_to_proto(plan: Plan) -> pb.ArticulationPlan:
    azimuth, elevation, distance, fov, shift_u, shift_v = (float(x) for x in plan.camera.to_array())
    return pb.ArticulationPlan(
        category=plan.category,
        size=plan.size,
        confidence=plan.confidence,
        camera=pb.Camera(
            azimuth=azimuth, elevation=elevation, distance=distance, fov=fov, shift_u=shift_u, shift_v=shift_v
        ),
        parts=[
            pb.Part(
                name=part.name,
                label=part.label,
                parent_index=part.parent,
                box=pb.Box(
                    center=_vector_to_proto(part.box.center), half_extent=_vector_to_proto(part.box.half_extent)
                ),
                joint=_joint_to_proto(part.joint),
                material=part.material,
                caption=part.caption,
                confidence=part.confidence,
            )
            for part in plan.parts
        ],
    )


def plan_from_proto(message: pb.ArticulationPlan) -> Plan:
    """Convert and check a plan.

    Raises:
        articulation.errors.InvalidArticulation: what the field rules of the proto cannot express, e.g. a cycle.
    """
    camera = message.camera
    return Plan(
        category=message.category,
        size=message.size,
        confidence=message.confidence,
        camera=Camera(camera.azimuth, camera.elevation, camera.distance, camera.fov, (camera.shift_u, camera.shift_v)),
        parts=tuple(_part_from_proto(index, part) for index, part in enumerate(message.parts)),
    )


def _part_from_proto(index: int, part: pb.Part) -> PlannedPart:
    try:
        return PlannedPart(
            name=part.name,
            label=part.label,
            parent=part.parent_index,
            box=Box(_vector_from_proto(part.box.center), _vector_from_proto(part.box.half_extent)),
            joint=_joint_from_proto(part.joint),
            material=part.material,
            caption=part.caption,
            confidence=part.confidence,
        )
    except InvalidArticulation as error:
        raise InvalidArticulation(f"parts[{index}].{error.field}", error.problem) from error
