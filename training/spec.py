"""ObjectSpec: one generated object with everything that is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import trimesh

from articulation.camera import Camera
from articulation.joint import Joint
from articulation.plan import Box, Plan, PlannedPart
from articulation.tree import Articulation, Link
from articulation.typing import Array
from training.primitives import Primitives, Shape

CYLINDER_SECTIONS = 48
_Z_TO_Y = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])


@dataclass(frozen=True, eq=False)
class SpecLink:
    """One rigid part; fields as in `articulation.plan.PlannedPart`."""

    name: str
    label: str
    parent: int
    joint: Joint
    material: str
    caption: str


@dataclass(frozen=True, eq=False)
class ObjectSpec:
    """An articulated object in model space.

    Attributes:
        category: one of `training.objects.CATEGORIES`.
        style: the layout choices in words, e.g. "hinge=left panel=right".
        size: longest side of the closed object [m].
        links: root first, every parent before its children.
        primitives: the solids of all links.
    """

    category: str
    style: str
    size: float
    links: tuple[SpecLink, ...]
    primitives: Primitives

    @cached_property
    def boxes(self) -> Array:
        """(L, 6) each link's axis-aligned box at the closed state: centre, half extent."""
        half, center, owner = self.primitives.half_extents(), self.primitives.center, self.primitives.link
        out = np.empty((len(self.links), 6))
        for index in range(len(self.links)):
            mine = owner == index
            low, high = (center - half)[mine].min(0), (center + half)[mine].max(0)
            out[index] = *((low + high) / 2), *((high - low) / 2)
        return out

    @cached_property
    def half_extent(self) -> Array:
        """(3,) half sides of the closed object's bounding box, which is centred."""
        return np.asarray((self.boxes[:, :3] + self.boxes[:, 3:]).max(0))

    def articulation(self) -> Articulation:
        """The kinematic tree, in model space."""
        return Articulation(tuple(Link(x.name, x.parent, x.joint, x.label, x.material) for x in self.links))

    def plan(self, camera: Camera) -> Plan:
        """The exact plan of this object under `camera`."""
        return Plan(
            category=self.category,
            size=self.size,
            camera=camera,
            parts=tuple(
                PlannedPart(
                    x.name, x.label, x.parent, Box(box[:3], box[3:]), x.joint, material=x.material, caption=x.caption
                )
                for x, box in zip(self.links, self.boxes, strict=True)
            ),
        )

    def open_coordinates(self, fraction: float | Array) -> Array:
        """(L,) joint coordinate of every link at a fraction, () or (L,), of its upper limit; 0 for fixed links."""
        return np.array([x.joint.upper for x in self.links]) * fraction

    def link_meshes(self) -> list[trimesh.Trimesh]:
        """One watertight mesh a link, in model space at the closed state, parts of the link united."""
        return [self._mesh(index) for index in range(len(self.links))]

    def _mesh(self, link: int) -> trimesh.Trimesh:
        own = np.flatnonzero(self.primitives.link == link)
        solids = [self._solid(index) for index in own]
        mesh: trimesh.Trimesh = trimesh.boolean.union(solids, engine="manifold") if len(solids) > 1 else solids[0]
        return mesh

    def _solid(self, index: int) -> trimesh.Trimesh:
        transform = np.eye(4)
        transform[:3, :3] = self.primitives.rotation[index]
        transform[:3, 3] = self.primitives.center[index]
        size = self.primitives.size[index]
        if self.primitives.shape[index] == Shape.BOX:
            box: trimesh.Trimesh = trimesh.creation.box(2 * size, transform=transform)
            return box
        radius, half_height, inner = size
        if inner > 0:
            solid: trimesh.Trimesh = trimesh.creation.annulus(inner, radius, 2 * half_height, CYLINDER_SECTIONS)
        else:
            solid = trimesh.creation.cylinder(radius, 2 * half_height, sections=CYLINDER_SECTIONS)
        solid.apply_transform(transform @ _Z_TO_Y)
        return solid
