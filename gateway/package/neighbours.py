"""Pairs of joints whose parts get into each other's way.

`gateway.package.travel` drives one joint at a time. Here both joints of a pair, with those that follow them, take every
combination of a few coordinates of their ranges, all others closed. What is found is told and changes nothing: two
doors of one cupboard that meet when both are open are right as they are, and so is a drawer behind a door. Shorter
limits would leave one of them shut for good; their shapes collide, so that in a simulation, as in a kitchen, the second
to move is stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from articulation.asset import Asset
from articulation.joint import Joint, JointType
from articulation.kinematics import link_poses, transform_points
from articulation.typing import Array, IntArray
from gateway.package.contacts import CollisionModel
from gateway.package.travel import DEPTH, carriers

SAMPLES = 9
"""Coordinates of each joint's range; a pair takes at most the square of it in collision tests of about 0.3 ms."""


@dataclass(frozen=True)
class PairCheck:
    """Two joints whose parts come near each other.

    Attributes:
        first: the link that one joint moves.
        second: the link that the other moves.
        penetration: deepest over both ranges, of links whose distance depends on both joints, as a fraction of the
            diagonal; 0 when they never touch.
        first_open: where the first joint is then, as a fraction of its range; 0 is closed.
        second_open: where the second is.
    """

    first: str
    second: str
    penetration: float
    first_open: float
    second_open: float

    @property
    def meets(self) -> bool:
        """Whether one stops the other."""
        return self.penetration > DEPTH

    def __str__(self) -> str:
        return (
            f"{self.first} and {self.second} meet: {self.penetration:.1%} of the diagonal deep with {self.first} "
            f"{self.first_open:.0%} and {self.second} {self.second_open:.0%} open"
        )


def check_pairs(asset: Asset) -> tuple[PairCheck, ...]:
    """All pairs of moving joints whose parts' boxes meet somewhere in both ranges, in link order."""
    model = CollisionModel(asset)
    corners = _corners(asset)
    checks = [_check(model, asset, corners, *pair) for pair in combinations(asset.articulation.independent, 2)]
    return tuple(check for check in checks if check)


def _check(model: CollisionModel, asset: Asset, corners: Array, first: int, second: int) -> PairCheck | None:
    """One pair; None if no two boxes meet."""
    links = asset.articulation.links
    held = [carriers(asset.articulation, index) for index in (first, second)]
    apart = {pair for pair in combinations(range(len(links)), 2) if all(own[pair[0]] != own[pair[1]] for own in held)}
    ranges = [_samples(links[index].joint) for index in (first, second)]
    coordinates = np.zeros((SAMPLES, SAMPLES, len(links)))
    coordinates[..., first], coordinates[..., second] = ranges[0][:, None], ranges[1]
    points = transform_points(link_poses(asset.articulation, coordinates), corners)
    near = _boxes_meet(points, np.array(sorted(apart)))
    if not near.any():
        return None
    deepest, where = 0.0, (0, 0)
    for row, column in np.argwhere(near):
        for contact in model.contacts(coordinates[row, column]):
            pair = (contact.first[0], contact.second[0])
            if (min(pair), max(pair)) in apart and contact.depth > deepest:
                deepest, where = contact.depth, (int(row), int(column))
    opened = [
        float(values[place] / max(np.abs(values).max(), 1e-12)) for values, place in zip(ranges, where, strict=True)
    ]
    return PairCheck(links[first].name, links[second].name, deepest / asset.diagonal, *opened)


def _samples(joint: Joint) -> Array:
    """(SAMPLES,) coordinates over a joint's range; a continuous one's full turn ends before its begin."""
    if joint.type is JointType.CONTINUOUS:
        return np.linspace(0.0, 2 * np.pi, SAMPLES, endpoint=False)
    return np.linspace(joint.lower, joint.upper, SAMPLES)


def _corners(asset: Asset) -> Array:
    """(L, 8, 3) corners of the box around each link's collision pieces, object frame at the closed state."""
    corners = []
    for body in asset.bodies:
        points = np.concatenate([piece.vertices for piece in body.collision])
        ends = np.stack([points.min(0), points.max(0)])
        corners.append(np.stack(np.meshgrid(*ends.T), axis=-1).reshape(8, 3))
    return np.array(corners)


def _boxes_meet(points: Array, pairs: IntArray) -> Array:
    """(...) whether any of the pairs (P, 2) of links has boxes that meet; points (..., L, 8, 3) of each."""
    lows, highs = points.min(-2), points.max(-2)
    low, high = lows[..., pairs, :].max(-2), highs[..., pairs, :].min(-2)
    meet: Array = (low <= high).all(-1).any(-1)
    return meet
