"""Slides that run into what lies beside them, drawn straight.

Refinement leaves the axis of a slide a few degrees askew. A drawer that is drawn out askew scrapes along the next one,
and drags it along. Where it does so, and would not if it went straight out of the object, it goes straight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from manifold3d import Manifold

from articulation.joint import Joint, JointType
from articulation.tree import Articulation
from articulation.typing import Array
from gateway.package.unblock import with_joint

ASKEW = np.radians(20)
"""An axis further from all sides of the object is meant so."""
PLACES = 4
"""Coordinates up to the limit at which neighbours are looked for."""
SCRAPES = 1e-3
"""Overlap with neighbours that counts, as a fraction of the part's volume."""


def straighten(tree: Articulation, solids: Sequence[Manifold]) -> tuple[Articulation, list[str]]:
    """The tree with straight slides where askew ones run into their neighbours, and a note about each.

    Args:
        tree: object frame.
        solids: of the links, closed state.
    """
    hulls = [solid.hull() for solid in solids]
    notes = []
    for index, link in enumerate(tree):
        straight = straight_axis(link.joint)
        if straight is None:
            continue
        beside = [hulls[other] for other in tree.children(link.parent) if other != index]
        askew, upright = (
            _overlap(hulls[index], beside, link.joint.upper * axis) for axis in (link.joint.axis, straight)
        )
        if askew - upright > SCRAPES * PLACES * hulls[index].volume():
            tree = with_joint(tree, index, replace(link.joint, axis=straight))
            notes.append(f"{link.name}, which ran into what lies beside it, slides straight")
    return tree, notes


def straight_axis(joint: Joint) -> Array | None:
    """(3,) the side of the object that a slide goes along, but not quite; else None."""
    along = int(np.argmax(np.abs(joint.axis)))
    axis: Array = np.eye(3)[along] * np.sign(joint.axis[along])
    askew = not np.array_equal(axis, joint.axis) and float(axis @ joint.axis) >= np.cos(ASKEW)
    return axis if joint.type is JointType.PRISMATIC and askew else None


def _overlap(hull: Manifold, beside: Sequence[Manifold], travel: Array) -> float:
    """Volume [m^3] that a part shares with others, summed over its places on the way along `travel` (3,) [m]."""
    moved = [hull.translate(tuple(share * travel)) for share in np.linspace(0.0, 1.0, PLACES + 1)[1:]]
    return sum(float((place ^ other).volume()) for place in moved for other in beside)
