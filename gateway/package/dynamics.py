"""Joint friction, damping and actuator limits from a part's type, mass and size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from articulation.asset import Inertial, JointDynamics
from articulation.inertia import about_axis, combine
from articulation.joint import JointType
from articulation.materials import MATERIALS
from articulation.tree import Articulation
from articulation.typing import Array

GRAVITY = np.array([0.0, 0.0, -9.81])
"""(3,) URDF frame [m/s^2]."""
COAST_SECONDS = 0.4
"""Damping lets a pushed part coast about so long."""
RAIL_FRICTION = 0.05
"""Friction coefficient of a drawer's rails."""
PIN_RADIUS = 0.005
"""[m] of a hinge's pin, at which its friction acts."""
CATCH = 1.2
"""A joint that gravity would open is held by friction so many times stronger: a catch or a spring."""
DRIVE_SECONDS = 0.5
"""An actuator at its limit brings a part to full speed in about so long, beside overcoming friction and gravity."""
SPEED = {JointType.PRISMATIC: 0.5, JointType.REVOLUTE: 2.0, JointType.CONTINUOUS: 6.0}
"""Full speed [m/s or rad/s]."""


def joint_dynamics(tree: Articulation, bodies: Sequence[Inertial], index: int, carried: Sequence[int]) -> JointDynamics:
    """Dynamics of one joint.

    Args:
        tree: URDF frame.
        bodies: mass properties of all links, closed state.
        index: the link whose joint is meant.
        carried: the links that the joint moves, itself included.
    """
    link = tree.links[index]
    joint = link.joint
    if not joint.type.moves:
        return JointDynamics()
    load = combine([bodies[i] for i in carried])
    if joint.type is JointType.PRISMATIC:
        inertia, friction = load.mass, RAIL_FRICTION * load.mass * 9.81
    else:
        inertia = about_axis(load, joint.origin, joint.axis)
        friction = MATERIALS[link.material].friction * load.mass * 9.81 * PIN_RADIUS
    pull = _gravity(joint.axis, joint.origin, load, joint.type)
    friction = max(friction, CATCH * pull)
    speed = SPEED[joint.type]
    effort = 2 * (friction + abs(pull)) + inertia * speed / DRIVE_SECONDS
    return JointDynamics(damping=inertia / COAST_SECONDS, friction=friction, effort=effort, velocity=speed)


def _gravity(axis: Array, origin: Array, load: Inertial, kind: JointType) -> float:
    """Force or torque with which gravity opens the joint at the closed state [N or N m]; negative when it closes it."""
    if kind is JointType.PRISMATIC:
        return float(load.mass * GRAVITY @ axis)
    return float(axis @ np.cross(load.center - origin, load.mass * GRAVITY))
