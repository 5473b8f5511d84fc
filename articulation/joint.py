"""One joint, in the object frame at the closed state.

Every link's frame coincides with the object frame when all joints are at zero, so a joint is a screw in the object
frame: an axis direction and a point on it. A positive coordinate opens the part (`docs/frames.md`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from articulation.errors import InvalidArticulation
from articulation.typing import Array

ROUNDING = 4e-15
"""How far from 1 the length of an axis may be by rounding alone."""
AXIS_NORM_TOLERANCE = 1e-3


class JointType(StrEnum):
    """The URDF joint types that SPARK writes."""

    FIXED = "fixed"
    REVOLUTE = "revolute"
    CONTINUOUS = "continuous"
    PRISMATIC = "prismatic"

    @property
    def rotates(self) -> bool:
        return self in (JointType.REVOLUTE, JointType.CONTINUOUS)

    @property
    def moves(self) -> bool:
        return self is not JointType.FIXED


@dataclass(frozen=True)
class Mimic:
    """A joint that follows another: its coordinate is `multiplier` times the leader's, plus `offset`.

    Attributes:
        leader: name of the link whose joint leads; it follows none itself, and both turn, or both slide.
        multiplier: not zero; negative for one that moves the other way.
        offset: coordinate of the follower while the leader is closed, [rad] or the frame's length unit.

    Raises:
        InvalidArticulation: a number is not finite, or the multiplier zero.
    """

    leader: str
    multiplier: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not np.isfinite((self.multiplier, self.offset)).all() or self.multiplier == 0.0:
            problem = f"must be finite, its multiplier not zero, got {self.multiplier}, {self.offset}"
            raise InvalidArticulation("joint.mimic", problem)


@dataclass(frozen=True, eq=False)
class Joint:
    """How a link moves against its parent.

    Attributes:
        type: the URDF joint type.
        axis: (3,) unit vector, object frame; ignored for a fixed joint.
        origin: (3,) a point on the axis, object frame, in the frame's length unit.
        lower: lowest coordinate, [rad] for revolute, length unit for prismatic; 0 is the closed state.
        upper: highest coordinate, same unit.
        confidence: probability in [0, 1] that type, axis and origin are right.
        mimic: what it follows; None for a joint that moves by itself.

    Raises:
        InvalidArticulation: a number is not finite, the axis is not of unit length, or the limits are swapped.
    """

    type: JointType
    axis: Array = field(default_factory=lambda: np.array([0.0, 0.0, 1.0]))
    origin: Array = field(default_factory=lambda: np.zeros(3))
    lower: float = 0.0
    upper: float = 0.0
    confidence: float = 1.0
    mimic: Mimic | None = None

    @property
    def opens_along(self) -> Array:
        """(3,) axis, reversed where the joint goes back as its leader opens: both open in this sense together."""
        return -self.axis if self.mimic and self.mimic.multiplier < 0 else self.axis

    def __post_init__(self) -> None:
        object.__setattr__(self, "axis", np.asarray(self.axis, dtype=np.float64))
        object.__setattr__(self, "origin", np.asarray(self.origin, dtype=np.float64))
        for name in ("axis", "origin"):
            value = getattr(self, name)
            if value.shape != (3,) or not np.isfinite(value).all():
                raise InvalidArticulation(f"joint.{name}", f"must be three finite numbers, got {value!r}")
        if not (np.isfinite(self.lower) and np.isfinite(self.upper)):
            raise InvalidArticulation("joint.limits", f"must be finite, got [{self.lower}, {self.upper}]")
        if self.lower > self.upper:
            raise InvalidArticulation("joint.limits", f"lower {self.lower} is above upper {self.upper}")
        if not 0.0 <= self.confidence <= 1.0:
            raise InvalidArticulation("joint.confidence", f"must lie in [0, 1], got {self.confidence}")
        if self.type.moves:
            norm = float(np.linalg.norm(self.axis))
            if abs(norm - 1.0) > AXIS_NORM_TOLERANCE:
                raise InvalidArticulation("joint.axis", f"must have unit length, got {norm:.6g}")
            # A unit axis stays as it is, to the last bit: a joint that was written and read again is the same joint.
            if abs(norm - 1.0) > ROUNDING:
                object.__setattr__(self, "axis", self.axis / norm)
