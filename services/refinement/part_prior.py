"""How likely each kind of joint is for a part, before any picture is seen: by its label and by the shape of its box.

The counts are those of generated training objects (`services.refinement.joint_counts`). A label outside of them counts
for nothing, and the shape decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple, dataclass

import numpy as np

from articulation.joint import Joint, JointType
from articulation.typing import Array
from services.refinement.joint_counts import BY_LABEL, BY_LINE, BY_SHAPE

SMOOTHING = 3.0
"""Joints that a wider class adds to the counts of a narrower one: shapes to labels, all shapes to each shape, and all
panels' hinge lines to those of a label."""

FIXED_SHARE = 0.005
"""Probability that a part that is planned to move cannot; none of the training objects has such a part."""

LEAST = 1e-3
"""Joints less likely than this are not tried."""

SQUARE = 1.5
"""A box whose sides differ by less than this factor counts as square."""

THIN, FLAT = 0.12, 0.5
"""Thickness of a sheet and of a plate over the middle side of its box."""

SMALL = 0.4
"""Longest side of a fitting, such as a knob [model units]; a closed object is 2 long."""

DIRECTIONS = ("+x", "-x", "+y", "-y", "+z", "-z")
PLACES = ("low", "middle", "high")

LINES = ("ahead", "middle", "behind")
"""Where hinge lines of panels lie, as `services.refinement.hypotheses.usual_lines` has them."""

ELSEWHERE = "elsewhere"
"""A hinge line of a panel that is on none of `LINES`."""


@dataclass(frozen=True, order=True)
class Place:
    """A joint relative to the box of its part, in words.

    Attributes:
        type: the kind of joint.
        direction: one of `DIRECTIONS`, "" for fixed joints.
        line: where a hinge line passes the longer side that it crosses, one of `PLACES`; "" for other joints.
    """

    type: JointType
    direction: str = ""
    line: str = ""

    @classmethod
    def of(cls, joint: Joint, bounds: Array) -> Place:
        """Of a joint and the (2, 3) box of its part."""
        if not joint.type.moves:
            return cls(joint.type)
        along = int(np.argmax(np.abs(joint.axis)))
        direction = DIRECTIONS[2 * along + int(joint.opens_along[along] < 0)]
        if not joint.type.rotates:
            return cls(joint.type, direction)
        side = long_side(along, bounds)
        share = (joint.origin[side] - bounds[0, side]) / max(bounds[1, side] - bounds[0, side], 1e-9)
        return cls(joint.type, direction, PLACES[int(np.digitize(share, (0.25, 0.75)))])

    @classmethod
    def parse(cls, words: str) -> Place:
        """The inverse of `str`."""
        kind, *rest = words.split()
        return cls(JointType(kind), *rest)

    def agreement(self, other: Place) -> int:
        """How many of type, direction and line are the same."""
        return sum(mine == theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True))

    def __str__(self) -> str:
        return " ".join(filter(None, (self.type.value, self.direction, self.line)))

    def joint(self, bounds: Array, limit: float) -> Joint:
        """The joint there, in the middle of the box where the words leave it open, with an upper limit."""
        origin = bounds.mean(0)
        if not self.type.moves:
            return Joint(self.type, origin=origin)
        number = DIRECTIONS.index(self.direction)
        axis = np.eye(3)[number // 2] * (1 - 2 * (number % 2))
        if self.line in ("low", "high"):
            side = long_side(number // 2, bounds)
            origin[side] = bounds[PLACES.index(self.line) // 2, side]
        return Joint(self.type, axis, origin, 0.0, limit)


@dataclass(frozen=True)
class PartPrior:
    """Probabilities of all joints of one part.

    Attributes:
        chances: place to probability; those below `LEAST` are left out.
    """

    chances: Mapping[Place, float]

    @classmethod
    def of(cls, label: str, bounds: Array) -> PartPrior:
        """Of a part with a label and a (2, 3) box."""
        shape = mixed(BY_SHAPE.get(shape_of(bounds), {}), shares_of_all())
        mix = mixed(BY_LABEL.get(label, {}), shape)
        chances = {Place.parse(words): (1 - FIXED_SHARE) * chance for words, chance in mix.items()}
        chances[Place(JointType.FIXED)] = FIXED_SHARE
        return cls({place: chance for place, chance in chances.items() if chance >= LEAST})


def shape_of(bounds: Array) -> str:
    """The shape of a (2, 3) box in words: how flat it is, across which axis, and whether it is a small fitting."""
    size = bounds[1] - bounds[0]
    thin, middle, longest = np.argsort(size, kind="stable")
    ratio = size[thin] / max(size[middle], 1e-9)
    flatness = "sheet" if ratio < THIN else "plate" if ratio < FLAT else "block"
    across = "" if flatness == "block" else "xyz"[thin]
    return " ".join(filter(None, ("small" if size[longest] < SMALL else "large", flatness, across)))


def long_side(along: int, bounds: Array) -> int:
    """Of the two sides across a principal direction, the longer one."""
    return max((i for i in range(3) if i != along), key=lambda i: bounds[1, i] - bounds[0, i])


def is_square(along: int, bounds: Array) -> bool:
    """Whether a box (2, 3), seen along a principal direction, is about square, as knobs and levers are."""
    across = np.delete(bounds[1] - bounds[0], along)
    return bool(across.max() < SQUARE * across.min())


def line_shares(label: str) -> dict[str, float]:
    """How often the hinge line of a panel of that label is each of `LINES`, or `ELSEWHERE`."""
    panels: Counter[str] = sum((Counter(of_label) for of_label in BY_LINE.values()), Counter())
    return mixed(BY_LINE.get(label, {}), {line: count / panels.total() for line, count in panels.items()})


def shares_of_all() -> dict[str, float]:
    """Over parts of all shapes."""
    counts: Counter[str] = sum((Counter(of_shape) for of_shape in BY_SHAPE.values()), Counter())
    return {words: count / counts.total() for words, count in counts.items()}


def mixed(counts: Mapping[str, int], wider: Mapping[str, float]) -> dict[str, float]:
    """Shares of counts to which a wider class adds `SMOOTHING`."""
    whole = sum(counts.values()) + SMOOTHING
    return {words: (counts.get(words, 0) + SMOOTHING * wider.get(words, 0.0)) / whole for words in {**wider, **counts}}
