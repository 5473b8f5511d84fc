"""A small cabinet for the editor's tests: a body, a door hinged on its left, a knob on the door, a drawer below."""

import numpy as np

from articulation.camera import Camera
from articulation.joint import Joint, JointType
from articulation.plan import Box, Plan, PlannedPart

CAMERA = Camera(azimuth=0.5, elevation=0.35, distance=4.5, fov=0.6, shift=(0.04, -0.06))


def part(name: str, parent: int, box: list[float], joint: Joint) -> PlannedPart:
    return PlannedPart(name, name, parent, Box(np.array(box[:3]), np.array(box[3:])), joint, "wood")


def cabinet(camera: Camera = CAMERA) -> Plan:
    door = Joint(JointType.REVOLUTE, np.array([0.0, -1.0, 0.0]), np.array([-0.8, 0.0, 0.6]), 0.0, np.pi / 2)
    knob = Joint(JointType.CONTINUOUS, np.array([0.0, 0.0, 1.0]), np.array([0.6, 0.4, 0.7]), 0.0, np.pi)
    drawer = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, 1.0]), np.zeros(3), 0.0, 0.8)
    parts = (
        part("body", -1, [0.0, 0.0, -0.05, 0.8, 1.0, 0.6], Joint(JointType.FIXED)),
        part("knob", 2, [0.6, 0.4, 0.68, 0.08, 0.08, 0.05], knob),  # before its parent on purpose
        part("door", 0, [0.0, 0.4, 0.59, 0.8, 0.6, 0.04], door),
        part("drawer", 0, [0.0, -0.6, 0.2, 0.75, 0.35, 0.43], drawer),
    )
    return Plan("storage_furniture", 0.8, parts, camera)
