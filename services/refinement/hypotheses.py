"""Discrete guesses about one joint, from the geometry of its part's bounding box.

Doors turn about an edge of their panel and drawers slide along a side of their box, so besides the plan's joint the
optimiser tries: the axis reversed, every joint that parts of that label or shape have, and none at all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from articulation.joint import Joint, JointType
from articulation.typing import Array
from services.refinement.part_prior import LINES, PartPrior, Place, is_square, line_shares, long_side

SAME_AXIS = np.cos(np.radians(15))
SAME_LINE = 0.1

END = 0.1
"""Share of a panel's longer side that belongs to its end."""

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
    reverse = [replace(joint, axis=-joint.axis)] if joint.type.moves else []
    found = [place.joint(bounds, limit(place, joint, bounds)) for place in prior.chances]
    if coupled:
        kind = (joint.type.moves, joint.type.rotates)
        found = [other for other in found if (other.type.moves, other.type.rotates) == kind]
    if joint.mimic:
        way, low, high = np.sign(joint.mimic.multiplier), joint.lower, joint.upper
        found = [replace(one, axis=way * one.axis, lower=low, upper=high, mimic=joint.mimic) for one in found]
    distinct: list[Joint] = []
    for candidate in [*reverse, *found]:
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


def usual(joint: Joint, points: Array, label: str) -> tuple[Joint, float]:
    """The joint on the hinge line that is most common for panels of its label.

    Args:
        joint: on a principal axis.
        points: (N, 3) vertices of its part.
        label: of its part.

    Returns:
        The joint, and the logarithm of the odds that it is that line; as it came and -inf unless it is a panel's hinge.
    """
    lines = usual_lines(joint, points) if joint.type.rotates else {}
    if not lines:
        return joint, -np.inf
    shares = line_shares(label)
    line = max(LINES, key=lambda name: shares[name])
    return replace(joint, origin=lines[line]), float(np.log(shares[line] / (1 - shares[line])))


def usual_lines(joint: Joint, points: Array) -> dict[str, Array]:
    """Where panels are hinged, by the words of `services.refinement.part_prior.LINES`.

    At a narrow end: on the face that is ahead as the panel opens, so that it swings clear of what is beside it, in the
    middle of its thickness, or on the face behind.

    Args:
        joint: one that turns about a principal axis; its line decides for an end, its direction which face is ahead.
        points: (N, 3) vertices of the part.

    Returns:
        Points (3,) on the lines, beside the joint's origin; none of a part that is about square across its axis.
    """
    bounds = np.stack([points.min(0), points.max(0)])
    along = int(np.argmax(np.abs(joint.axis)))
    if is_square(along, bounds):
        return {}
    side = long_side(along, bounds)
    thin = 3 - along - side
    hinge = joint.origin.copy()
    hinge[side] = min(bounds[:, side], key=lambda end: abs(end - joint.origin[side]))
    # A handle, or a panel's bulge, may stand out further than the end does.
    at_end = points[np.abs(points[:, side] - hinge[side]) <= END * np.ptp(bounds[:, side]), thin]
    behind, ahead = at_end.min(), at_end.max()
    if np.cross(joint.opens_along, bounds.mean(0) - hinge)[thin] < 0:
        behind, ahead = ahead, behind
    depths = (ahead, (ahead + behind) / 2, behind)
    return {name: np.where(np.arange(3) == thin, depth, hinge) for name, depth in zip(LINES, depths, strict=True)}


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
