"""Shading normals of triangle meshes that store none: smooth over gentle edges, sharp across creases."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from articulation.typing import Array, IntArray

CREASE = np.radians(40.0)
"""Faces that meet at a larger angle have an edge between them."""


def face_normals(corners: Array) -> tuple[Array, Array]:
    """Unit normals and areas.

    Args:
        corners: (F, 3, 3) corner positions, counter-clockwise seen from outside.

    Returns:
        (F, 3) unit normals, zero for faces without area, and (F,) areas.
    """
    products = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(products, axis=1)
    return products / np.where(lengths > 0, lengths, 1.0)[:, None], lengths / 2


def corner_normals(vertices: Array, faces: IntArray) -> Array:
    """(F, 3, 3) unit normal of every corner: the mean, by angle, over its vertex's faces on its side of the creases.

    Args:
        vertices: (V, 3), one for each place: a seam of two vertices at one place is a crease.
        faces: (F, 3) vertex indices of faces that have an area.
    """
    corners = vertices[faces]
    normals, areas = face_normals(corners)
    first, second = _neighbours(faces)
    gentle = (normals[first] * normals[second]).sum(1) > np.cos(CREASE)
    links = coo_matrix((np.ones(gentle.sum()), (first[gentle], second[gentle])), shape=(len(faces), len(faces)))
    count, patch = connected_components(links, directed=False)
    _, corner = np.unique(faces * count + patch[:, None], return_inverse=True)
    weighted = (_angles(corners, areas)[..., None] * normals[:, None]).reshape(-1, 3)
    sums = np.stack([np.bincount(corner.reshape(-1), weights) for weights in weighted.T], axis=1)
    means = sums / np.maximum(np.linalg.norm(sums, axis=1), np.finfo(float).tiny)[:, None]
    smooth: Array = means[corner].reshape(-1, 3, 3)
    # A patch that bends back onto itself, as around a thin rim, has a mean that is no face's normal.
    agrees = (smooth * normals[:, None]).sum(-1, keepdims=True) > np.cos(CREASE)
    return np.where(agrees, smooth, normals[:, None])


def _angles(corners: Array, areas: Array) -> Array:
    """(F, 3) angle of each face at each corner [rad]."""
    to_next, to_previous = np.roll(corners, -1, axis=1) - corners, np.roll(corners, 1, axis=1) - corners
    angles: Array = np.arctan2(2 * areas[:, None], (to_next * to_previous).sum(-1))
    return angles


def _neighbours(faces: IntArray) -> tuple[IntArray, IntArray]:
    """Indices (E,), (E,) of faces that share an edge."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    keys = edges[:, 0] * (faces.max(initial=0) + 1) + edges[:, 1]
    order = np.argsort(keys, kind="stable")
    shared = keys[order[:-1]] == keys[order[1:]]
    return order[:-1][shared] // 3, order[1:][shared] // 3
