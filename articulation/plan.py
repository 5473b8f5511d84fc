"""The plan: what the VLM says about the object before any geometry exists. Model space throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from articulation.camera import Camera
from articulation.errors import InvalidArticulation
from articulation.joint import Joint
from articulation.materials import MATERIALS
from articulation.tree import Articulation, Link
from articulation.typing import Array


@dataclass(frozen=True, eq=False)
class Box:
    """An axis-aligned box in model space: `center` (3,) and positive `half_extent` (3,)."""

    center: Array
    half_extent: Array

    def __post_init__(self) -> None:
        for name in ("center", "half_extent"):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if value.shape != (3,) or not np.isfinite(value).all():
                raise InvalidArticulation(f"box.{name}", f"must be three finite numbers, got {value!r}")
            object.__setattr__(self, name, value)
        if (self.half_extent <= 0).any():
            raise InvalidArticulation("box.half_extent", f"must be positive, got {self.half_extent}")

    def to_array(self) -> Array:
        """(6,) centre then half extent: the layout of every box tensor."""
        return np.concatenate([self.center, self.half_extent])


@dataclass(frozen=True)
class PlannedPart:
    """One link as the plan sees it.

    Attributes:
        name: unique, as in `articulation.tree.Link`.
        label: what the part is, from the category's vocabulary or free text.
        parent: index of the parent part, -1 for the root.
        box: the part's bounding box at the closed state.
        joint: motion against the parent.
        material: name in `articulation.materials`.
        caption: one sentence for the image-editing model.
        confidence: probability in [0, 1] that the part exists as described.
    """

    name: str
    label: str
    parent: int
    box: Box
    joint: Joint
    material: str
    caption: str = ""
    confidence: float = 1.0


@dataclass(frozen=True)
class Plan:
    """A URDF template.

    Attributes:
        category: e.g. "microwave".
        size: longest side of the closed object [m].
        parts: 1 to 32 parts that form one tree.
        camera: the view that the input image shows.
        confidence: probability in [0, 1] that the whole plan is right.

    Raises:
        InvalidArticulation: naming the field, e.g. `parts[2].joint.axis`.
    """

    category: str
    size: float
    parts: tuple[PlannedPart, ...]
    camera: Camera
    confidence: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.size) and 0.01 <= self.size <= 20.0):
            raise InvalidArticulation("size", f"must lie in [0.01, 20] m, got {self.size}")
        for index, part in enumerate(self.parts):
            if part.material not in MATERIALS:
                raise InvalidArticulation(
                    f"parts[{index}].material", f"{part.material!r} is not one of {sorted(MATERIALS)}"
                )
        self.articulation()

    def articulation(self) -> Articulation:
        """The plan's kinematic tree, in model space."""
        return Articulation(tuple(Link(p.name, p.parent, p.joint, p.label, p.material) for p in self.parts))
