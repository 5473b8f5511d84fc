"""Convex pieces of a solid.

Furniture is made of plates along three axes, so that a few cuts along its own flat faces leave convex pieces: fast and
exact. What such cuts cannot solve is halved. The same solid gives the same pieces on any machine, however busy.
"""

from __future__ import annotations

import numpy as np
from manifold3d import Manifold

from articulation.asset import Mesh
from articulation.typing import Array
from gateway.package.solids import extent, hull_of, is_sliver, mesh_of, split, vertices_of

CONVEX = 0.1
"""A solid whose hull is larger by less than this fraction of the hull's volume counts as convex."""
MAX_PIECES = 48
"""Pieces of one link, unless told."""
CUTS_PER_PIECE = 1.4
"""More cuts than that would only take slivers off that are too thin to keep."""
CLOSE = 0.04
"""Cutting ends when the hulls of all pieces together exceed the solids by less than this fraction of their volume."""
CANDIDATES = 4
"""Cuts tried along each axis, at the largest flat faces."""
LEAST_GAIN = 0.998
"""A cut must leave less than this fraction of the gap, the bonus for convex parts counted, or the solid is halved."""
GOOD_GAIN = 0.5
"""A cut that leaves less than this fraction of the gap is taken without a look at the others."""
FLAT = 0.95
"""Cosine between a face's normal and an axis above which the face is a plane of that axis."""
CRUMBS = 0.002
"""The smallest pieces, up to this fraction of the whole volume together, are dropped."""


class _Part:
    """A solid with what is asked of it again and again.

    Attributes:
        solid: the solid.
        volume: of the solid [m^3].
        gap: volume between the solid and its hull [m^3].
    """

    def __init__(self, solid: Manifold) -> None:
        self.solid = solid
        self.volume = float(solid.volume())
        self.gap = max(float(solid.hull().volume()) - self.volume, 0.0)

    @property
    def is_convex(self) -> bool:
        return self.gap <= CONVEX * (self.gap + self.volume)


def convex_pieces(solids: list[Manifold], thinnest: float, most: int = MAX_PIECES) -> list[Manifold]:
    """Convex hulls that together cover the solids closely.

    Args:
        solids: what to cover; each is also cut where it is not connected.
        thinnest: pieces thinner than this [m] are dropped.
        most: about as many pieces.
    """
    parts = [_Part(part) for part in _worth([part for solid in solids for part in solid.decompose()], thinnest)]
    enough = CLOSE * sum(part.volume for part in parts)
    for _ in range(int(CUTS_PER_PIECE * most)):
        worst = max((part for part in parts if not part.is_convex), key=lambda part: part.gap, default=None)
        if worst is None or len(parts) >= most or sum(part.gap for part in parts) <= enough:
            break
        parts.remove(worst)
        parts += [part for part in _best_cut(worst) or _halves(worst) if extent(part.solid).min() >= thinnest]
    return _worth([hull_of(vertices_of(part.solid)) for part in parts], thinnest)


def _worth(solids: list[Manifold], thinnest: float) -> list[Manifold]:
    """The solids without thin ones and without the smallest crumbs."""
    kept, left = [], CRUMBS * sum(solid.volume() for solid in solids)
    for solid in sorted(solids, key=lambda solid: float(solid.volume())):
        left -= solid.volume()
        if left < 0 and not is_sliver(solid, thinnest):
            kept.append(solid)
    return kept


def _halves(part: _Part) -> list[_Part]:
    """The parts of a solid cut in two across its longest side."""
    box = np.asarray(part.solid.bounding_box())
    axis = int(np.argmax(box[3:] - box[:3]))
    return _cut(part.solid, np.eye(3)[axis], (box[axis] + box[axis + 3]) / 2)


def _cut(solid: Manifold, normal: Array, offset: float) -> list[_Part]:
    return [_Part(piece) for side in split(solid, normal, offset) if not side.is_empty() for piece in side.decompose()]


def _best_cut(part: _Part) -> list[_Part]:
    """The parts after the cut that leaves least gap and takes off most that is convex; none if no cut helps."""
    best: list[_Part] = []
    least = part.gap * LEAST_GAIN
    good = part.gap * GOOD_GAIN
    for normal, offset in _planes(mesh_of(part.solid)):
        parts = _cut(part.solid, normal, offset)
        if len(parts) < 2:
            continue
        cost = sum(own.gap - (0.5 * own.volume if own.is_convex else 0.0) for own in parts)
        if cost < least:
            best, least = parts, cost
        if least < good:
            break
    return best


def _planes(mesh: Mesh) -> list[tuple[Array, float]]:
    """Normal and offset of the planes, across the coordinate axes, that hold the largest flat areas, largest first."""
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=1)
    planes: list[tuple[float, Array, float]] = []
    for axis in range(3):
        flat = np.abs(normals[:, axis]) > FLAT * areas
        low, high = mesh.vertices[:, axis].min(), mesh.vertices[:, axis].max()
        weights, edges = np.histogram(corners[flat, :, axis].mean(1), 64, (low, high), weights=areas[flat])
        for place in np.argsort(weights)[::-1][:CANDIDATES]:
            offset = corners[flat, :, axis].mean(1)
            mine = (offset >= edges[place]) & (offset <= edges[place + 1])
            if weights[place] > 0:
                average = float(np.average(offset[mine], weights=areas[flat][mine]))
                planes.append((float(weights[place]), np.eye(3)[axis], average))
    return [(normal, offset) for _, normal, offset in sorted(planes, key=lambda plane: -plane[0])]
