"""Solids and convex hulls: the few operations of manifold3d that packaging needs, over `articulation.asset.Mesh`."""

from __future__ import annotations

import numpy as np
from manifold3d import Error, Manifold
from manifold3d import Mesh as ManifoldMesh

from articulation.asset import Mesh
from articulation.typing import Array

HULL_DIRECTIONS = 128
"""A hull keeps its extreme points in about so many directions."""
KEPT_VOLUME = 0.05
"""Simplifying may change a solid's volume by this fraction."""


def solid_of(mesh: Mesh) -> Manifold | None:
    """The solid that a mesh bounds; None unless the mesh is closed, without defects, and encloses a volume."""
    solid = Manifold(ManifoldMesh(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32)))
    if solid.status() != Error.NoError or solid.is_empty():
        return None
    return solid if solid.volume() > 0 else None


def mesh_of(solid: Manifold) -> Mesh:
    """The boundary of a solid that is not empty."""
    mesh = solid.to_mesh()
    return Mesh(np.asarray(mesh.vert_properties[:, :3]), np.asarray(mesh.tri_verts))


def simplify(solid: Manifold, detail: float) -> Manifold:
    """The solid with less detail [length unit], or with all of it where simplifying would not keep its volume.

    Plates thinner than a few times the detail collapse, so that it is halved until they stand.
    """
    volume = solid.volume()
    for tolerance in (detail, detail / 2, detail / 4, detail / 8):
        simple = solid.simplify(tolerance)
        if abs(simple.volume() - volume) <= KEPT_VOLUME * volume:
            return simple
    return solid


def hull_of(points: Array) -> Manifold:
    """Convex hull of the points' extremes (N, 3); empty for flat sets. It lies inside the exact hull."""
    centered = points - points.mean(0)
    scale = np.maximum(np.ptp(points, axis=0), 1e-12)
    extremes = np.unique(np.argmax((centered / scale) @ _directions().T, axis=0))
    return Manifold.hull_points(points[extremes].astype(np.float32))


def vertices_of(solid: Manifold) -> Array:
    """(V, 3)."""
    return np.asarray(solid.to_mesh().vert_properties[:, :3], dtype=np.float64)


def split(solid: Manifold, normal: Array, offset: float) -> tuple[Manifold, Manifold]:
    """The parts of a solid where normal @ x >= offset, and where it is below."""
    above, below = solid.split_by_plane(tuple(float(x) for x in normal), float(offset))
    return above, below


def clip(solid: Manifold, normal: Array, offset: float) -> Manifold:
    """The part of a solid where normal @ x <= offset."""
    return solid.trim_by_plane(tuple(-float(x) for x in normal), -float(offset))


def extent(solid: Manifold) -> Array:
    """(3,) sides of the bounding box."""
    box = np.asarray(solid.bounding_box())
    sides: Array = box[3:] - box[:3]
    return sides


def is_sliver(solid: Manifold, thinnest: float) -> bool:
    """Whether a solid is thinner [length unit] than simulators like; slanted plates are so by their volume alone."""
    return bool(solid.is_empty() or extent(solid).min() < thinnest or solid.volume() < thinnest**3)


def _directions() -> Array:
    """(HULL_DIRECTIONS + 26, 3) directions: a Fibonacci sphere, and all corners, edges and faces of a cube."""
    index = np.arange(HULL_DIRECTIONS) + 0.5
    height = 1 - 2 * index / HULL_DIRECTIONS
    turn = np.pi * (1 + np.sqrt(5)) * index
    radius = np.sqrt(1 - height**2)
    sphere = np.stack([radius * np.cos(turn), radius * np.sin(turn), height], 1)
    cube = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 3), -1).reshape(-1, 3)
    return np.concatenate([sphere, cube[np.any(cube != 0, axis=1)]])
