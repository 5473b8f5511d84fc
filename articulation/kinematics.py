"""Forward kinematics: joint coordinates to link poses.

Every link's frame coincides with the object frame when all joints are at zero, so a link's pose is its parent's pose
times the exponential of its joint's screw (`docs/frames.md`). A pose (4, 4) maps points of the closed object to where
they are now.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from articulation.joint import Joint, JointType, Mimic
from articulation.tree import Articulation
from articulation.typing import Array


def rotation_about(axis: Array, angle: Array | float) -> Array:
    """Rodrigues' formula.

    Args:
        axis: (3,) unit vector.
        angle: (...) [rad], right-hand rule.

    Returns:
        (..., 3, 3) rotation matrices.
    """
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turn = np.asarray(angle, dtype=np.float64)[..., None, None]
    rotation: Array = np.eye(3) + np.sin(turn) * cross + (1 - np.cos(turn)) * (cross @ cross)
    return rotation


def joint_motion(joint: Joint, coordinate: Array | float) -> Array:
    """The exponential of the joint's screw: where the child goes, seen from its parent.

    Args:
        joint: any of the four types; a fixed joint does not move.
        coordinate: (...) [rad] or the frame's length unit.

    Returns:
        (..., 4, 4) homogeneous transforms; the identity at coordinate 0.
    """
    q = np.asarray(coordinate, dtype=np.float64)
    motion = np.broadcast_to(np.eye(4), (*q.shape, 4, 4)).copy()
    if joint.type.rotates:
        rotation = rotation_about(joint.axis, q)
        motion[..., :3, :3] = rotation
        motion[..., :3, 3] = joint.origin - rotation @ joint.origin
    elif joint.type is JointType.PRISMATIC:
        motion[..., :3, 3] = q[..., None] * joint.axis
    return motion


def link_poses(articulation: Articulation, coordinates: Array) -> Array:
    """Poses from one coordinate a link.

    Args:
        articulation: L links.
        coordinates: (..., L) [rad or length unit]; those of fixed links, and of joints that follow others, are ignored.

    Returns:
        (..., L, 4, 4) pose of each link in the object frame.
    """
    q = coupled(articulation, coordinates)
    poses = np.empty((*q.shape, 4, 4))
    for index in articulation.order():
        link = articulation.links[index]
        motion = joint_motion(link.joint, q[..., index])
        poses[..., index, :, :] = motion if link.parent < 0 else poses[..., link.parent, :, :] @ motion
    return poses


def coupled(articulation: Articulation, coordinates: Array) -> Array:
    """The coordinates (..., L), those of joints that follow others set by their leaders."""
    q = np.array(coordinates, dtype=np.float64)
    for index, link in enumerate(articulation):
        if link.joint.mimic:
            leader = q[..., articulation.leader(index)]
            q[..., index] = link.joint.mimic.multiplier * leader + link.joint.mimic.offset
    return q


def with_led_limits(articulation: Articulation) -> Articulation:
    """The articulation with the limits of joints that follow others where their leaders' take them, 0 within."""
    links = list(articulation.links)
    for index, link in enumerate(articulation):
        if link.joint.mimic:
            leader = articulation.links[articulation.leader(index)].joint
            links[index] = replace(link, joint=_led(link.joint, link.joint.mimic, leader))
    return Articulation(tuple(links))


def _led(joint: Joint, mimic: Mimic, leader: Joint) -> Joint:
    if leader.type is JointType.CONTINUOUS:
        return replace(joint, type=leader.type)
    ends = [mimic.multiplier * end + mimic.offset for end in (leader.lower, leader.upper)]
    return replace(joint, type=leader.type, lower=min(*ends, 0.0), upper=max(*ends, 0.0))


def forward_kinematics(articulation: Articulation, q: Array) -> Array:
    """Poses from one coordinate a moving joint.

    Args:
        articulation: L links, M of which move.
        q: (..., M) [rad or length unit], in the order of `Articulation.moving`.

    Returns:
        (..., L, 4, 4) pose of each link in the object frame.
    """
    return link_poses(articulation, spread(articulation, q))


def spread(articulation: Articulation, q: Array) -> Array:
    """(..., M) coordinates of the moving joints -> (..., L) coordinates of all links, 0 for fixed ones."""
    q = np.asarray(q, dtype=np.float64)
    coordinates = np.zeros((*q.shape[:-1], len(articulation)))
    coordinates[..., list(articulation.moving)] = q
    return coordinates


def limits(articulation: Articulation) -> tuple[Array, Array]:
    """(M,) lower and (M,) upper coordinates of the moving joints; a full turn, 0 to 2 pi, for continuous ones."""
    joints = [articulation.links[index].joint for index in articulation.moving]
    turns = [joint.type is JointType.CONTINUOUS for joint in joints]
    lower = [0.0 if turn else joint.lower for turn, joint in zip(turns, joints, strict=True)]
    upper = [2 * np.pi if turn else joint.upper for turn, joint in zip(turns, joints, strict=True)]
    return np.array(lower), np.array(upper)


def transform_points(pose: Array, points: Array) -> Array:
    """Apply poses (..., 4, 4) to points (..., N, 3)."""
    moved: Array = np.asarray(points) @ np.swapaxes(pose[..., :3, :3], -1, -2) + pose[..., None, :3, 3]
    return moved
