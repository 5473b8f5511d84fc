"""UV unwrapping by box projection: every face is laid flat along one of six directions, charts are packed by xatlas.

Furniture and appliances are made of flat sides, which this maps without distortion (at worst a face is squeezed by
1 / MIN_COSINE), in a twentieth of the time of a conformal unwrap. It keeps every face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import trimesh
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from articulation.typing import Array, IntArray
from services.texture.raster import barycentric, centers, fragments, rasterize

DIRECTIONS: Array = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=np.float64)
"""(6, 3) ways a face may look."""

PLANES: Array = np.array(
    [
        [[0, 0, -1], [0, 1, 0]],
        [[0, 0, 1], [0, 1, 0]],
        [[1, 0, 0], [0, 0, -1]],
        [[1, 0, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 0]],
        [[-1, 0, 0], [0, 1, 0]],
    ],
    dtype=np.float64,
)
"""(6, 2, 3) u and v of each direction, as one looks at the face from outside."""

MIN_COSINE = 0.35
"""A face joins its neighbours' direction only if it looks that way at least so much."""

SMOOTHING_ROUNDS = 6
NEIGHBOUR_WEIGHT = 0.5
PADDING = 3
"""Texels between charts while packing."""

OVERSIZE = 1.5
"""How much larger than asked xatlas makes an atlas whose density it finds, about."""

MAX_SPLITS = 8


@dataclass(frozen=True)
class UvMesh:
    """A mesh cut along its seams.

    Attributes:
        vertices: (V, 3) model space.
        faces: (F, 3) in the order of the faces given.
        uvs: (V, 2) in [0, 1], v up.
        charts: (F,) chart of each face.
    """

    vertices: Array
    faces: IntArray
    uvs: Array
    charts: IntArray


def unwrap(vertices: Array, faces: IntArray, texture_size: int) -> UvMesh:
    """Cut a mesh into flat charts and pack them without overlap.

    Args:
        vertices: (V, 3).
        faces: (F, 3), F >= 1.
        texture_size: texels along a side; sets the gaps between charts and the scale at which overlap counts.
    """
    neighbours = np.asarray(trimesh.graph.face_adjacency(weld(vertices)[faces])).reshape(-1, 2)  # type: ignore[no-untyped-call]
    directions = _directions(_normals(vertices, faces), neighbours)
    charts = _components(directions, neighbours)
    for _ in range(MAX_SPLITS):
        mesh = _pack(vertices, faces, directions, charts, texture_size)
        buried = _buried(mesh, texture_size)
        if not buried.any():
            break
        charts = _components(charts * 2 + buried, neighbours)
    return mesh


def weld(vertices: Array) -> IntArray:
    """(V,) the same number for vertices at the same place."""
    return np.asarray(np.unique(vertices, axis=0, return_inverse=True)[1]).reshape(-1)


def _normals(vertices: Array, faces: IntArray) -> Array:
    """(F, 3) unit normals, zero for faces without area."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    cross = np.cross(b - a, c - a)
    return np.asarray(cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-20))


def _directions(normals: Array, neighbours: IntArray) -> IntArray:
    """(F,) direction of each face: the one it looks along most, unless its neighbours agree on another."""
    count = len(normals)
    cosine = normals @ DIRECTIONS.T
    either = np.concatenate([neighbours, neighbours[:, ::-1]])
    adjacency = coo_array((np.ones(len(either)), (either[:, 0], either[:, 1])), shape=(count, count)).tocsr()
    allowed = (cosine >= MIN_COSINE) | (np.abs(normals).sum(1, keepdims=True) == 0)
    labels = np.where(allowed, cosine, -np.inf).argmax(1)
    for _ in range(SMOOTHING_ROUNDS):
        votes = adjacency @ np.eye(6)[labels]
        labels = np.where(allowed, cosine + NEIGHBOUR_WEIGHT * votes, -np.inf).argmax(1)
    return np.asarray(labels)


def _components(labels: IntArray, neighbours: IntArray) -> IntArray:
    """(F,) index of each face's connected group of equally labelled faces."""
    inside = neighbours[labels[neighbours[:, 0]] == labels[neighbours[:, 1]]]
    graph = coo_array((np.ones(len(inside)), (inside[:, 0], inside[:, 1])), shape=(len(labels),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _pack(vertices: Array, faces: IntArray, directions: IntArray, charts: IntArray, texture_size: int) -> UvMesh:
    """Lay each chart flat and let xatlas place them."""
    import xatlas  # here, so that training can save the pipeline on machines that lack it

    corner_chart = charts.repeat(3)
    keys, indices = np.unique(corner_chart * len(vertices) + faces.reshape(-1), return_inverse=True)
    source = keys % len(vertices)
    chart_direction = np.zeros(charts.max() + 1, dtype=np.int64)
    chart_direction[charts] = directions
    planes = PLANES[chart_direction[keys // len(vertices)]]
    flat = np.einsum("vij,vj->vi", planes, vertices[source])
    faces = indices.reshape(-1, 3)
    atlas = xatlas.Atlas()
    corners = (flat * texture_size).astype(np.float32)
    atlas.add_uv_mesh(corners, faces.astype(np.uint32), charts[:, None].astype(np.uint32))
    options = xatlas.PackOptions()
    options.texels_per_unit, options.padding = 0.0, PADDING  # xatlas finds the density
    options.resolution = round(texture_size / OVERSIZE)
    options.rotate_charts = False  # xatlas turns a chart by mirroring it
    atlas.generate(xatlas.ChartOptions(), options)
    mapping, packed, uvs = atlas.get_mesh(0)
    uvs = np.asarray(uvs, dtype=np.float64) * (atlas.width, atlas.height) / max(atlas.width, atlas.height, 1)
    return UvMesh(vertices[source[mapping]], np.asarray(packed, dtype=np.int64), uvs.clip(0, 1), charts)


def texel_corners(mesh: UvMesh, texture_size: int) -> torch.Tensor:
    """(F, 3, 2) corners of each face in texels, row 0 on top."""
    flipped = np.stack([mesh.uvs[:, 0], 1 - mesh.uvs[:, 1]], -1) * texture_size
    return torch.from_numpy(flipped[mesh.faces])


def _buried(mesh: UvMesh, texture_size: int) -> IntArray:
    """(F,) 1 for faces that share a texel with the inside of another face of the atlas and do not own it, else 0."""
    corners = texel_corners(mesh, texture_size)
    owner, weights = rasterize(corners, texture_size)
    owner, firmly = owner.flatten(), weights.flatten(0, 1).amin(-1) > 1e-3
    buried = torch.zeros(len(corners), dtype=torch.int64)
    for face, pixel in fragments(corners, texture_size):
        other = (owner[pixel] != face) & firmly[pixel]
        face, pixel = face[other], pixel[other]
        inside = barycentric(corners[face], centers(pixel, texture_size)).amin(-1) > 1e-3
        buried[face[inside]] = 1
    return np.asarray(buried.numpy())
