"""Analytic solids with a procedural look: what objects are built of, rendered from and measured by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from articulation.typing import Array, IntArray


class Shape(IntEnum):
    """Solids, each about the origin of its own frame.

    BOX has half extents `size`. CYLINDER stands along its y axis with `size` = (outer radius, half height, inner
    radius); a positive inner radius makes it a ring.
    """

    BOX = 0
    CYLINDER = 1


class Pattern(IntEnum):
    """Procedural patterns; `training.texture` says what each is for and at which scale."""

    PAINT = 0
    WOOD = 1
    BRUSHED = 2
    GLASS = 3
    STONE = 4
    SLATS = 5
    KEYPAD = 6
    PLASTIC = 7
    POLISHED = 8
    MARBLE = 9
    CONCRETE = 10
    TILE = 11
    PLANKS = 12
    FABRIC = 13
    LAMP = 14


@dataclass(frozen=True)
class Look:
    """The finish of a surface.

    Attributes:
        material: bulk material, a name in `articulation.materials`.
        words: how a caption names it, e.g. "oak".
        pattern: which pattern.
        base, accent: sRGB in [0, 1] that the pattern mixes.
        scale: pattern repeats per metre.
        gloss: strength of highlights in [0, 1].
    """

    material: str
    words: str
    pattern: Pattern
    base: tuple[float, float, float]
    accent: tuple[float, float, float]
    scale: float = 20.0
    gloss: float = 0.2


LOOK_CHANNELS = 11
"""base (3), accent (3), pattern, scale [1 / model unit], phase [rad], grain axis, gloss."""


@dataclass(frozen=True, eq=False)
class Primitives:
    """P solids of one object, boxes before cylinders, in model space at the closed state.

    Attributes:
        shape: (P,) `Shape`.
        link: (P,) index of the owning link.
        center: (P, 3).
        rotation: (P, 3, 3) columns are the solid's axes.
        size: (P, 3) as `Shape` says.
        look: (P, 11) as `LOOK_CHANNELS` says.
    """

    shape: IntArray
    link: IntArray
    center: Array
    rotation: Array
    size: Array
    look: Array

    def __len__(self) -> int:
        return len(self.shape)

    def half_extents(self) -> Array:
        """(P, 3) half sides of each solid's axis-aligned bounding box."""
        radius, height = self.size[:, :1], self.size[:, 1:2]
        along = self.rotation[:, :, 1]
        cylinder = radius * np.sqrt(np.clip(1 - along**2, 0, None)) + height * np.abs(along)
        box = (np.abs(self.rotation) @ self.size[:, :, None])[:, :, 0]
        return np.where(self.shape[:, None] == Shape.BOX, box, cylinder)
