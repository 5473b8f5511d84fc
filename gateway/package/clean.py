"""Generated meshes made fit for use: debris dropped from what is seen, and a closed solid made of it."""

from __future__ import annotations

import numpy as np
import trimesh
from manifold3d import Manifold
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from articulation.asset import Mesh, TexturedMesh
from articulation.inertia import volume
from articulation.typing import Array, IntArray
from gateway.package.solids import mesh_of, simplify, solid_of

DEBRIS_EXTENT = 0.1
"""A loose piece is debris when its box's diagonal is below this fraction of the whole part's ..."""
DEBRIS_AREA = 0.02
"""... and its area below this fraction of the part's."""
SIMPLIFY = 0.004
"""Detail below this fraction of the part's diagonal is dropped from its solid."""


def drop_debris(mesh: TexturedMesh) -> TexturedMesh:
    """The mesh without small loose pieces and without vertices that no face uses."""
    position = _merged(mesh)
    faces = mesh.faces[_has_area(mesh, position)]
    if not len(faces):
        return mesh
    labels = _piece_of_face(position, faces)
    corners = mesh.vertices[faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    whole = np.linalg.norm(np.ptp(corners.reshape(-1, 3), axis=0))
    kept = np.zeros(len(faces), dtype=bool)
    for label in range(labels.max() + 1):
        mine = labels == label
        size = np.linalg.norm(np.ptp(corners[mine].reshape(-1, 3), axis=0))
        if size >= DEBRIS_EXTENT * whole or areas[mine].sum() >= DEBRIS_AREA * areas.sum():
            kept |= mine
    used, compact = np.unique(faces[kept], return_inverse=True)
    return TexturedMesh(mesh.vertices[used], compact.reshape(-1, 3), mesh.uvs[used], mesh.texture)


def lighter(vertices: Array, faces: IntArray, detail: float) -> tuple[Array, IntArray]:
    """A closed mesh (V, 3), (F, 3) with far fewer faces, no point moved further than `detail`; others as they are."""
    solid = solid_of(Mesh(vertices, faces)) if len(faces) else None
    if solid is None:
        return vertices, faces
    mesh = mesh_of(simplify(solid, detail))
    return mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32)


def close(mesh: Mesh) -> Manifold | None:
    """The solid that a mesh bounds, small holes filled and detail simplified; None when no solid comes of it."""
    merged = trimesh.Trimesh(mesh.vertices, _merged(mesh)[mesh.faces], process=False)
    merged.update_faces(merged.nondegenerate_faces() & merged.unique_faces())
    merged.remove_unreferenced_vertices()
    if not merged.is_watertight:
        merged.fill_holes()
    if not len(merged.faces):
        return None
    surface = Mesh(np.asarray(merged.vertices), np.asarray(merged.faces))
    if volume(surface) < 0:
        surface = Mesh(surface.vertices, surface.faces[:, ::-1])
    solid = solid_of(surface)
    return None if solid is None else simplify(solid, SIMPLIFY * float(np.linalg.norm(merged.extents)))


def _merged(mesh: Mesh) -> IntArray:
    """(V,) for each vertex, the first one at the same place: texture seams split vertices, surfaces do not."""
    grid = np.round(mesh.vertices / (np.ptp(mesh.vertices, axis=0).max() or 1.0) * 1e6)
    _, first, inverse = np.unique(grid, axis=0, return_index=True, return_inverse=True)
    merged: IntArray = first[inverse.reshape(-1)]
    return merged


def _has_area(mesh: Mesh, position: IntArray) -> IntArray:
    """(F,) bool: whether a face's corners are at three different places."""
    a, b, c = position[mesh.faces].T
    distinct: IntArray = (a != b) & (b != c) & (c != a)
    return distinct


def _piece_of_face(position: IntArray, faces: IntArray) -> IntArray:
    """(F,) number of the connected piece that each face belongs to."""
    corners = position[faces]
    edges = np.concatenate([corners[:, :2], corners[:, 1:]])
    graph = coo_array((np.ones(len(edges), dtype=np.int8), edges.T), shape=(len(position), len(position)))
    _, labels = connected_components(graph, directed=False)
    _, compact = np.unique(labels[corners[:, 0]], return_inverse=True)
    piece: IntArray = compact
    return piece
