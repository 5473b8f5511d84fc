"""The room that a moving part needs inside its parent.

A part that mostly lies inside its parent's box, such as a drawer or an inset door, must find a cavity there, whatever
the generated mesh has in that place. Its room is a few boxes, aligned with the joint: the part is cut into slabs along
one direction, and each slab's box, swept over the travel of a slide, is kept free.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from manifold3d import Manifold

from articulation.joint import Joint, JointType
from articulation.typing import Array
from gateway.package.solids import split, vertices_of

INSIDE = 0.5
"""A part gets room when at least this fraction of its box lies inside its parent's."""
SLABS = 16
"""Slabs that a part is cut into before equal neighbours are merged."""
SAME = 0.05
"""Slabs whose sides differ by less than this fraction of the part's size are merged."""


@dataclass(frozen=True, eq=False)
class Room:
    """A box: `low` and `high` (3,) along the rows of the rotation `axes` (3, 3) [m]."""

    axes: Array
    low: Array
    high: Array

    def carve(self, solid: Manifold) -> list[Manifold]:
        """The rest of a solid outside the box, cut along the box's planes so that no convex hull of a cut enters it."""
        rest, cuts = solid, []
        for axis, low, high in zip(self.axes, self.low, self.high, strict=True):
            above, rest = split(rest, axis, high)
            rest, below = split(rest, axis, low)
            cuts += [above, below]
        return [solid] if rest.is_empty() else [cut for cut in cuts if not cut.is_empty()]


def rooms(points: Array, joint: Joint, parent: Array, clearance: float, inside: float) -> list[Room]:
    """The room of a moving part.

    Args:
        points: (N, 3) on the part's surface, dense, object frame at the closed state [m].
        joint: how the part moves against its parent.
        parent: (M, 3) the parent's vertices.
        clearance: gap to leave on every side [m].
        inside: fraction of the part's box that must lie inside its parent's.

    Returns:
        No room for a part that lies mostly outside its parent's box: it only touches.
    """
    axes = joint_frame(joint.axis)
    local = points @ axes.T
    low, high = local.min(0), local.max(0)
    if inside_fraction(local, parent @ axes.T) < inside:
        return []
    slides = joint.type is JointType.PRISMATIC
    direction = 0 if slides else 1 + int(np.argmin((high - low)[1:]))
    boxes = _slabs(local, direction)
    for box in boxes:
        box += np.array([[-clearance], [clearance]])
        if slides:
            box[:, 0] += (min(joint.lower, 0.0), max(joint.upper, 0.0))
    return [Room(axes, box[0], box[1]) for box in boxes]


def inside_fraction(points: Array, around: Array) -> float:
    """How much of the box of points (N, 3) lies inside that of others (M, 3), as a fraction of its volume."""
    low, high = points.min(0), points.max(0)
    common = np.minimum(high, around.max(0)) - np.maximum(low, around.min(0))
    return float(np.prod(np.maximum(common, 0.0) / np.maximum(high - low, 1e-9)))


def _slabs(local: Array, direction: int) -> list[Array]:
    """Boxes (2, 3) of the slabs across one direction, equal neighbours merged."""
    along = local[:, direction]
    edges = np.linspace(along.min(), along.max(), SLABS + 1)
    tolerance = SAME * np.ptp(local, axis=0).max()
    merged: list[Array] = []
    for low, high in pairwise(edges.tolist()):
        mine = local[(along >= low) & (along <= high)]
        if not len(mine):
            continue
        box = np.stack([mine.min(0), mine.max(0)])
        box[:, direction] = low, high
        others = [axis for axis in range(3) if axis != direction]
        if merged and np.abs(merged[-1][:, others] - box[:, others]).max() <= tolerance:
            merged[-1] = np.stack([np.minimum(merged[-1][0], box[0]), np.maximum(merged[-1][1], box[1])])
        else:
            merged.append(box)
    return merged


def joint_frame(axis: Array) -> Array:
    """(3, 3) rows: the joint's axis, then two directions as close to the coordinate axes as can be."""
    helper = np.eye(3)[int(np.argmin(np.abs(axis)))]
    second = helper - helper @ axis * axis
    second /= np.linalg.norm(second)
    return np.stack([axis, second, np.cross(axis, second)])


def carve_all(solids: list[Manifold], wanted: list[Room]) -> list[Manifold]:
    """What is left of solids outside all rooms; the solids themselves where that is nothing."""
    rest = solids
    for room in wanted:
        rest = [piece for solid in rest for piece in room.carve(solid)]
    return rest or solids


def surface_points(solid: Manifold, spacing: float) -> Array:
    """(N, 3) points on a solid's surface, no edge longer than `spacing` [m]."""
    return vertices_of(solid.refine_to_length(spacing))
