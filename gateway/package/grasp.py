"""Where a hand takes hold of a door, a drawer or a lid to open it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from articulation.joint import Joint, JointType
from articulation.tree import Articulation
from articulation.typing import Array

HANDLES = ("handle", "knob", "grip", "pull")
"""A child whose label holds one of these words is what its parent is opened by."""
SHAFT = 0.1
"""A handle that turns is held by its shaft: within this fraction of its arm from its axis."""
FAR = 0.8
"""A door is held at this fraction of its width from its hinge, or further."""
PROUD = 0.1
"""What lies furthest out to within this fraction of a part's depth is as good to hold."""


@dataclass(frozen=True, eq=False)
class Grasp:
    """A point to hold.

    Attributes:
        link: the link that it moves with: the part to open, also where the point is on the shaft of a handle that turns
            or slides, which would give way; or a handle that is fixed to it.
        point: (3,) on a surface, object frame at the closed state [m].
    """

    link: int
    point: Array


def find_grasp(tree: Articulation, index: int, triangles: Callable[[int], Array]) -> Grasp:
    """The handle of a moving part, else the place of its own surface where a handle would be.

    Args:
        tree: object frame [m, rad].
        index: the link to open.
        triangles: link to (F, 3, 3) corners of its surface, object frame at the closed state.
    """
    joint = tree.links[index].joint
    handles = [child for child in tree.children(index) if any(word in tree.links[child].label for word in HANDLES)]
    found = []
    for handle in handles:
        own = tree.links[handle].joint
        holder = index if own.type.moves else handle
        found.append(Grasp(holder, outermost(joint, shaft(own, points_on(triangles(handle))))))
    found = found or [Grasp(index, outermost(joint, points_on(triangles(index))))]
    return max(found, key=lambda grasp: lever(joint, grasp.point))


def points_on(triangles: Array) -> Array:
    """(7 F, 3) corners, edges' middles and centres of (F, 3, 3)."""
    edges = (triangles + np.roll(triangles, 1, axis=1)) / 2
    return np.concatenate([triangles.reshape(-1, 3), edges.reshape(-1, 3), triangles.mean(1)])


def shaft(joint: Joint, points: Array) -> Array:
    """The points (N, 3) of a handle that lie by its own axis, if it turns; else all."""
    if not joint.type.rotates:
        return points
    levers = np.array([lever(joint, point) for point in points])
    near: Array = points[levers <= levers.min() + SHAFT * np.ptp(levers)]
    return near


def outermost(joint: Joint, points: Array) -> Array:
    """(3,) of some points (N, 3): far from the hinge, and foremost in the way that the part opens.

    Of several such points the one nearest their middle: half-way up a door, in the centre of a drawer's front.
    """
    levers = np.array([lever(joint, point) for point in points])
    far = points[levers >= FAR * levers.max()]
    ahead = far @ motion(joint, far.mean(0))
    proud = far[ahead >= ahead.max() - PROUD * np.ptp(ahead)]
    middle = (proud.min(0) + proud.max(0)) / 2
    nearest: Array = proud[np.argmin(np.linalg.norm(proud - middle, axis=1))]
    return nearest


def open_end(joint: Joint) -> float:
    """The limit further from the closed state [rad or m]."""
    return joint.upper if joint.upper >= -joint.lower else joint.lower


def lever(joint: Joint, point: Array) -> float:
    """How far a point (3,) moves per unit of the joint's coordinate: its distance from the hinge [m]; 1 on a slide."""
    return float(np.linalg.norm(_velocity(joint, point)))


def motion(joint: Joint, point: Array) -> Array:
    """(3,) unit vector along which a point (3,) of the closed part begins to move."""
    velocity = _velocity(joint, point) * np.sign(open_end(joint))
    unit: Array = velocity / max(float(np.linalg.norm(velocity)), 1e-12)
    return unit


def _velocity(joint: Joint, point: Array) -> Array:
    if joint.type is JointType.PRISMATIC:
        return joint.axis
    velocity: Array = np.cross(joint.axis, point - joint.origin)
    return velocity
