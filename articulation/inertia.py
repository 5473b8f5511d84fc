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
THINNEST_SIDE = 2e-3
"""Least side of the box that stands for a mesh whose inertia is not that of a solid [m]. Bodies whose least moment is
below that of a cube with this side are too light for simulators."""
ROUNDING = 1e-6
"""Second moments below zero by less than this fraction of the largest are zero."""


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
        InvalidMesh: the mesh encloses no positive volume, or no solid within its box can have these integrals, as
            happens to torn meshes and to those that intersect themselves.
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
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    longest = float(np.linalg.norm(high - low))
    beside = np.maximum(low - reference - offset, reference + offset - high).max() > ROUNDING * longest
    if beside or spread[0] < -ROUNDING * spread[-1] or spread[-1] > mass * longest**2 / 4:
        raise InvalidMesh("no solid within its box has its integrals")
    covariance = (axes * np.maximum(spread, THINNEST * spread[-1])) @ axes.T
    return Inertial(mass, reference + offset, np.trace(covariance) * np.eye(3) - covariance)


def link_inertial(mesh: Mesh, density: float) -> Inertial:
    """Mass properties that a simulator takes, of any mesh: its own, or of the box around it where it has none."""
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    sides = np.maximum(high - low, max(THINNEST_SIDE, np.sqrt(THINNEST) * float((high - low).max())))
    try:
        own = mesh_inertial(mesh, density)
        lightest = density * THINNEST_SIDE**5 / 6
        if own.mass <= density * sides.prod() and np.linalg.eigvalsh(own.inertia)[0] >= lightest:
            return own
    except InvalidMesh:
        pass
    mass = density * float(sides.prod())
    return Inertial(mass, (low + high) / 2, mass / 12 * np.diag(sides @ sides - sides**2))


def combine(parts: Sequence[Inertial]) -> Inertial:
    """Mass properties of several bodies rigidly joined (parallel axes)."""
    mass = sum(part.mass for part in parts)
    center = sum((part.mass * part.center for part in parts), np.zeros(3)) / mass
    inertia = sum((part.inertia + part.mass * _point_inertia(part.center - center) for part in parts), np.zeros((3, 3)))
    return Inertial(mass, center, inertia)


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
