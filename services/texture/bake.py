"""Baking: the surface point under every texel, and the colours around the charts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from articulation.typing import Array, ImageArray, IntArray
from services.texture.raster import rasterize
from services.texture.unwrap import UvMesh, texel_corners, weld

CREASE_COSINE = 0.9
"""A corner takes the smooth normal of its vertex only where that is within about 26 degrees of its face."""


@dataclass(frozen=True)
class Texels:
    """Texels whose centre a chart covers.

    Attributes:
        index: (N,) row * size + column.
        points: (N, 3) float32 on the surface.
        normals: (N, 3) float32, outward, unit.
        charts: (N,) int64 chart of each texel.
    """

    index: Tensor
    points: Tensor
    normals: Tensor
    charts: Tensor


@dataclass(frozen=True)
class Patches:
    """Texels grouped by the squares of a coarser grid, those of different charts apart.

    Attributes:
        of_texel: (N,) int64 patch of each texel.
        points: (M, 3) float32 middle of each patch's texels.
        normals: (M, 3) float32, unit.
    """

    of_texel: Tensor
    points: Tensor
    normals: Tensor


def texels(mesh: UvMesh, texture_size: int) -> Texels:
    """Find the surface point of every covered texel centre."""
    face, weights = rasterize(texel_corners(mesh, texture_size), texture_size)
    index = (face.flatten() >= 0).nonzero()[:, 0]
    chosen, share = face.flatten()[index].numpy(), weights.flatten(0, 1)[index].numpy()[..., None]
    points = (mesh.vertices[mesh.faces[chosen]] * share).sum(1)
    normals = (corner_normals(mesh.vertices, mesh.faces)[chosen] * share).sum(1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    charts = torch.from_numpy(mesh.charts[chosen])
    return Texels(index, torch.from_numpy(points).float(), torch.from_numpy(normals).float(), charts)


def patches(places: Texels, texture_size: int, side: int) -> Patches:
    """Group texels by squares of `side` x `side` texels."""
    row, column = places.index // texture_size // side, places.index % texture_size // side
    across = -(-texture_size // side)
    keys = (places.charts * across + row) * across + column
    _, of_texel, counts = torch.unique(keys, return_inverse=True, return_counts=True)
    sums = torch.zeros(len(counts), 6).index_add_(0, of_texel, torch.cat([places.points, places.normals], 1))
    normals = torch.nn.functional.normalize(sums[:, 3:], dim=-1)
    return Patches(of_texel, sums[:, :3] / counts[:, None], normals)


def patch_side(mesh: UvMesh, texture_size: int, spacing: float) -> int:
    """The largest power of two such that so many texels of the mesh's atlas measure at most `spacing`, or 1."""
    corners, flat = mesh.vertices[mesh.faces], mesh.uvs[mesh.faces] * texture_size
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    (ux, uy), (vx, vy) = (flat[:, 1] - flat[:, 0]).T, (flat[:, 2] - flat[:, 0]).T
    texel = np.sqrt(area / max(np.abs(ux * vy - uy * vx).sum(), 1e-12))
    return 1 << int(np.log2(max(spacing / max(texel, 1e-12), 1.0)))


def corner_normals(vertices: Array, faces: IntArray) -> Array:
    """(F, 3, 3) unit normal at each corner of each face: smooth over gentle bends, the face's own at creases."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    weighted = np.cross(b - a, c - a)
    own = weighted / np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), 1e-20)
    # Seams have split the vertices; normals are smooth across them all the same.
    welded = weld(vertices)[faces]
    total = np.stack([np.bincount(welded.reshape(-1), np.repeat(weighted[:, axis], 3)) for axis in range(3)], axis=-1)
    smooth = (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-20))[welded]
    gentle = (smooth * own[:, None]).sum(-1, keepdims=True) > CREASE_COSINE
    return np.where(gentle, smooth, own[:, None])


def paint(texels_: Texels, colors: Tensor, texture_size: int) -> ImageArray:
    """Write (N, 3) sRGB colours in [0, 1] into a texture and spread them over the gaps between charts.

    Every texel outside the charts takes the colour of the nearest one inside, so that no filter or mip level of a
    viewer bleeds background over a seam.

    Returns:
        (texture_size, texture_size, 3) uint8.
    """
    texture = np.zeros((texture_size * texture_size, 3), dtype=np.uint8)
    index = texels_.index.numpy()
    texture[index] = (colors.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    empty = np.ones(texture_size * texture_size, dtype=bool)
    empty[index] = False
    if empty.all():
        return texture.reshape(texture_size, texture_size, 3)
    rows, columns = distance_transform_edt(
        empty.reshape(texture_size, texture_size), return_distances=False, return_indices=True
    )
    return np.asarray(texture.reshape(texture_size, texture_size, 3)[rows, columns])
