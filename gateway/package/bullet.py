"""PyBullet: an asset's URDF loaded, and each joint driven to its upper limit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pybullet

from articulation.asset import JointDynamics
from articulation.joint import JointType
from articulation.tree import Articulation

SECONDS = 6.0
"""A driven joint that has not reached its limit by then does not reach it."""
STEPS_PER_SECOND = 240


class LoadFailed(Exception):
    """PyBullet refuses the document."""


def reaches(urdf: Path, tree: Articulation, dynamics: Mapping[int, JointDynamics]) -> dict[int, float]:
    """Fraction in [0, 1] of the way to its upper limit that each joint gets, driven within its effort and velocity.

    Args:
        urdf: the document, its meshes beside it.
        tree: its articulation.
        dynamics: of each moving link's joint.

    Raises:
        LoadFailed: PyBullet does not load it, or lacks a joint.
    """
    client = pybullet.connect(pybullet.DIRECT)
    try:
        robot = pybullet.loadURDF(str(urdf), useFixedBase=True, physicsClientId=client)
        pybullet.setGravity(0, 0, -9.81, physicsClientId=client)
        count = pybullet.getNumJoints(robot, physicsClientId=client)
        names = [pybullet.getJointInfo(robot, i, physicsClientId=client)[1].decode() for i in range(count)]
        joints = {index: names.index(f"{tree.links[index].name}_joint") for index in tree.moving}
        for joint in joints.values():  # PyBullet's own motors hold every joint until told otherwise
            pybullet.setJointMotorControl2(robot, joint, pybullet.VELOCITY_CONTROL, force=0, physicsClientId=client)
        return {i: _reach(robot, joint, tree, i, dynamics[i], client) for i, joint in joints.items()}
    except (pybullet.error, ValueError) as error:
        raise LoadFailed(str(error)) from error
    finally:
        pybullet.disconnect(client)


def _reach(robot: int, joint: int, tree: Articulation, index: int, dynamics: JointDynamics, client: int) -> float:
    own = tree.links[index].joint
    target = 2 * np.pi if own.type is JointType.CONTINUOUS else own.upper
    if target <= 0:
        return 1.0
    furthest = 0.0
    for _ in range(int(SECONDS * STEPS_PER_SECOND)):
        pybullet.setJointMotorControl2(
            robot,
            joint,
            pybullet.VELOCITY_CONTROL,
            targetVelocity=dynamics.velocity,
            force=dynamics.effort,
            physicsClientId=client,
        )
        pybullet.stepSimulation(physicsClientId=client)
        position = pybullet.getJointState(robot, joint, physicsClientId=client)[0]
        furthest = max(furthest, position / target)
        if furthest >= 1.0:
            break
    pybullet.resetJointState(robot, joint, 0.0, physicsClientId=client)
    pybullet.setJointMotorControl2(robot, joint, pybullet.VELOCITY_CONTROL, force=0, physicsClientId=client)
    return float(min(furthest, 1.0))
