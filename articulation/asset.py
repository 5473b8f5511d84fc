"""The asset: one articulated object with everything that a simulator needs, in the URDF frame, before it is a file."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from articulation.errors import InvalidArticulation, InvalidMesh
from articulation.tree import NAME_PATTERN, Articulation
from articulation.typing import Array, ImageArray, IntArray


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles.

    Attributes:
        vertices: (V, 3) in the frame that the owner names.
        faces: (F, 3) vertex indices, counter-clockwise seen from outside.

    Raises:
        InvalidMesh: wrong shapes, NaN, no faces, or indices out of range.
    """

    vertices: Array
    faces: IntArray

    def __post_init__(self) -> None:
        vertices = np.asarray(self.vertices, dtype=np.float64)
        faces = np.asarray(self.faces, dtype=np.int64)
        if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
            raise InvalidMesh(f"must be (V, 3) and (F, 3), got {vertices.shape} and {faces.shape}")
        if not len(faces):
            raise InvalidMesh("has no faces")
        if not np.isfinite(vertices).all():
            raise InvalidMesh("has vertices that are not finite")
        if faces.min() < 0 or faces.max() >= len(vertices):
            raise InvalidMesh(f"has face indices outside 0 to {len(vertices) - 1}")
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "faces", faces)


@dataclass(frozen=True, eq=False)
class TexturedMesh(Mesh):
    """Triangles with a base colour texture.

    Attributes:
        uvs: (V, 2) texture coordinates in [0, 1], v up.
        texture: (H, W, 3) sRGB bytes, row 0 on top.

    Raises:
        InvalidMesh: as `Mesh`, or uvs or texture of a wrong shape.
    """

    uvs: Array
    texture: ImageArray

    def __post_init__(self) -> None:
        super().__post_init__()
        uvs = np.asarray(self.uvs, dtype=np.float64)
        if uvs.shape != (len(self.vertices), 2) or not np.isfinite(uvs).all():
            raise InvalidMesh(f"must have {len(self.vertices)} finite uvs, got shape {uvs.shape}")
        if self.texture.ndim != 3 or self.texture.shape[2] != 3 or self.texture.dtype != np.uint8:
            raise InvalidMesh(f"texture must be (H, W, 3) bytes, got {self.texture.shape} {self.texture.dtype}")
        object.__setattr__(self, "uvs", uvs)


@dataclass(frozen=True, eq=False)
class Inertial:
    """Mass properties of one rigid body.

    Attributes:
        mass: [kg].
        center: (3,) centre of mass, object frame at the closed state [m].
        inertia: (3, 3) about the centre of mass, along the object frame's axes [kg m^2].
    """

    mass: float
    center: Array
    inertia: Array


@dataclass(frozen=True)
class JointDynamics:
    """What resists and drives a joint; forces in [N] for prismatic, torques in [N m] for revolute.

    Attributes:
        damping: [N s/m] or [N m s/rad].
        friction: Coulomb friction [N] or [N m].
        effort: largest actuator force [N] or [N m].
        velocity: largest speed [m/s] or [rad/s].
    """

    damping: float = 0.0
    friction: float = 0.0
    effort: float = 0.0
    velocity: float = 0.0


@dataclass(frozen=True, eq=False)
class Body:
    """One link's matter, object frame at the closed state [m].

    Attributes:
        visual: what is seen.
        collision: convex pieces; what is touched.
        inertial: mass properties.
        dynamics: of the joint that holds the link to its parent.
    """

    visual: TexturedMesh
    collision: tuple[Mesh, ...]
    inertial: Inertial
    dynamics: JointDynamics = field(default_factory=JointDynamics)


@dataclass(frozen=True, eq=False)
class Asset:
    """A simulation-ready articulated object, in the URDF frame (`docs/frames.md`).

    Attributes:
        name: lower-case letters, digits and underscores.
        articulation: L links; joints in the URDF frame [m, rad].
        bodies: L bodies, in link order.
        notes: remarks of whoever built it, one sentence each, for the report.
        excluded: pairs of links that do not collide.

    Raises:
        InvalidArticulation: a bad name, or not one body a link.
    """

    name: str
    articulation: Articulation
    bodies: tuple[Body, ...]
    notes: tuple[str, ...] = ()
    excluded: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if not NAME_PATTERN.match(self.name):
            raise InvalidArticulation("name", f"{self.name!r} does not match {NAME_PATTERN.pattern}")
        if len(self.bodies) != len(self.articulation):
            raise InvalidArticulation("bodies", f"must be {len(self.articulation)}, one a link, got {len(self.bodies)}")

    @property
    def diagonal(self) -> float:
        """Length of the closed object's bounding box diagonal [m]."""
        points = np.concatenate([body.visual.vertices for body in self.bodies])
        return float(np.linalg.norm(np.ptp(points, axis=0)))


def link_origins(articulation: Articulation) -> Array:
    """(L, 3) where each link's own frame lies in documents whose joints turn about its origin.

    URDF, MJCF, USD and glTF put a joint's axis through the origin of the child's frame. The root keeps the object
    frame.
    """
    return np.array([np.zeros(3) if link.parent < 0 else link.joint.origin for link in articulation])
