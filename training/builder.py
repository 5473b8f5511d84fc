"""Builder: collects links and solids in metres, then writes the normalised ObjectSpec.

While building, y is up, +z out of the front, +x right; the origin is anywhere. Boxes are given by two corners.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from articulation.joint import Joint, JointType
from articulation.typing import Array
from training.primitives import LOOK_CHANNELS, Look, Primitives, Shape
from training.spec import ObjectSpec, SpecLink

MAX_PRIMITIVES = 64
Point = Sequence[float]

_AXIS_ROTATIONS = {
    "x": ((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    "y": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "z": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
}
"""Rotations that turn the local y axis into the named axis."""
_IDENTITY = _AXIS_ROTATIONS["y"]


@dataclass
class _Solid:
    shape: Shape
    link: int
    center: tuple[float, ...]
    rotation: Sequence[Sequence[float]]
    size: tuple[float, ...]
    look: Look


class Builder:
    """One object under construction.

    Args:
        rng: draws the pattern phases.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._links: list[SpecLink] = []
        self._solids: list[_Solid] = []
        self._counts: Counter[str] = Counter()

    def link(self, label: str, look: Look, caption: str, parent: int = -1, joint: Joint | None = None) -> int:
        """Add a part, in metres; returns its index. The first one is the root and takes no joint."""
        self._counts[label] += 1
        name = f"{label}_{self._counts[label]}" if joint else label
        self._links.append(SpecLink(name, label, parent, joint or Joint(JointType.FIXED), look.material, caption))
        return len(self._links) - 1

    def box(self, link: int, look: Look, low: Point, high: Point, tilt_z: float = 0.0) -> None:
        """Add a box between two corners, turned about the z axis through its centre by `tilt_z` [rad]."""
        center = tuple((a + b) / 2 for a, b in zip(low, high, strict=True))
        size = tuple((b - a) / 2 for a, b in zip(low, high, strict=True))
        s, c = np.sin(tilt_z), np.cos(tilt_z)
        rotation = ((c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0)) if tilt_z else _IDENTITY
        self._solids.append(_Solid(Shape.BOX, link, center, rotation, size, look))

    def cylinder(
        self, link: int, look: Look, center: Point, axis: str, radius: float, length: float, inner: float = 0.0
    ) -> None:
        """Add a cylinder along "x", "y" or "z", or a ring when `inner` is positive."""
        size = (radius, length / 2, inner)
        self._solids.append(_Solid(Shape.CYLINDER, link, tuple(center), _AXIS_ROTATIONS[axis], size, look))

    def finish(self, category: str, style: str) -> ObjectSpec:
        """Centre and scale everything into model space."""
        if len(self._solids) > MAX_PRIMITIVES:
            raise ValueError(f"{category} ({style}) has {len(self._solids)} primitives, more than {MAX_PRIMITIVES}")
        solids = sorted(self._solids, key=lambda x: x.shape)
        primitives = Primitives(
            shape=np.array([x.shape for x in solids], dtype=np.int64),
            link=np.array([x.link for x in solids], dtype=np.int64),
            center=np.array([x.center for x in solids]),
            rotation=np.array([x.rotation for x in solids]),
            size=np.array([x.size for x in solids]),
            look=self._looks(solids),
        )
        half = primitives.half_extents()
        low, high = (primitives.center - half).min(0), (primitives.center + half).max(0)
        middle, longest = (low + high) / 2, float((high - low).max())
        scale = 2.0 / longest
        primitives.center[:] = (primitives.center - middle) * scale
        primitives.size[:] *= scale
        primitives.look[:, 7] /= scale
        links = tuple(_to_model(x, middle, scale) for x in self._links)
        return ObjectSpec(category, style, longest, links, primitives)

    def _looks(self, solids: list[_Solid]) -> Array:
        out = np.empty((len(solids), LOOK_CHANNELS))
        phases = self._rng.random(len(solids)) * 2 * np.pi
        for row, solid, phase in zip(out, solids, phases, strict=True):
            look = solid.look
            grain = 1 if solid.shape is Shape.CYLINDER else solid.size.index(max(solid.size))
            row[:] = *look.base, *look.accent, look.pattern, look.scale, phase, grain, look.gloss
        return out


def _to_model(link: SpecLink, middle: Array, scale: float) -> SpecLink:
    joint = link.joint
    if not joint.type.moves:
        return link
    length = scale if joint.type is JointType.PRISMATIC else 1.0
    moved = Joint(joint.type, joint.axis, (joint.origin - middle) * scale, joint.lower * length, joint.upper * length)
    return SpecLink(link.name, link.label, link.parent, moved, link.material, link.caption)
