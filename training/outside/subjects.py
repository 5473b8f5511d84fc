"""Eleven objects modelled by hand, with their joints: the truth behind the path-traced pictures.

In metres: x right, y up, z out of the front. Nothing here comes from the generator's code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from articulation.joint import Joint, JointType
from articulation.plan import Box, PlannedPart
from articulation.typing import Array

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Shape:
    """A solid: "cube" between two corners, "cylinder" between two end points, "sphere" about `low` (radius)."""

    kind: str
    low: Point
    high: Point
    material: str
    radius: float = 0.0

    def bounds(self) -> tuple[Array, Array]:
        low, high = np.minimum(self.low, self.high), np.maximum(self.low, self.high)
        if self.kind == "cube":
            return low, high
        along = np.abs(np.subtract(self.high, self.low)) > 1e-9
        reach = np.where(along & (self.kind == "cylinder"), 0.0, self.radius)
        return low - reach, high + reach


@dataclass(frozen=True)
class Part:
    """A rigid part; the first one of a subject is its body."""

    label: str
    material: str
    shapes: tuple[Shape, ...]
    joint: Joint = field(default_factory=lambda: Joint(JointType.FIXED))
    parent: int = 0


@dataclass(frozen=True)
class Subject:
    """One object."""

    name: str
    category: str
    parts: tuple[Part, ...]

    def bounds(self) -> tuple[Array, Array]:
        every = [shape.bounds() for part in self.parts for shape in part.shapes]
        return np.min([low for low, _ in every], 0), np.max([high for _, high in every], 0)

    def planned(self) -> tuple[float, tuple[PlannedPart, ...]]:
        """Longest side [m] and the parts in model space."""
        low, high = self.bounds()
        size = float((high - low).max())
        middle, scale = (low + high) / 2, 2 / size
        parts = []
        for index, part in enumerate(self.parts):
            corners = [shape.bounds() for shape in part.shapes]
            start = (np.min([a for a, _ in corners], 0) - middle) * scale
            end = (np.max([b for _, b in corners], 0) - middle) * scale
            joint = part.joint
            if joint.type.moves:
                factor = scale if joint.type is JointType.PRISMATIC else 1.0
                origin = (joint.origin - middle) * scale
                joint = Joint(joint.type, joint.axis, origin, joint.lower * factor, joint.upper * factor)
            parts.append(
                PlannedPart(
                    name=f"{part.label}_{index}",
                    label=part.label,
                    parent=part.parent if index else -1,
                    box=Box((start + end) / 2, (end - start) / 2),
                    joint=joint,
                    material=part.material,
                )
            )
        return size, tuple(parts)


def cube(low: Point, high: Point, material: str) -> Shape:
    return Shape("cube", low, high, material)


def rod(start: Point, end: Point, radius: float, material: str) -> Shape:
    return Shape("cylinder", start, end, material, radius)


def ball(center: Point, radius: float, material: str) -> Shape:
    return Shape("sphere", center, center, material, radius)


def hinge(axis: Point, origin: Point, degrees: float) -> Joint:
    return Joint(JointType.REVOLUTE, np.array(axis), np.array(origin), 0.0, math.radians(degrees))


def slide(axis: Point, origin: Point, travel: float) -> Joint:
    return Joint(JointType.PRISMATIC, np.array(axis), np.array(origin), 0.0, travel)


LEFT, RIGHT, DOWN, UP = (0.0, -1.0, 0.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)
"""Axes of a front leaf hinged on its left, right, lower or upper edge."""
OUT = (0.0, 0.0, 1.0)
INTO = (0.0, 0.0, -1.0)


def pull(x: float, y: float, z: float, length: float, upright: bool, material: str) -> tuple[Shape, ...]:
    """A bar on two posts."""
    dx, dy = (0.0, length / 2) if upright else (length / 2, 0.0)
    posts = [
        rod((x + s * dx * 0.8, y + s * dy * 0.8, z), (x + s * dx * 0.8, y + s * dy * 0.8, z + 0.03), 0.006, material)
        for s in (-1, 1)
    ]
    return (*posts, rod((x - dx, y - dy, z + 0.035), (x + dx, y + dy, z + 0.035), 0.009, material))


def shell(low: Point, high: Point, wall: float, material: str) -> tuple[Shape, ...]:
    """A box open in front."""
    (a, b, c), (d, e, f) = low, high
    return (
        cube(low, (a + wall, e, f), material),
        cube((d - wall, b, c), high, material),
        cube(low, (d, b + wall, f), material),
        cube((a, e - wall, c), high, material),
        cube(low, (d, e, c + wall), material),
    )


def drawer(low: Point, high: Point, travel: float, material: str, knob: str, wood: str = "wood") -> Part:
    """A front between two corners with a ball for a knob, and a tray behind it."""
    (a, b, c), (d, e, f) = low, high
    x, y = (a + d) / 2, (b + e) / 2
    shapes = (
        cube(low, high, material),
        ball((x, y, f + 0.018), 0.016, knob),
        cube((a + 0.02, b + 0.02, c - travel), (d - 0.02, b + 0.03, c), material),
    )
    return Part("drawer", wood, shapes, slide(OUT, (x, y, f), travel))


def knob(x: float, y: float, z: float, radius: float, material: str, mark: str) -> Part:
    """A dial on the front that turns by 270 degrees."""
    shapes = (
        rod((x, y, z), (x, y, z + 0.022), radius, material),
        cube((x - 0.003, y, z + 0.02), (x + 0.003, y + radius * 0.9, z + 0.025), mark),
    )
    return Part("knob", "plastic", shapes, hinge(INTO, (x, y, z), 270.0))


def _microwave() -> Subject:
    body = (*shell((0, 0, 0), (0.5, 0.3, 0.36), 0.015, "steel"), cube((0.37, 0, 0.02), (0.5, 0.3, 0.36), "black"))
    door = (
        cube((0.003, 0.004, 0.362), (0.367, 0.296, 0.385), "black"),
        cube((0.05, 0.05, 0.385), (0.3, 0.25, 0.387), "mirror"),
        *pull(0.34, 0.15, 0.385, 0.22, True, "steel"),
    )
    return Subject(
        "microwave",
        "microwave",
        (
            Part("body", "metal", body),
            Part("door", "metal", door, hinge(LEFT, (0.003, 0.15, 0.385), 110.0)),
            knob(0.435, 0.2, 0.36, 0.026, "steel", "red"),
            knob(0.435, 0.1, 0.36, 0.026, "steel", "red"),
        ),
    )


def _refrigerator() -> Subject:
    body = shell((0, 0, 0), (0.8, 1.75, 0.6), 0.03, "white")
    left = (cube((0.002, 0.62, 0.603), (0.398, 1.75, 0.66), "steel"), *pull(0.36, 1.1, 0.66, 0.5, True, "black"))
    right = (cube((0.402, 0.62, 0.603), (0.798, 1.75, 0.66), "steel"), *pull(0.44, 1.1, 0.66, 0.5, True, "black"))
    low = (
        cube((0.002, 0.03, 0.603), (0.798, 0.61, 0.66), "steel"),
        *pull(0.4, 0.54, 0.66, 0.5, False, "black"),
        cube((0.06, 0.08, 0.15), (0.74, 0.1, 0.6), "white"),
    )
    return Subject(
        "refrigerator",
        "refrigerator",
        (
            Part("body", "metal", body),
            Part("door", "metal", left, hinge(LEFT, (0.002, 1.2, 0.66), 120.0)),
            Part("door", "metal", right, hinge(RIGHT, (0.798, 1.2, 0.66), 120.0)),
            Part("drawer", "metal", low, slide(OUT, (0.4, 0.3, 0.66), 0.4)),
        ),
    )


def _desk() -> Subject:
    legs = [cube((x, 0, z), (x + 0.05, 0.72, z + 0.05), "walnut") for x in (0.0,) for z in (0.0, 0.55)]
    body = (
        cube((0, 0.72, 0), (1.3, 0.75, 0.6), "walnut"),
        *legs,
        *shell((0.88, 0.06, 0), (1.3, 0.72, 0.58), 0.018, "walnut"),
        cube((0.88, 0.0, 0.02), (1.3, 0.06, 0.5), "walnut"),
    )
    fronts = [(0.08, 0.28), (0.285, 0.495), (0.5, 0.71)]
    drawers = [drawer((0.885, a, 0.582), (1.295, b, 0.6), 0.42, "walnut", "brass") for a, b in reversed(fronts)]
    return Subject("desk", "table", (Part("body", "wood", body), *drawers))


def _cabinet() -> Subject:
    body = (*shell((0, 0.1, 0), (0.9, 0.95, 0.42), 0.02, "oak"), cube((0.02, 0, 0.03), (0.88, 0.1, 0.38), "oak"))
    top = drawer((0.004, 0.75, 0.423), (0.896, 0.946, 0.443), 0.3, "oak", "black")
    left = (cube((0.004, 0.104, 0.423), (0.448, 0.744, 0.443), "oak"), ball((0.41, 0.45, 0.46), 0.015, "black"))
    right = (cube((0.452, 0.104, 0.423), (0.896, 0.744, 0.443), "oak"), ball((0.49, 0.45, 0.46), 0.015, "black"))
    return Subject(
        "cabinet",
        "storage_furniture",
        (
            Part("body", "wood", body),
            top,
            Part("door", "wood", left, hinge(LEFT, (0.004, 0.45, 0.443), 110.0)),
            Part("door", "wood", right, hinge(RIGHT, (0.896, 0.45, 0.443), 110.0)),
        ),
    )


def _safe() -> Subject:
    body = shell((0, 0, 0), (0.45, 0.5, 0.4), 0.05, "green")
    door = (cube((0.03, 0.03, 0.36), (0.42, 0.47, 0.41), "green"),)
    wheel = (
        rod((0.225, 0.3, 0.411), (0.225, 0.3, 0.44), 0.05, "steel"),
        cube((0.222, 0.3, 0.44), (0.228, 0.348, 0.443), "red"),
    )
    lever = (
        rod((0.32, 0.17, 0.411), (0.32, 0.17, 0.45), 0.014, "steel"),
        rod((0.32, 0.17, 0.445), (0.23, 0.17, 0.445), 0.009, "steel"),
    )
    dial = Joint(JointType.CONTINUOUS, np.array(INTO), np.array((0.225, 0.3, 0.42)), 0.0, 2 * math.pi)
    return Subject(
        "safe",
        "safe",
        (
            Part("body", "metal", body),
            Part("door", "metal", door, hinge(LEFT, (0.03, 0.25, 0.41), 120.0)),
            Part("dial", "metal", wheel, dial, parent=1),
            Part("lever", "metal", lever, hinge(INTO, (0.32, 0.17, 0.42), 90.0), parent=1),
        ),
    )


def _washing_machine() -> Subject:
    body = (cube((0, 0, 0), (0.6, 0.85, 0.55), "white"), cube((0.26, 0.72, 0.55), (0.45, 0.82, 0.553), "black"))
    door = (
        rod((0.3, 0.4, 0.552), (0.3, 0.4, 0.6), 0.2, "steel"),
        rod((0.3, 0.4, 0.6), (0.3, 0.4, 0.61), 0.15, "mirror"),
        cube((0.46, 0.38, 0.6), (0.49, 0.42, 0.63), "black"),
    )
    tray = (
        cube((0.03, 0.72, 0.552), (0.22, 0.82, 0.57), "white"),
        cube((0.06, 0.73, 0.57), (0.19, 0.74, 0.585), "black"),
    )
    return Subject(
        "washing_machine",
        "washing_machine",
        (
            Part("body", "metal", body),
            Part("drawer", "plastic", tray, slide(OUT, (0.12, 0.77, 0.57), 0.2)),
            knob(0.52, 0.77, 0.55, 0.035, "steel", "black"),
            Part("door", "glass", door, hinge(LEFT, (0.1, 0.4, 0.6), 130.0)),
        ),
    )


def _chest() -> Subject:
    body = (*shell((0, 0, 0), (0.9, 0.4, 0.45), 0.025, "pine"), cube((0, 0, 0.425), (0.9, 0.4, 0.45), "pine"))
    lid = (cube((-0.01, 0.405, 0), (0.91, 0.45, 0.47), "walnut"), cube((0.4, 0.36, 0.452), (0.5, 0.43, 0.475), "brass"))
    return Subject(
        "chest",
        "box",
        (
            Part("body", "wood", body[:3] + body[4:]),
            Part("lid", "wood", lid, hinge(UP, (0.45, 0.405, 0.0), 100.0)),
        ),
    )


def _oven() -> Subject:
    body = (
        *shell((0, 0, 0), (0.6, 0.85, 0.55), 0.03, "steel"),
        cube((0, 0.72, 0.3), (0.6, 0.85, 0.56), "steel"),
        cube((0.02, 0.85, 0.02), (0.58, 0.86, 0.53), "black"),
    )
    door = (
        cube((0.004, 0.22, 0.562), (0.596, 0.71, 0.59), "black"),
        cube((0.1, 0.3, 0.59), (0.5, 0.58, 0.592), "mirror"),
        *pull(0.3, 0.66, 0.59, 0.48, False, "steel"),
    )
    tray = (
        cube((0.004, 0.03, 0.562), (0.596, 0.21, 0.59), "steel"),
        cube((0.2, 0.17, 0.59), (0.4, 0.185, 0.61), "black"),
    )
    knobs = [knob(x, 0.785, 0.56, 0.025, "black", "white") for x in (0.1, 0.23, 0.37, 0.5)]
    return Subject(
        "oven",
        "oven",
        (
            Part("body", "metal", body),
            *knobs,
            Part("door", "metal", door, hinge(DOWN, (0.3, 0.22, 0.59), 90.0)),
            Part("drawer", "metal", tray, slide(OUT, (0.3, 0.12, 0.59), 0.4)),
        ),
    )


def _nightstand() -> Subject:
    legs = [rod((x, 0, z), (x, 0.15, z), 0.018, "brass") for x in (0.04, 0.46) for z in (0.04, 0.36)]
    body = (*shell((0, 0.15, 0), (0.5, 0.6, 0.4), 0.02, "blue"), *legs)
    drawers = [
        drawer((0.004, a, 0.402), (0.496, b, 0.42), 0.3, "blue", "brass") for a, b in ((0.38, 0.596), (0.155, 0.372))
    ]
    return Subject("nightstand", "table", (Part("body", "wood", body), *drawers))


def _dishwasher() -> Subject:
    body = (*shell((0, 0, 0), (0.6, 0.85, 0.55), 0.03, "white"), cube((0.03, 0, 0.4), (0.57, 0.1, 0.5), "black"))
    door = (cube((0.003, 0.11, 0.553), (0.597, 0.848, 0.6), "steel"), *pull(0.3, 0.76, 0.6, 0.45, False, "steel"))
    return Subject(
        "dishwasher",
        "dishwasher",
        (
            Part("body", "metal", body),
            Part("door", "metal", door, hinge(DOWN, (0.3, 0.11, 0.6), 90.0)),
        ),
    )


def _sideboard() -> Subject:
    legs = [rod((x, 0, z), (x, 0.2, z), 0.02, "black") for x in (0.1, 1.4) for z in (0.06, 0.34)]
    body = (*shell((0, 0.2, 0), (1.5, 0.75, 0.4), 0.022, "walnut"), *legs)
    doors = [
        Part(
            "door",
            "wood",
            (cube((a, 0.205, 0.402), (b, 0.745, 0.42), "pine"), *pull(grip, 0.48, 0.42, 0.2, True, "black")),
            hinge(axis, (x, 0.48, 0.42), 110.0),
        )
        for a, b, grip, axis, x in ((0.004, 0.497, 0.46, LEFT, 0.004), (1.003, 1.496, 1.04, RIGHT, 1.496))
    ]
    fronts = ((0.57, 0.745), (0.388, 0.564), (0.205, 0.382))
    drawers = [drawer((0.503, a, 0.402), (0.997, b, 0.42), 0.3, "pine", "black") for a, b in fronts]
    return Subject("sideboard", "storage_furniture", (Part("body", "wood", body), *doors, *drawers))


SUBJECTS: Sequence[Subject] = (
    _microwave(),
    _refrigerator(),
    _desk(),
    _cabinet(),
    _safe(),
    _washing_machine(),
    _chest(),
    _oven(),
    _nightstand(),
    _dishwasher(),
    _sideboard(),
)
