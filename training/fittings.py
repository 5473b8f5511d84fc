"""Moving pieces shared by the categories: doors, sliding doors, drawers, lids, knobs, buttons; and hollow bodies.

All lengths are in metres; corners are (x, y, z) with +z out of the front. Moving parts keep `GAP` from what they could
touch, so that the closed object does not interpenetrate. How far a joint goes follows from what kind of part it is,
give or take what no eye could tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from articulation.joint import Joint, JointType
from training.builder import Builder
from training.draw import Draw
from training.handles import Handle, handle
from training.leaves import BITE, Corner, Leaf, leaf
from training.primitives import Look

GAP = 0.004
KNOB_TURN = 270.0
"""Degrees that an appliance's knob turns: all of them have stops, since no picture could tell an endless one apart."""
BUTTON_TRAVEL = 0.01
"""How deep a button goes, as a fraction of the object's longest side."""
LEAST_SEEN = 0.03
"""Smallest knob or button, as a fraction of the object's longest side: smaller ones would not be seen."""
DRAWER_TRAVEL = 0.8
"""How far a drawer comes out, as a fraction of its tray's depth."""

HINGE_AXES = {
    "left": (0.0, -1.0, 0.0),
    "right": (0.0, 1.0, 0.0),
    "bottom": (1.0, 0.0, 0.0),
    "top": (-1.0, 0.0, 0.0),
}
"""Axis that swings a front panel hinged on that side outwards under a positive angle."""


def hollow(
    b: Builder,
    link: int,
    look: Look,
    low: Corner,
    high: Corner,
    wall: float,
    *,
    inside: Look | None = None,
    lid: bool = True,
) -> None:
    """A box open in front: left, right, bottom, back and, with `lid`, top; the back panel takes the `inside` look."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    w = wall - BITE
    b.box(link, look, low, (x0 + wall, y1, z1))
    b.box(link, look, (x1 - wall, y0, z0), high)
    b.box(link, look, (x0 + w, y0, z0), (x1 - w, y0 + wall, z1))
    if lid:
        b.box(link, look, (x0 + w, y1 - wall, z0), (x1 - w, y1, z1))
    top = y1 - w if lid else y1
    b.box(link, inside or look, (x0 + w, y0 + w, z0), (x1 - w, top, z0 + wall))


def tub(b: Builder, link: int, look: Look, low: Corner, high: Corner, wall: float, inside: Look | None = None) -> None:
    """A box open on top: bottom and four walls."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    w = wall - BITE
    b.box(link, inside or look, (x0 + w, y0, z0 + w), (x1 - w, y0 + wall, z1 - w))
    b.box(link, look, low, (x0 + wall, y1, z1))
    b.box(link, look, (x1 - wall, y0, z0), high)
    b.box(link, look, (x0 + w, y0, z0), (x1 - w, y1, z0 + wall))
    b.box(link, look, (x0 + w, y0, z1 - wall), (x1 - w, y1, z1))


def swing(side: str, low: Corner, high: Corner, degrees: float) -> Joint:
    """Hinge of the front panel between two corners: on its front edge at `side`, so that it clears its neighbours."""
    (x0, y0, _), (x1, y1, z1) = low, high
    x = {"left": x0, "right": x1}.get(side, (x0 + x1) / 2)
    y = {"bottom": y0, "top": y1}.get(side, (y0 + y1) / 2)
    return Joint(JointType.REVOLUTE, np.array(HINGE_AXES[side]), np.array((x, y, z1)), 0.0, math.radians(degrees))


def slide(axis: Corner, at: Corner, travel: float) -> Joint:
    """A prismatic joint that opens along `axis`."""
    return Joint(JointType.PRISMATIC, np.array(axis), np.array(at), 0.0, travel)


@dataclass(frozen=True)
class Fronts:
    """How the doors and drawers of one object look and move.

    Attributes:
        leaf: doors; drawers take it too, unless it is glazed or they are too low for rails.
        grip: handles.
        tray: inside of drawers.
        degrees: how far doors open.
        reach: handle length of a door, as a fraction of its free side.
        knuckles: whether hinges show.
        thick: of a leaf [m].
    """

    leaf: Leaf
    grip: Handle
    tray: Look
    degrees: float = 110.0
    reach: float = 0.3
    knuckles: bool = False
    thick: float = 0.02

    def drawer_leaf(self, height: float) -> Leaf:
        plain = self.leaf.style in ("slab", "soft", "inlay", "planks") and height > 0.09
        framed = self.leaf.style in ("shaker", "raised") and height > 0.17
        style = self.leaf.style if plain or framed else "slab"
        return Leaf(style, self.leaf.look, self.leaf.look if framed else self.leaf.inset, 0.7 * self.leaf.frame)


def door(
    b: Builder, fronts: Fronts, low: Corner, high: Corner, hinge: str, caption: str, *, label: str = "door",
    grip_at: float | None = None,
) -> int:  # fmt: skip
    """A hinged leaf with its handle on the free side; `caption` goes on with the handle's words.

    Args:
        grip_at: height of an upright handle, as a fraction of the leaf's.
    """
    link = b.link(
        label, fronts.leaf.look, f"{caption} with a {fronts.grip.words()}.", 0, swing(hinge, low, high, fronts.degrees)
    )
    leaf(b, link, fronts.leaf, low, high)
    door_grip(b, link, fronts, low, high, hinge, grip_at)
    if fronts.knuckles and hinge in ("left", "right"):
        (x0, y0, _), (x1, y1, z1) = low, high
        radius, size = 0.008, min(0.06, 0.15 * (y1 - y0))
        x = x0 + radius if hinge == "left" else x1 - radius
        for y in (y0 + 0.14 * (y1 - y0), y1 - 0.14 * (y1 - y0)):
            b.cylinder(link, fronts.grip.look, (x, y, z1), "y", radius, size)
    return link


def door_grip(
    b: Builder, link: int, fronts: Fronts, low: Corner, high: Corner, hinge: str, grip_at: float | None = None
) -> None:
    """The handle of a door: along its free edge, opposite the hinge."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    width, height = x1 - x0, y1 - y0
    framed = fronts.leaf.style not in ("slab", "soft", "inlay", "planks")
    rail = min(fronts.leaf.frame, 0.28 * min(width, height))
    margin = min(0.5 * rail if framed else 0.035, 0.25 * min(width, height))
    edge = fronts.grip.style == "lip"
    if edge:
        margin = 0.0095 * fronts.grip.size + (0.5 * (z1 - z0) if fronts.leaf.style == "soft" else 0.0)
    upright = hinge in ("left", "right")
    side = height if upright else width
    length = min(fronts.reach * side, 0.9 * side)
    x = {"left": x1 - margin, "right": x0 + margin}.get(hinge, (x0 + x1) / 2)
    y = {"bottom": y1 - margin, "top": y0 + margin}.get(hinge, (y0 + y1) / 2)
    if upright and grip_at is not None:
        y = min(max(y0 + grip_at * height, y0 + length / 2 + 0.01), y1 - length / 2 - 0.01)
    handle(b, link, fronts.grip, x, y, z1, length, upright=upright)


def drawer(
    b: Builder, fronts: Fronts, low: Corner, high: Corner, cell_low: Corner, cell_high: Corner, caption: str,
    *, grips: int = 1, spread: float = 1.0,
) -> int:  # fmt: skip
    """A drawer: front leaf from `low` to `high`, tray inside the cell, `grips` handles.

    Args:
        spread: factor on how far the drawer comes out.
    """
    (x0, y0, z0), (x1, y1, z1) = low, high
    tray_low = (max(cell_low[0] + GAP, x0 + 0.001), max(cell_low[1] + GAP, y0 + 0.001), cell_low[2] + GAP)
    tray_top = min(cell_low[1] + 0.75 * (cell_high[1] - cell_low[1]), y1 - 0.001)
    tray_high = (min(cell_high[0] - GAP, x1 - 0.001), tray_top, z0 + (z1 - z0) / 2)
    travel = DRAWER_TRAVEL * spread * (z0 - tray_low[2])
    middle = ((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2)
    words = f"{caption} with a {fronts.grip.words()}."
    link = b.link("drawer", fronts.leaf.look, words, 0, slide((0.0, 0.0, 1.0), middle, travel))
    height = y1 - y0
    leaf(b, link, fronts.drawer_leaf(height), low, high)
    wall = min(0.012, 0.1 * (tray_high[1] - tray_low[1]))
    b.box(link, fronts.tray, tray_low, (tray_low[0] + wall, tray_high[1], tray_high[2]))
    b.box(link, fronts.tray, (tray_high[0] - wall, tray_low[1], tray_low[2]), tray_high)
    b.box(link, fronts.tray, tray_low, (tray_high[0], tray_low[1] + wall, tray_high[2]))
    b.box(link, fronts.tray, tray_low, (tray_high[0], tray_high[1], tray_low[2] + wall))
    length = min(0.45 * (x1 - x0) / grips, 0.3)
    y = middle[1] + (0.08 * height if height > 0.12 else 0.0)
    if fronts.grip.style == "lip":
        y, length = y1 - 0.0095 * fronts.grip.size, 0.6 * (x1 - x0) / grips
    for index in range(grips):
        x = middle[0] if grips == 1 else x0 + (x1 - x0) * (0.25 + 0.5 * index)
        handle(b, link, fronts.grip, x, y, z1, length, upright=False)
    return link


def sliding_pair(
    b: Builder, fronts: Fronts, low: Corner, high: Corner, caption: str, *, label: str = "door"
) -> tuple[int, int]:
    """Two leaves that fill an opening and slide past each other, the left one in front; handles must be flush.

    The opening reaches from `low` to `high`; the leaves take all of its depth, a track each.
    """
    (x0, y0, z0), (x1, y1, z1) = low, high
    lap = 0.04 * (x1 - x0)
    width = (x1 - x0 + lap) / 2
    thick = (z1 - z0 - 2 * GAP) / 2
    travel = 0.9 * (x1 - x0 - width)
    links = []
    for side, left, front in ((1.0, x0, True), (-1.0, x1 - width, False)):
        first = (left, y0, z1 - thick if front else z0)
        last = (left + width, y1, z1 if front else z0 + thick)
        middle = (left + width / 2, (y0 + y1) / 2, (first[2] + last[2]) / 2)
        words = f"{caption}, sliding to the {'right' if side > 0 else 'left'}, with a {fronts.grip.words()}."
        link = b.link(label, fronts.leaf.look, words, 0, slide((side, 0.0, 0.0), middle, travel))
        leaf(b, link, fronts.leaf, first, last)
        rail = min(fronts.leaf.frame, 0.2 * width)
        x = left + 0.55 * rail if side > 0 else left + width - 0.55 * rail
        grip = Handle(fronts.grip.style, fronts.grip.look, min(fronts.grip.size, 0.9))
        handle(b, link, grip, x, middle[1], last[2], min(0.3 * (y1 - y0), 0.2), upright=True)
        links.append(link)
    return links[0], links[1]


def knob(
    b: Builder,
    look: Look,
    mark: Look,
    x: float,
    y: float,
    z: float,
    radius: float,
    length: float,
    caption: str,
    *,
    parent: int,
    label: str = "knob",
    turn: float | None = KNOB_TURN,
    style: str = "plain",
) -> int:
    """A round knob with a pointer on a front face at depth `z`; turns clockwise by `turn` degrees, or without end.

    Args:
        style: "plain", "skirt" (a wide foot) or "wing" (a grip across).
    """
    z += GAP / 2
    upper = 2 * math.pi if turn is None else math.radians(turn)
    kind = JointType.CONTINUOUS if turn is None else JointType.REVOLUTE
    joint = Joint(kind, np.array((0.0, 0.0, -1.0)), np.array((x, y, z + length / 2)), 0.0, upper)
    link = b.link(label, look, caption, parent, joint)
    if style == "plain":
        b.cylinder(link, look, (x, y, z + length / 2), "z", radius, length)
    else:
        b.cylinder(link, look, (x, y, z + 0.2 * length), "z", radius, 0.4 * length)
    if style == "skirt":
        b.cylinder(link, look, (x, y, z + length / 2), "z", 0.72 * radius, length)
    elif style == "wing":
        b.box(link, look, (x - 0.26 * radius, y - 0.95 * radius, z), (x + 0.26 * radius, y + 0.95 * radius, z + length))
    top = z + length
    b.box(
        link,
        mark,
        (x - 0.1 * radius, y + 0.12 * radius, z + 0.3 * length),
        (x + 0.1 * radius, y + 0.88 * radius, top + 0.0012),
    )
    if style == "skirt":
        b.box(
            link,
            mark,
            (x - 0.1 * radius, y + 0.74 * radius, z),
            (x + 0.1 * radius, y + 0.97 * radius, z + 0.4 * length + 0.0012),
        )
    return link


def button(
    b: Builder,
    look: Look,
    low: Corner,
    high: Corner,
    longest: float,
    caption: str,
    *,
    parent: int,
    bezel: Look | None = None,
) -> int:
    """A push button that stands on a front face: it fills the box but for the room that it travels.

    Args:
        low, high: `low` lies on the face.
        longest: longest side of the whole object, which sets the travel.
        bezel: the look of a ring around a round button; without it the button is square.
    """
    (x0, y0, z0), (x1, y1, z1) = low, high
    travel = BUTTON_TRAVEL * longest
    back = z0 + travel + 0.001
    front = max(z1, back + 0.5 * travel)
    middle = ((x0 + x1) / 2, (y0 + y1) / 2, (back + front) / 2)
    link = b.link("button", look, caption, parent, slide((0.0, 0.0, -1.0), middle, travel))
    if bezel is None:
        b.box(link, look, (x0, y0, back), (x1, y1, front))
        return link
    radius = min(x1 - x0, y1 - y0) / 2
    inner = 0.8 * radius
    b.cylinder(link, look, middle, "z", inner - 0.0022, front - back)
    b.cylinder(parent, bezel, (middle[0], middle[1], (z0 + back) / 2), "z", radius, back - z0, inner=inner)
    return link


def spread(draw: Draw, value: float, share: float = 0.04) -> float:
    """A value that varies by a little."""
    return value * draw.uniform(1 - share, 1 + share)
