"""Discrete guesses about one joint, from the geometry of its part's bounding box.

Doors turn about an edge of their panel and drawers slide along a side of their box, so besides the plan's joint the
optimiser tries: the axis reversed, every joint that parts of that label or shape have, and none at all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from articulation.joint import Joint, JointType
from articulation.typing import Array
from services.refinement.part_prior import PartPrior, Place, is_square, long_side

SAME_AXIS = np.cos(np.radians(15))
SAME_LINE = 0.1

TURNING_STARTS = (0.3, 0.6, 0.9, 1.25, 1.6, 2.1)
"""Openings that a turning guess is tried at [rad]."""

SLIDING_STARTS = (0.15, 0.35, 0.55, 0.8)
"""Openings that a sliding guess is tried at, as fractions of the part's extent along its axis."""


def alternatives(joint: Joint, bounds: Array, prior: PartPrior, coupled: bool = False) -> list[Joint]:
    """Other joints that the part may have.

    Args:
        joint: the current belief; its limits are kept where they apply.
        bounds: (2, 3) lowest and highest corner of the part.
        prior: which joints such parts have.
        coupled: whether the joint follows another or leads one; then it keeps turning, or sliding, and what it follows.

    Returns:
        Distinct joints, none like `joint`; limits are in the unit of each one's type.
    """
    found = [replace(joint, axis=-joint.axis)] if joint.type.moves else []
    found += [place.joint(bounds, limit(place, joint, bounds)) for place in prior.chances]
    if coupled:
        kind = (joint.type.moves, joint.type.rotates)
        found = [replace(other, mimic=joint.mimic) for other in found if (other.type.moves, other.type.rotates) == kind]
    distinct: list[Joint] = []
    for candidate in found:
        if not any(alike(candidate, other) for other in [joint, *distinct]):
            distinct.append(candidate)
    return distinct


def limit(place: Place, joint: Joint, bounds: Array) -> float:
    """Upper limit of an alternative: the believed one where it has the same unit, else what is usual."""
    if not place.type.moves:
        return 0.0
    if place.type is JointType.CONTINUOUS:
        return 2 * np.pi
    if joint.type is place.type:
        return joint.upper
    if place.type.rotates:
        return np.pi / 2
    return 0.8 * extent_along(place.joint(bounds, 0.0).axis, bounds)


def hinge_points(along: int, bounds: Array) -> list[Array]:
    """Where a part may be hinged about a principal direction: its middle if it is square, else both narrow ends."""
    middle = bounds.mean(0)
    if is_square(along, bounds):
        return [middle]
    side = long_side(along, bounds)
    return [np.where(np.arange(3) == side, bounds[end], middle) for end in (0, 1)]


def starts(joint: Joint, bounds: Array) -> list[float]:
    """Openings at which a guess is tried, [rad] or model units."""
    if not joint.type.moves:
        return [0.0]
    if joint.type.rotates:
        return list(TURNING_STARTS)
    return [fraction * extent_along(joint.axis, bounds) for fraction in SLIDING_STARTS]


def alike(one: Joint, other: Joint) -> bool:
    """Whether two joints are the same guess: same type, axis within 15 degrees, hinge lines within 0.1."""
    if one.type is not other.type:
        return False
    if not one.type.moves:
        return True
    if one.axis @ other.axis < SAME_AXIS:
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
        thin = 3 - along - long_side(along, bounds)
        origin[thin] = np.clip(joint.origin[thin], *bounds[:, thin])
    origin[along] = joint.origin[along]
    return replace(joint, axis=axis, origin=origin)


def upper_limit(joint: Joint, bounds: Array, found: float) -> float:
    """The planned upper limit as far as the part can go, and at least the opening that the picture shows.

    A hinge turns at most half a turn, a drawer travels at most its own depth. Same unit as `found`.
    """
    if joint.type is JointType.CONTINUOUS:
        return joint.upper
    if not joint.type.moves:
        return 0.0
    reach = np.pi if joint.type is JointType.REVOLUTE else extent_along(joint.axis, bounds)
    return max(min(joint.upper, float(reach)), found)
