"""Discrete guesses about one joint, from the geometry of its part's bounding box.

Doors turn about an edge of their panel and drawers slide along a side of their box, so besides the plan's joint the
optimiser tries: the axis reversed, hinges on the narrow sides of the box, and slides along the box's thin side.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from articulation.joint import Joint, JointType
from articulation.typing import Array

SAME_AXIS = np.cos(np.radians(15))
SAME_LINE = 0.1

REVOLUTE_STARTS = (0.5, 1.0, 1.6)
"""Openings that a turning guess is tried at [rad]."""

PRISMATIC_STARTS = (0.25, 0.5, 0.8)
"""Openings that a sliding guess is tried at, as fractions of the part's extent along its axis."""

TRUST_RANGE = (0.3, 0.9)
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
    thin = int(np.argmin(bounds[1] - bounds[0]))
    turning = joint.type.rotates
    found = [replace(joint, axis=-joint.axis)]
    limit = joint.upper if turning else np.pi / 2
    for hinge in range(3):
        if hinge == thin:
            continue
        side = 3 - thin - hinge
        for end in (0, 1):
            origin = bounds.mean(0)
            origin[side] = bounds[end, side]
            found += [Joint(JointType.REVOLUTE, sign * np.eye(3)[hinge], origin, 0.0, limit) for sign in (1.0, -1.0)]
    for along in (thin,) if turning else range(3):
        direction = np.eye(3)[along]
        travel = 0.8 * extent_along(direction, bounds) if turning else joint.upper
        found += [Joint(JointType.PRISMATIC, axis, bounds.mean(0), 0.0, travel) for axis in (direction, -direction)]
    distinct: list[Joint] = []
    for candidate in found:
        if not any(alike(candidate, other) for other in [joint, *distinct]):
            distinct.append(candidate)
    return distinct


def starts(joint: Joint, bounds: Array) -> list[float]:
    """Openings at which a guess is tried, [rad] or model units."""
    if joint.type.rotates:
        return list(REVOLUTE_STARTS)
    return [fraction * extent_along(joint.axis, bounds) for fraction in PRISMATIC_STARTS]


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


def snapped(joint: Joint, bounds: Array) -> Joint:
    """The joint on the nearest principal axis, and a hinge on the middle of the nearest narrow side of the box.

    The coordinate of the hinge across the panel's thickness is kept, as far as it lies within the panel.
    """
    principal = int(np.argmax(np.abs(joint.axis)))
    axis = np.eye(3)[principal] * np.sign(joint.axis[principal])
    if joint.type is not JointType.REVOLUTE:
        return replace(joint, axis=axis)
    across = [i for i in range(3) if i != principal]
    side = max(across, key=lambda i: bounds[1, i] - bounds[0, i])
    origin = np.clip(joint.origin, bounds[0], bounds[1])
    origin[side] = min(bounds[:, side], key=lambda edge: abs(edge - joint.origin[side]))
    origin[principal] = joint.origin[principal]
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
