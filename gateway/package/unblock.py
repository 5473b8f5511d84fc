"""What is tried for a joint that something blocks early, before its range shrinks or the asset is refused.

Hinges of generated plans lie a little beside the true ones, and a leaf that turns about a line inside its frame is
stuck. In order: the hinge moves onto the nearest edge of its part's box; more is trimmed off the collision shapes
around the hinge; the pair is excluded from contact, if it touches in the first degrees alone; the joint opens the other
way. A part inside its parent that turns about no line was taken for a door, and is drawn out instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from articulation.asset import Asset
from articulation.joint import Joint, JointType
from articulation.kinematics import with_led_limits
from articulation.tree import Articulation
from articulation.typing import Array
from gateway.package.cavities import INSIDE, inside_fraction, joint_frame
from gateway.package.contacts import CollisionModel
from gateway.package.errors import JointBlocked
from gateway.package.separate import Pieces
from gateway.package.travel import (
    DEPTH,
    GENEROUS,
    LEAST_TRAVEL,
    RELIEF,
    FreeTravel,
    Relief,
    drive_limits,
    free_travel,
    relieve,
    touching,
)

STUCK = 0.3
"""A joint that is free over less than this fraction of its planned range is tried another way; one that is blocked is
turned round only if it is then free over more."""
GOOD = 0.5
"""A remedy that frees this fraction of the planned range is taken at once; else the best one is."""
FREED = 6
"""Most remedies for joints that a motor could not move."""
DRAWN = 0.7
"""A part that is drawn out goes so far, as a fraction of its length."""
FIRST = 0.15
"""Contact over this fraction of the range, from the closed state, is by design."""


@dataclass(frozen=True)
class Remedy:
    """A joint tried another way.

    Attributes:
        asset: with the change.
        relief: how much may be trimmed for it.
        note: what was changed, for the report.
        least: fraction of the planned range that it must free.
    """

    asset: Asset
    relief: Relief
    note: str
    least: float = LEAST_TRAVEL


def unblock(asset: Asset, pieces: Pieces, clearance: float) -> tuple[Asset, Pieces]:
    """The asset and its pieces after remedies for every blocked joint; joints that none helps stay as they are."""
    for index in asset.articulation.independent:
        free = free_travel(CollisionModel(asset), asset, index)
        if free.fraction >= STUCK:
            continue
        best, most = (asset, pieces), free.fraction
        for remedy in _remedies(asset, index, free):
            trial = pieces.copy()
            changed = relieve(trial.apply(remedy.asset), trial, index, clearance, remedy.relief)
            fraction = free_travel(CollisionModel(changed), changed, index).fraction
            if fraction > most and fraction >= remedy.least:
                noted = replace(changed, notes=(*changed.notes, remedy.note))
                best, most = (noted, trial), fraction
            if most >= GOOD:
                break
        asset, pieces = best
    return asset, pieces


def drive_freed(asset: Asset, pieces: Pieces, clearance: float) -> Asset:
    """`gateway.package.travel.drive_limits`, with remedies for joints that a motor cannot move.

    Their travel is free but for shallow contact, in which faces that graze each other jam: more is trimmed around the
    joint, and then the two links that jam are excluded from contact.

    Raises:
        JointBlocked: neither frees a joint.
    """
    places = {link.name: index for index, link in enumerate(asset.articulation)}
    trimmed: set[str] = set()
    for _ in range(FREED):
        try:
            return drive_limits(asset)
        except JointBlocked as error:
            if error.other not in places:
                raise
            index, other = places[error.part], places[error.other]
            if error.part not in trimmed:
                trimmed.add(error.part)
                asset = relieve(asset, pieces, index, clearance, GENEROUS)
            else:
                note = f"{error.part} and {error.other}, which graze each other, do not collide"
                pair = (min(index, other), max(index, other))
                asset = replace(asset, excluded=(*asset.excluded, pair), notes=(*asset.notes, note))
    return drive_limits(asset)


def _remedies(asset: Asset, index: int, free: FreeTravel) -> Iterator[Remedy]:
    """What may help, the mildest first; only a joint that would be refused loses shape or contacts."""
    link = asset.articulation.links[index]
    if link.joint.type is not JointType.PRISMATIC:
        for joint in snapped(link.joint, asset.bodies[index].visual.vertices):
            moved = replace(asset, articulation=with_joint(asset.articulation, index, joint))
            yield Remedy(moved, RELIEF, f"the hinge of {link.name} was moved onto an edge of its box")
    if free.fraction >= LEAST_TRAVEL:
        return
    if link.joint.type is not JointType.PRISMATIC:
        yield Remedy(asset, GENEROUS, f"more was trimmed around the hinge of {link.name}, which was blocked")
    in_the_way = {travel.obstacle for travel in free.travels if travel.obstacle >= 0}
    if in_the_way == {link.parent} and touches_by_design(asset, index):
        parent = asset.articulation.links[link.parent].name
        excluded = replace(asset, excluded=(*asset.excluded, (link.parent, index)))
        yield Remedy(excluded, RELIEF, f"{link.name} and {parent}, which touch near the closed state, do not collide")
    turns = snapped(link.joint, asset.bodies[index].visual.vertices) if link.joint.type.rotates else []
    for joint in (link.joint, *turns):
        turned = replace(asset, articulation=with_joint(asset.articulation, index, reversed_joint(joint)))
        yield Remedy(turned, RELIEF, f"{link.name}, which was blocked, opens the other way", STUCK)


def snapped(joint: Joint, points: Array) -> list[Joint]:
    """The joint with its line on either edge of the part's box that lies on the hinge's side, the nearest first.

    Args:
        joint: revolute or continuous.
        points: (N, 3) of the part, in the joint's frame of reference.
    """
    axes = joint_frame(joint.axis)
    local, origin = points @ axes.T, axes @ joint.origin
    low, high = local.min(0), local.max(0)
    across = 1 + int(np.argmax((high - low)[1:]))
    depth = 3 - across
    side = low[across] if origin[across] - low[across] < high[across] - origin[across] else high[across]
    places = []
    for edge in sorted((low[depth], high[depth]), key=lambda edge: abs(edge - origin[depth])):
        place = origin.copy()
        place[across], place[depth] = side, edge
        places.append(place)
    return [replace(joint, origin=axes.T @ place) for place in places]


def reversed_joint(joint: Joint) -> Joint:
    """The joint that opens the other way, to positive coordinates."""
    if joint.upper > 0:
        return replace(joint, axis=-joint.axis)
    return replace(joint, lower=-joint.upper, upper=-joint.lower)


def drawn_out(joint: Joint, points: Array, parent: Array) -> Joint | None:
    """A slide through the face of the parent's box that the part is nearest to; None for a part that does not turn, or
    does not lie mostly inside its parent.

    Args:
        joint: of the part.
        points: (N, 3) of the part, in the joint's frame of reference.
        parent: (M, 3) of its parent.
    """
    low, high = points.min(0), points.max(0)
    if not joint.type.rotates or inside_fraction(points, parent) < INSIDE:
        return None
    gaps = np.concatenate([parent.max(0) - high, low - parent.min(0)])
    face = int(np.argmin(gaps))
    axis = np.eye(3)[face % 3] * (1 if face < 3 else -1)
    travel = DRAWN * float((high - low)[face % 3])
    return replace(joint, type=JointType.PRISMATIC, axis=axis, origin=(low + high) / 2, lower=0.0, upper=travel)


def touches_by_design(asset: Asset, index: int) -> bool:
    """Whether a link and its parent overlap in the first part of its travel alone."""
    end = asset.articulation.links[index].joint.upper
    if asset.articulation.links[index].joint.type is JointType.CONTINUOUS or end <= 0:
        return False
    pair = {asset.articulation.links[index].parent, index}
    model = CollisionModel(asset)
    later = [value for value in np.linspace(0.0, end, 25) if value > FIRST * end]
    return not any(touching(model, asset, index, value, DEPTH) == pair for value in later)


def with_joint(tree: Articulation, index: int, joint: Joint) -> Articulation:
    """The tree with another joint for one link, which joints that follow it go along with."""
    links = list(tree.links)
    links[index] = replace(links[index], joint=joint)
    return with_led_limits(Articulation(tuple(links)))
