"""Conversions between model space and the URDF frame (`docs/frames.md`).

Model space: y up, +z out of the front, +x to the right of somebody who looks at the front; the closed object's bounding
box is centred and its longest side is 2. URDF frame (REP-103): x forward (out of the front), y left, z up, metres;
the origin is on the floor below the box's centre, so that the asset stands on z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from articulation.joint import Joint, JointType
from articulation.typing import Array

MODEL_TO_URDF = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""(3, 3) rotation: URDF x is model z, URDF y is model x, URDF z is model y."""


@dataclass(frozen=True)
class UrdfFrame:
    """Where one object's URDF frame lies.

    Attributes:
        scale: metres per model unit: half of the longest side in metres.
        floor: model-space y of the floor, the lower face of the closed object's box.
    """

    scale: float
    floor: float = -1.0

    def points(self, points: Array) -> Array:
        """(..., 3) model space -> (..., 3) URDF frame [m]."""
        moved: Array = self.scale * (np.asarray(points) - (0.0, self.floor, 0.0)) @ MODEL_TO_URDF.T
        return moved

    def points_to_model(self, points: Array) -> Array:
        """(..., 3) URDF frame [m] -> (..., 3) model space; the inverse of `points`."""
        moved: Array = np.asarray(points) / self.scale @ MODEL_TO_URDF + (0.0, self.floor, 0.0)
        return moved

    def joint(self, joint: Joint) -> Joint:
        """A joint in model space -> the same joint in the URDF frame, prismatic limits in metres."""
        length = self.scale if joint.type is JointType.PRISMATIC else 1.0
        mimic = joint.mimic and replace(joint.mimic, offset=joint.mimic.offset * length)
        return replace(
            joint,
            axis=MODEL_TO_URDF @ joint.axis,
            origin=self.points(joint.origin),
            lower=joint.lower * length,
            upper=joint.upper * length,
            mimic=mimic,
        )
