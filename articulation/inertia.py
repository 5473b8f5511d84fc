"""Mass, centre of mass and inertia of closed triangle meshes of uniform density, by the divergence theorem.

Follows Eberly, "Polyhedral Mass Properties (Revisited)", with tetrahedra between the triangles and a reference point.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from articulation.asset import Inertial, Mesh
from articulation.errors import InvalidMesh
from articulation.typing import Array

_CANONICAL = (np.ones((3, 3)) + np.eye(3)) / 120.0
"""(3, 3) covariance integral of the tetrahedron (0, e_x, e_y, e_z)."""


THINNEST = 1e-5
"""Least second moment of a solid along any direction, relative to the largest: a plate of 0.3 % of its width. Rounding
leaves thinner ones with principal moments that break the triangle inequality, which simulators refuse."""


def is_closed(mesh: Mesh) -> bool:
    """Whether every directed edge has exactly one opposite: a closed, consistently wound surface."""
    edges = mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    forward, counts = np.unique(edges, axis=0, return_counts=True)
    backward = np.unique(edges[:, ::-1], axis=0)
    return bool((counts == 1).all() and forward.shape == backward.shape and (forward == backward).all())


def volume(mesh: Mesh) -> float:
    """Signed volume [unit^3]; positive for outward winding. Of a mesh that is not closed it means nothing."""
    reference = mesh.vertices.mean(0)
    corners = mesh.vertices[mesh.faces] - reference
    return float(np.linalg.det(corners).sum() / 6.0)


def mesh_inertial(mesh: Mesh, density: float) -> Inertial:
    """Mass properties of a closed mesh with outward winding.

    Args:
        mesh: vertices in [m].
        density: [kg/m^3], positive.

    Raises:
        InvalidMesh: the mesh encloses no positive volume.
    """
    reference = mesh.vertices.mean(0)
    corners = mesh.vertices[mesh.faces] - reference
    determinants = np.linalg.det(corners)
    mass = density * float(determinants.sum()) / 6.0
    if mass <= 0:
        raise InvalidMesh(f"encloses no volume: {mass / density:.3g}")
    first = density * (determinants[:, None] * corners.sum(1)).sum(0) / 24.0
    offset = first / mass
    covariance = density * np.einsum("f,fia,ij,fjb->ab", determinants, corners, _CANONICAL, corners, optimize=True)
    covariance -= mass * np.outer(offset, offset)
    spread, axes = np.linalg.eigh((covariance + covariance.T) / 2)
    covariance = (axes * np.maximum(spread, THINNEST * spread[-1])) @ axes.T
    return Inertial(mass, reference + offset, np.trace(covariance) * np.eye(3) - covariance)


def combine(parts: Sequence[Inertial]) -> Inertial:
    """Mass properties of several bodies rigidly joined (parallel axes)."""
    mass = sum(part.mass for part in parts)
    center = sum((part.mass * part.center for part in parts), np.zeros(3)) / mass
    inertia = sum((part.inertia + part.mass * _point_inertia(part.center - center) for part in parts), np.zeros((3, 3)))
    return Inertial(mass, center, inertia)


def solid_inertial(mesh: Mesh, pieces: Sequence[Mesh], density: float) -> Inertial:
    """Mass properties of a link: of its mesh when that is closed, else of its convex pieces.

    Raises:
        InvalidMesh: neither encloses a positive volume.
    """
    if is_closed(mesh) and volume(mesh) > 0:
        return mesh_inertial(mesh, density)
    return combine([mesh_inertial(piece, density) for piece in pieces])


def about_axis(inertial: Inertial, origin: Array, axis: Array) -> float:
    """Moment of inertia about the line through `origin` (3,) along the unit vector `axis` (3,) [kg m^2]."""
    arm = np.cross(axis, inertial.center - origin)
    return float(axis @ inertial.inertia @ axis + inertial.mass * arm @ arm)


def is_physical(inertial: Inertial) -> bool:
    """Whether mass is positive, inertia positive definite, and its principal moments obey the triangle inequality."""
    moments = np.linalg.eigvalsh(inertial.inertia)
    return bool(inertial.mass > 0 and moments[0] > 0 and moments[0] + moments[1] >= moments[2] * (1 - 1e-6))


def _point_inertia(arm: Array) -> Array:
    """(3, 3) inertia of a unit mass at `arm` (3,)."""
    inertia: Array = arm @ arm * np.eye(3) - np.outer(arm, arm)
    return inertia
