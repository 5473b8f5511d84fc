"""Builder: collects links and solids in metres, then writes the normalised ObjectSpec.

While building, y is up, +z out of the front, +x right; the origin is anywhere. Boxes are given by two corners.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from articulation.joint import Joint, JointType
from articulation.typing import Array, IntArray
from services.vlm.vocabulary import MAX_PARTS
from training.primitives import LOOK_CHANNELS, Look, Primitives, Shape
from training.spec import ObjectSpec, SpecLink

MAX_PRIMITIVES = 160
ROW = 0.03
"""Siblings whose upper edges differ by less [model units] stand in one row."""
Point = Sequence[float]
Turn = tuple[str, float]
"""An axis "x", "y" or "z", and the angle [rad] by which a solid is turned about it through its centre."""
Rotation = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]

_AXIS_ROTATIONS: dict[str, Rotation] = {
    "x": ((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    "y": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "z": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
}
"""Rotations that turn the local y axis into the named axis."""


@dataclass
class _Solid:
    shape: Shape
    link: int
    center: tuple[float, ...]
    rotation: Rotation
    size: tuple[float, float, float]
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

    def link(self, label: str, look: Look, caption: str, parent: int = -1, joint: Joint | None = None) -> int:
        """Add a part, in metres; returns its index. The first one is the root and takes no joint."""
        self._links.append(SpecLink(label, label, parent, joint or Joint(JointType.FIXED), look.material, caption))
        return len(self._links) - 1

    def box(self, link: int, look: Look, low: Point, high: Point, turn: Turn | None = None) -> None:
        """Add a box between two corners."""
        (x0, y0, z0), (x1, y1, z1) = low, high
        center = ((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2)
        size = ((x1 - x0) / 2, (y1 - y0) / 2, (z1 - z0) / 2)
        rotation = _rotation(*turn) if turn else _AXIS_ROTATIONS["y"]
        self._solids.append(_Solid(Shape.BOX, link, center, rotation, size, look))

    def cylinder(
        self, link: int, look: Look, center: Point, axis: str, radius: float, length: float, inner: float = 0.0
    ) -> None:
        """Add a cylinder along "x", "y" or "z", or a ring when `inner` is positive."""
        size = (radius, length / 2, inner)
        self._solids.append(_Solid(Shape.CYLINDER, link, tuple(center), _AXIS_ROTATIONS[axis], size, look))

    def rod(self, link: int, look: Look, start: Point, end: Point, radius: float) -> None:
        """Add a cylinder from one point to another."""
        length = math.dist(start, end)
        along = tuple((b - a) / length for a, b in zip(start, end, strict=True))
        center = tuple((a + b) / 2 for a, b in zip(start, end, strict=True))
        self._solids.append(_Solid(Shape.CYLINDER, link, center, _frame_along(along), (radius, length / 2, 0.0), look))

    def rounded(self, link: int, look: Look, low: Point, high: Point, radius: float, axis: str) -> None:
        """Add a box whose four edges along `axis` are round: a cross of two boxes and four cylinders."""
        along = "xyz".index(axis)
        across = [i for i in range(3) if i != along]
        radius = min(radius, *((high[i] - low[i]) * 0.499 for i in across))
        for i in across:
            first, last = list(low), list(high)
            first[i] += radius
            last[i] -= radius
            self.box(link, look, first, last)
        for a in (low[across[0]] + radius, high[across[0]] - radius):
            for b in (low[across[1]] + radius, high[across[1]] - radius):
                center = [(low[along] + high[along]) / 2] * 3
                center[across[0]], center[across[1]] = a, b
                self.cylinder(link, look, center, axis, radius, high[along] - low[along])

    def _check(self, category: str, style: str) -> None:
        counts = len(self._solids), len(self._links)
        if counts[0] > MAX_PRIMITIVES or counts[1] > MAX_PARTS:
            raise ValueError(f"{category} ({style}): {counts[0]} primitives in {counts[1]} links")
        for solid in self._solids:
            if min(solid.size[:2]) <= 0 or min(solid.size) < 0:
                raise ValueError(f"{category} ({style}): a {solid.shape.name} of size {solid.size} at {solid.center}")

    def finish(self, category: str, style: str) -> ObjectSpec:
        """Centre and scale everything into model space, and put the links into their canonical order.

        The order is breadth first from the root, as plans are written (`Articulation.order`), siblings as one reads:
        rows from top to bottom, each from left to right.

        Raises:
            ValueError: there are more solids than `MAX_PRIMITIVES`, more links than `MAX_PARTS`, or a solid is empty.
        """
        self._check(category, style)
        solids = sorted(self._solids, key=lambda x: x.shape)
        owner = np.array([x.link for x in solids], dtype=np.int64)
        primitives = Primitives(
            shape=np.array([x.shape for x in solids], dtype=np.int64),
            link=owner,
            center=np.array([x.center for x in solids]),
            rotation=np.array([x.rotation for x in solids]),
            size=np.array([x.size for x in solids]),
            look=self._looks(solids),
        )
        half = primitives.half_extents()
        low, high = primitives.center - half, primitives.center + half
        middle, longest = (low.min(0) + high.max(0)) / 2, float((high.max(0) - low.min(0)).max())
        scale = 2.0 / longest
        primitives.center[:] = (primitives.center - middle) * scale
        primitives.size[:] *= scale
        primitives.look[:, 7] /= scale

        count = len(self._links)
        corners = np.full((count, 2), (np.inf, -np.inf))
        np.minimum.at(corners[:, 0], owner, low[:, 0] * scale)
        np.maximum.at(corners[:, 1], owner, high[:, 1] * scale)
        order = _reading_order([x.parent for x in self._links], corners)
        rank = np.empty(count, dtype=np.int64)
        rank[order] = np.arange(count)
        primitives.link[:] = rank[owner]
        return ObjectSpec(category, style, longest, self._named(order, rank, middle, scale), primitives)

    def _named(self, order: list[int], rank: IntArray, middle: Array, scale: float) -> tuple[SpecLink, ...]:
        seen: Counter[str] = Counter()
        out = []
        for index in order:
            link = self._links[index]
            seen[link.label] += 1
            name = f"{link.label}_{seen[link.label]}" if link.joint.type.moves else link.label
            parent = int(rank[link.parent]) if link.parent >= 0 else -1
            joint = _to_model(link.joint, middle, scale)
            out.append(SpecLink(name, link.label, parent, joint, link.material, link.caption))
        return tuple(out)

    def _looks(self, solids: list[_Solid]) -> Array:
        phases = (self._rng.random(len(solids)) * 2 * np.pi).tolist()
        rows = []
        for solid, phase in zip(solids, phases, strict=True):
            look = solid.look
            grain = 1 if solid.shape is Shape.CYLINDER else solid.size.index(max(solid.size))
            rows.append((*look.base, *look.accent, look.pattern, look.scale, phase, grain, look.gloss))
        out = np.array(rows)
        assert out.shape[1] == LOOK_CHANNELS
        return out


def _reading_order(parents: list[int], corners: Array) -> list[int]:
    """Breadth first from the root; `corners` (L, 2) are each link's left and upper edge."""
    order = [parents.index(-1)]
    for index in order:
        order.extend(_in_rows([i for i, parent in enumerate(parents) if parent == index], corners))
    return order


def _in_rows(siblings: list[int], corners: Array) -> list[int]:
    """Rows from top to bottom, each from left to right."""
    rows: list[list[int]] = []
    for index in sorted(siblings, key=lambda i: -corners[i, 1]):
        if not rows or corners[rows[-1][0], 1] - corners[index, 1] > ROW:
            rows.append([])
        rows[-1].append(index)
    return [index for row in rows for index in sorted(row, key=lambda i: corners[i, 0])]


def _to_model(joint: Joint, middle: Array, scale: float) -> Joint:
    if not joint.type.moves:
        return joint
    length = scale if joint.type is JointType.PRISMATIC else 1.0
    return Joint(joint.type, joint.axis, (joint.origin - middle) * scale, joint.lower * length, joint.upper * length)


def _rotation(axis: str, angle: float) -> Rotation:
    s, c = math.sin(angle), math.cos(angle)
    if axis == "x":
        return (1.0, 0.0, 0.0), (0.0, c, -s), (0.0, s, c)
    if axis == "y":
        return (c, 0.0, s), (0.0, 1.0, 0.0), (-s, 0.0, c)
    return (c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0)


def _frame_along(direction: tuple[float, ...]) -> Rotation:
    """A rotation whose y axis is the unit vector `direction`."""
    x, y, z = direction
    if y < -0.9999:
        return (1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)
    k = 1 / (1 + y)
    return (1 - k * x * x, x, -k * x * z), (-x, y, -z), (-k * x * z, z, 1 - k * z * z)
