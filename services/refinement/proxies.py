"""Low-poly stand-ins for part meshes: refinement moves outlines, and a few hundred faces a part carry those."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import fast_simplification
import numpy as np
import torch
import trimesh
from torch import Tensor

from articulation.typing import Array, IntArray

WELD = 1e-5
"""Vertices nearer to each other than about this are one [model units]."""

MANY_FACES = 200_000
"""Finer meshes are made coarser before they are decimated, which bounds its time and memory."""

MOST_FACES = 10_000
"""Of a proxy: some meshes, such as loose triangles or spikes, cannot be decimated, and are made coarser instead."""

OUTLINE_TOLERANCE = 0.03
"""How far decimation may move an outermost point [model units]."""

_HEIGHT = np.linspace(-0.99, 0.99, 100)
_TURN = np.arange(100) * np.pi * (3 - np.sqrt(5))
DIRECTIONS = np.stack([np.sqrt(1 - _HEIGHT**2) * np.cos(_TURN), _HEIGHT, np.sqrt(1 - _HEIGHT**2) * np.sin(_TURN)], -1)
"""(100, 3) unit vectors spread over the sphere along a golden-angle spiral."""


@dataclass(frozen=True)
class Proxies:
    """All parts of one object at the closed state, as one triangle soup with adjacency.

    Attributes:
        vertices: (V, 3) model space.
        faces: (F, 3) int64.
        vertex_link: (V,) int64 link of every vertex.
        face_link: (F,) int64 link of every face.
        face_side: (F,) int64 principal direction that a face looks to most: 0 to 5 for +x, -x, +y, -y, +z, -z.
        neighbours: (F, 3) int64 face across the edge from corner i to corner i + 1; -1 where the surface ends.
        bounds: (L, 2, 3) lowest and highest corner of every link.
    """

    vertices: Tensor
    faces: Tensor
    vertex_link: Tensor
    face_link: Tensor
    face_side: Tensor
    neighbours: Tensor
    bounds: Tensor

    @property
    def links(self) -> int:
        return len(self.bounds)

    def only(self, link: int) -> Proxies:
        """The same with the faces of one link; vertices keep their numbers."""
        mine = self.face_link == link
        number = torch.where(mine, mine.cumsum(0) - 1, -1)
        across = self.neighbours[mine]
        # Surfaces of different links share no edge.
        neighbours = torch.where(across < 0, across, number[across])
        faces, sides = self.faces[mine], self.face_side[mine]
        return replace(self, faces=faces, face_link=self.face_link[mine], face_side=sides, neighbours=neighbours)


def build(
    meshes: Iterable[trimesh.Trimesh], max_faces: int, device: torch.device, dtype: torch.dtype = torch.float32
) -> Proxies:
    """Decimate every part to at most about `max_faces` faces and pack them.

    Args:
        meshes: one a link, model space, closed state; each with at least one face.
        max_faces: faces a part, a target that the decimation approaches.
        device: where the tensors live.
        dtype: floating-point type of the tensors.
    """
    parts = [simplify(mesh, max_faces) for mesh in meshes]
    counts = [len(vertices) for vertices, _ in parts]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    vertices = np.concatenate([vertices for vertices, _ in parts])
    faces = np.concatenate([faces + start for (_, faces), start in zip(parts, starts, strict=True)])
    links = np.arange(len(parts))
    bounds = np.stack([[vertices.min(0), vertices.max(0)] for vertices, _ in parts])

    def index(values: IntArray) -> Tensor:
        return torch.as_tensor(values, device=device)

    return Proxies(
        vertices=torch.as_tensor(vertices, device=device, dtype=dtype),
        faces=index(faces),
        vertex_link=index(np.repeat(links, counts)),
        face_link=index(np.repeat(links, [len(faces) for _, faces in parts])),
        face_side=index(face_sides(vertices, faces)),
        neighbours=index(edge_neighbours(faces)),
        bounds=torch.as_tensor(bounds, device=device, dtype=dtype),
    )


def simplify(mesh: trimesh.Trimesh, max_faces: int) -> tuple[Array, IntArray]:
    """Weld a mesh along its texture seams and decimate it by quadric error.

    Returns:
        (V, 3) vertices and (F, 3) faces.
    """
    vertices, faces = welded(np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces, dtype=np.int64), WELD)
    vertices, faces = coarse(vertices, faces, MANY_FACES)
    if len(faces) <= max_faces:
        return vertices, faces
    return coarse(*decimate(vertices, faces, max_faces), max(MOST_FACES, max_faces))


def welded(vertices: Array, faces: IntArray, step: float) -> tuple[Array, IntArray]:
    """Make one of all vertices that share a cell of a grid, and drop the faces that vanish; one at least stays.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        step: side of a cell.
    """
    first, inverse = distinct_rows(np.round(vertices / step).astype(np.int64))
    faces = inverse[faces]
    distinct = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    return vertices[first], faces[distinct] if distinct.any() else faces[:1]


def coarse(vertices: Array, faces: IntArray, most: int) -> tuple[Array, IntArray]:
    """At most that many faces: (V, 3) vertices are joined in ever larger cells, and of (F, 3) faces alike one stays."""
    step = np.ptp(vertices, axis=0).max() / 100
    while len(faces) > most:
        vertices, faces = welded(vertices, faces, step)
        faces = faces[np.sort(distinct_rows(np.sort(faces, axis=1))[0])]
        step *= 2
    return vertices, faces


def distinct_rows(rows: IntArray) -> tuple[IntArray, IntArray]:
    """(N, 3) -> (M,) where each distinct row occurs first, in ascending order of rows, and (N,) which one each is.

    The extents of the columns multiply to less than 2**63, so that a row is one number: sorting numbers is faster.
    """
    low = rows.min(0)
    _, first, inverse = np.unique(
        np.ravel_multi_index(tuple((rows - low).T), tuple(np.ptp(rows, axis=0) + 1)),
        return_index=True,
        return_inverse=True,
    )
    return first, inverse.reshape(-1)


def decimate(vertices: Array, faces: IntArray, max_faces: int) -> tuple[Array, IntArray]:
    """Collapse edges by quadric error, as eagerly as the part's outline allows.

    Eager collapses ruin parts made of few large panels, such as unions of boxes; those are decimated more carefully,
    and end with more faces than asked for.
    """
    found: list[tuple[float, Array, IntArray]] = []
    for eagerness in (7, 4, 2, 0):
        small, triangles = fast_simplification.simplify(
            vertices.astype(np.float32), faces.astype(np.int32), target_count=max_faces, agg=eagerness
        )
        if len(triangles):
            found.append((outline_error(vertices, small), small.astype(np.float64), triangles.astype(np.int64)))
            if found[-1][0] < OUTLINE_TOLERANCE:
                break
    _, small, triangles = min(found, key=lambda entry: entry[0], default=(0.0, vertices, faces))
    return small, triangles


def outline_error(one: Array, other: Array) -> float:
    """Largest difference of the extents of two point sets (N, 3), (M, 3), over directions all around."""
    return float(np.abs((one @ DIRECTIONS.T).max(0) - (other @ DIRECTIONS.T).max(0)).max())


def face_sides(vertices: Array, faces: IntArray) -> IntArray:
    """(F,) principal direction that each face looks to most: 0 to 5 for +x, -x, +y, -y, +z, -z."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    normals = np.cross(b - a, c - a)
    axis = np.abs(normals).argmax(1)
    return np.asarray(2 * axis + (normals[np.arange(len(axis)), axis] < 0))


def edge_neighbours(faces: IntArray) -> IntArray:
    """(F, 3) faces -> (F, 3) face across each edge (corner i to i + 1), -1 unless exactly two faces share the edge."""
    edges = np.stack([faces, np.roll(faces, -1, axis=1)], -1).reshape(-1, 2)
    edges.sort(axis=1)
    _, inverse, counts = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(-1)
    order = np.argsort(inverse, kind="stable")
    neighbours = np.full(len(edges), -1, dtype=np.int64)
    paired = order[counts[inverse[order]] == 2].reshape(-1, 2)
    neighbours[paired[:, 0]] = paired[:, 1] // 3
    neighbours[paired[:, 1]] = paired[:, 0] // 3
    return neighbours.reshape(-1, 3)
