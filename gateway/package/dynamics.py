"""Joint friction, damping and actuator limits from a part's type, mass and size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from articulation.asset import Inertial, JointDynamics
from articulation.inertia import about_axis, combine
from articulation.joint import Joint, JointType
from articulation.kinematics import link_poses
from articulation.materials import MATERIALS
from articulation.tree import Articulation
from articulation.typing import Array
from gateway.package.travel import open_coordinates

GRAVITY = np.array([0.0, 0.0, -9.81])
"""(3,) URDF frame [m/s^2]."""
COAST_SECONDS = 0.4
"""Damping lets a pushed part coast about so long."""
RAIL_FRICTION = 0.05
"""Friction coefficient of a drawer's rails."""
PIN_RADIUS = 0.005
"""[m] of a hinge's pin, at which its friction acts."""
CATCH = 1.5
"""Friction holds a joint so many times stronger than gravity would open it: a catch or a spring. A joint that may move
both ways from the closed state is held against gravity's strongest pull. A button or a knob on a door or a lid is held
however far that is open."""
POSES = 9
"""States of what carries a part, from closed to open, in which gravity pulls on it."""
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
    pulls = _gravities(tree, link.parent)
    strongest = max(_strongest_gravity(joint, load, pull) for pull in pulls)
    closing_stop = joint.type is not JointType.CONTINUOUS and joint.lower == 0.0
    opening = max(_gravity(joint, load, pull) for pull in pulls)
    friction = max(friction, CATCH * (opening if closing_stop else strongest))
    speed = SPEED[joint.type]
    effort = 2 * (friction + strongest) + inertia * speed / DRIVE_SECONDS
    return JointDynamics(damping=inertia / COAST_SECONDS, friction=friction, effort=effort, velocity=speed)


def drive_followers(tree: Articulation, dynamics: Sequence[JointDynamics]) -> list[JointDynamics]:
    """The dynamics of all joints, with efforts that also move those that follow, which have no motor of their own."""
    efforts = [own.effort for own in dynamics]
    for index, link in enumerate(tree):
        if link.joint.mimic:
            efforts[tree.leader(index)] += abs(link.joint.mimic.multiplier) * dynamics[index].effort
    return [replace(own, effort=effort) for own, effort in zip(dynamics, efforts, strict=True)]


def _gravities(tree: Articulation, parent: int) -> Array:
    """(POSES, 3) gravity as a part sees it whose parent opens with all that carries it, object frame [m/s^2]."""
    coordinates = np.linspace(0.0, 1.0, POSES)[:, None] * open_coordinates(tree)
    turned: Array = GRAVITY @ link_poses(tree, coordinates)[:, parent, :3, :3]
    return turned


def _gravity(joint: Joint, load: Inertial, pull: Array) -> float:
    """Force or torque with which gravity (3,) opens the closed joint [N or N m]; negative when it closes it."""
    if joint.type is JointType.PRISMATIC:
        return float(load.mass * pull @ joint.axis)
    return float(joint.axis @ np.cross(load.center - joint.origin, load.mass * pull))


def _strongest_gravity(joint: Joint, load: Inertial, pull: Array) -> float:
    """The largest force or torque of gravity (3,) on the joint at any coordinate [N or N m]."""
    if joint.type is JointType.PRISMATIC:
        return abs(_gravity(joint, load, pull))
    arm = np.cross(joint.axis, load.center - joint.origin)
    return float(load.mass * np.linalg.norm(arm) * np.linalg.norm(np.cross(joint.axis, pull)))
