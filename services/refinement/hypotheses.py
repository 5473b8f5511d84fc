"""Discrete guesses about one joint, from the geometry of its part's bounding box.

Doors turn about an edge of their panel and drawers slide along a side of their box, so besides the plan's joint the
optimiser tries: the axis reversed, hinges on the narrow ends of the box or in its middle, and slides along its sides.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from articulation.joint import Joint, JointType
from articulation.typing import Array
from services.refinement.prior import SQUARE

SAME_AXIS = np.cos(np.radians(15))
SAME_LINE = 0.1

TURNING_STARTS = (0.3, 0.6, 0.9, 1.25, 1.6, 2.1)
"""Openings that a turning guess is tried at [rad]."""

SLIDING_STARTS = (0.15, 0.35, 0.55, 0.8)
"""Openings that a sliding guess is tried at, as fractions of the part's extent along its axis."""

TRUST_RANGE = (0.3, 0.95)
"""A plan's confidence in a joint counts at least and at most this much against the alternatives."""


def alternatives(joint: Joint, bounds: Array) -> list[Joint]:
    """Other joints that the part may have.

    Args:
        joint: the current belief; its type and limits are kept where they apply.
        bounds: (2, 3) lowest and highest corner of the part.

    Returns:
        Distinct joints, none like `joint`; limits are in the unit of each one's type.
    """
    if joint.type is JointType.CONTINUOUS:
        return []
    size = bounds[1] - bounds[0]
    thin = int(np.argmin(size))
    turning = joint.type.rotates
    found = [replace(joint, axis=-joint.axis)]
    limit = joint.upper if turning else np.pi / 2
    for along in range(3):
        origins = hinge_points(along, bounds) if along != thin or is_square(along, bounds) else []
        found += [Joint(JointType.REVOLUTE, axis, x, 0.0, limit) for x in origins for axis in both_ways(along)]
    for along in range(3):
        travel = 0.8 * size[along] if turning else joint.upper
        found += [Joint(JointType.PRISMATIC, axis, bounds.mean(0), 0.0, travel) for axis in both_ways(along)]
    distinct: list[Joint] = []
    for candidate in found:
        if not any(alike(candidate, other) for other in [joint, *distinct]):
            distinct.append(candidate)
    return distinct


def both_ways(along: int) -> tuple[Array, Array]:
    """A principal direction and its opposite."""
    return np.eye(3)[along], -np.eye(3)[along]


def is_square(along: int, bounds: Array) -> bool:
    """Whether a box (2, 3), seen along a principal direction, is about square, as knobs and levers are."""
    across = np.delete(bounds[1] - bounds[0], along)
    return bool(across.max() < SQUARE * across.min())


def hinge_points(along: int, bounds: Array) -> list[Array]:
    """Where a part may be hinged about a principal direction: its middle if it is square, else both narrow ends."""
    middle = bounds.mean(0)
    if is_square(along, bounds):
        return [middle]
    side = max((i for i in range(3) if i != along), key=lambda i: bounds[1, i] - bounds[0, i])
    return [np.where(np.arange(3) == side, bounds[end], middle) for end in (0, 1)]


def starts(joint: Joint, bounds: Array) -> list[float]:
    """Openings at which a guess is tried, [rad] or model units."""
    if joint.type.rotates:
        return list(TURNING_STARTS)
    return [fraction * extent_along(joint.axis, bounds) for fraction in SLIDING_STARTS]


def alike(one: Joint, other: Joint) -> bool:
    """Whether two joints are the same guess: same kind, axis within 15 degrees, hinge lines within 0.1."""
    if one.type.rotates != other.type.rotates or one.axis @ other.axis < SAME_AXIS:
        return False
    between = one.origin - other.origin
    apart = between - (between @ one.axis) * one.axis
    return not one.type.rotates or float(np.linalg.norm(apart)) < SAME_LINE


def extent_along(axis: Array, bounds: Array) -> float:
    """Length of a box along a direction."""
    return float(np.abs(axis) @ (bounds[1] - bounds[0]))


def principal(axis: Array) -> Array:
    """(3,) direction -> (3,) the nearest principal direction."""
    along = int(np.argmax(np.abs(axis)))
    return np.asarray(np.eye(3)[along] * np.sign(axis[along]))


def snapped(joint: Joint, bounds: Array) -> Joint:
    """The joint on the nearest principal axis, and its hinge line where the part's box suggests it.

    A panel keeps the coordinate of its hinge across its thickness, as far as it lies within the panel.
    """
    axis = principal(joint.axis)
    along = int(np.argmax(np.abs(axis)))
    if not joint.type.rotates:
        return replace(joint, axis=axis)
    origin = min(hinge_points(along, bounds), key=lambda point: float(np.linalg.norm(point - joint.origin))).copy()
    if not is_square(along, bounds):
        thin = min((i for i in range(3) if i != along), key=lambda i: bounds[1, i] - bounds[0, i])
        origin[thin] = np.clip(joint.origin[thin], *bounds[:, thin])
    origin[along] = joint.origin[along]
    return replace(joint, axis=axis, origin=origin)


def posterior(losses: Array, priors: Array, temperature: float) -> Array:
    """(H,) losses and prior probabilities of H guesses -> (H,) probabilities, prior * exp(-loss / temperature)."""
    score = np.log(priors) - losses / temperature
    weight = np.exp(score - score.max())
    return np.asarray(weight / weight.sum())


def priors(confidence: float, count: int) -> Array:
    """(H,) prior probabilities of the believed joint, first, and of its H - 1 alternatives."""
    if count == 1:
        return np.ones(1)
    trust = float(np.clip(confidence, *TRUST_RANGE))
    return np.array([trust] + [(1 - trust) / (count - 1)] * (count - 1))


def upper_limit(joint: Joint, bounds: Array, found: float) -> float:
    """The planned upper limit as far as the part can go, and at least the opening that the picture shows.

    A hinge turns at most half a turn, a drawer travels at most its own depth. Same unit as `found`.
    """
    if joint.type is JointType.CONTINUOUS:
        return joint.upper
    reach = np.pi if joint.type is JointType.REVOLUTE else extent_along(joint.axis, bounds)
    return max(min(joint.upper, float(reach)), found)
