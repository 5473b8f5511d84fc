"""Pieces of furniture shared by the categories: hollow bodies, doors, drawers, handles, knobs, legs.

All lengths are in metres; corners are (x, y, z) with +z out of the front. Moving parts keep `GAP` from what they could
touch, so that the closed object does not interpenetrate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from articulation.joint import Joint, JointType
from training.builder import Builder
from training.primitives import Look

GAP = 0.004
KNOB_TURN = 300.0
"""Degrees that an appliance's knob turns: all of them have stops, since no picture could tell an endless one apart."""
Corner = tuple[float, float, float]

HINGE_AXES = {
    "left": (0.0, -1.0, 0.0),
    "right": (0.0, 1.0, 0.0),
    "bottom": (1.0, 0.0, 0.0),
    "top": (-1.0, 0.0, 0.0),
}
"""Axis that swings a front panel hinged on that side outwards under a positive angle."""

HANDLES_SEEN = ("bar", "rail", "knob", "lip")
HANDLES_HELD_OUT = ("disc", "bracket")
SMALL_HANDLES_SEEN = ("knob", "lip")
SMALL_HANDLES_HELD_OUT = ("disc",)


@dataclass(frozen=True)
class Handle:
    """How the handles of one object look; `style` is one of the tuples above."""

    style: str
    look: Look

    def words(self) -> str:
        return f"{self.look.words} {self.style} handle"


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
    b.box(link, look, low, (x0 + wall, y1, z1))
    b.box(link, look, (x1 - wall, y0, z0), high)
    b.box(link, look, low, (x1, y0 + wall, z1))
    if lid:
        b.box(link, look, (x0, y1 - wall, z0), high)
    b.box(link, inside or look, low, (x1, y1, z0 + wall))


def handle(b: Builder, link: int, grip: Handle, x: float, y: float, z: float, length: float, *, upright: bool) -> None:
    """A handle on a front face at depth `z`, centred at (x, y)."""
    look, half = grip.look, length / 2
    along = (0.0, 1.0) if upright else (1.0, 0.0)

    def bar(reach: float, thick: float, low: float, high: float) -> None:
        across = (1 - along[0], 1 - along[1])
        dx, dy = along[0] * reach + across[0] * thick, along[1] * reach + across[1] * thick
        b.box(link, look, (x - dx, y - dy, z + low), (x + dx, y + dy, z + high))

    if grip.style == "lip":
        bar(half, 0.008, 0.0, 0.02)
    elif grip.style == "knob":
        radius = min(0.022, half)
        b.cylinder(link, look, (x, y, z + 0.015), "z", radius, 0.03)
    elif grip.style == "disc":
        b.cylinder(link, look, (x, y, z + 0.006), "z", min(0.03, half), 0.012)
    elif grip.style == "bracket":
        bar(half, 0.018, 0.0, 0.006)
        bar(half * 0.75, 0.006, 0.0, 0.03)
    else:
        for side in (-1, 1):
            px, py = x + side * along[0] * half * 0.8, y + side * along[1] * half * 0.8
            b.cylinder(link, look, (px, py, z + 0.02), "z", 0.006, 0.04)
        if grip.style == "bar":
            b.cylinder(link, look, (x, y, z + 0.04), "y" if upright else "x", 0.009, length)
        else:
            bar(half, 0.01, 0.03, 0.045)


def swing(side: str, low: Corner, high: Corner, degrees: float) -> Joint:
    """Hinge of the front panel between two corners: on its front edge at `side`, so that it clears its neighbours."""
    (x0, y0, _), (x1, y1, z1) = low, high
    x = {"left": x0, "right": x1}.get(side, (x0 + x1) / 2)
    y = {"bottom": y0, "top": y1}.get(side, (y0 + y1) / 2)
    return Joint(JointType.REVOLUTE, np.array(HINGE_AXES[side]), np.array((x, y, z1)), 0.0, math.radians(degrees))


def panel(
    b: Builder, link: int, look: Look, low: Corner, high: Corner, window: Look | None, frame: float = 0.06
) -> None:
    """A door leaf: one slab, or four rails around a pane."""
    if window is None:
        b.box(link, look, low, high)
        return
    (x0, y0, z0), (x1, y1, z1) = low, high
    depth = (z1 - z0) * 0.3
    b.box(link, look, low, (x0 + frame, y1, z1))
    b.box(link, look, (x1 - frame, y0, z0), high)
    b.box(link, look, low, (x1, y0 + frame, z1))
    b.box(link, look, (x0, y1 - frame, z0), high)
    inset = frame * 0.5
    b.box(link, window, (x0 + inset, y0 + inset, z0 + depth), (x1 - inset, y1 - inset, z1 - depth))


def door(
    b: Builder,
    look: Look,
    low: Corner,
    high: Corner,
    hinge: str,
    degrees: float,
    grip: Handle,
    caption: str,
    *,
    window: Look | None = None,
    frame: float = 0.06,
    reach: float = 0.5,
) -> int:
    """A hinged leaf with its handle on the free side; `reach` is the handle's length as a fraction of that side."""
    link = b.link("door", look, caption, 0, swing(hinge, low, high, degrees))
    panel(b, link, look, low, high, window, frame)
    (x0, y0, _), (x1, y1, z1) = low, high
    width, height = x1 - x0, y1 - y0
    margin = min(max(0.035, 0.5 * frame if window else 0.035), 0.3 * min(width, height))
    upright = hinge in ("left", "right")
    x = {"left": x1 - margin, "right": x0 + margin}.get(hinge, (x0 + x1) / 2)
    y = {"bottom": y1 - margin, "top": y0 + margin}.get(hinge, (y0 + y1) / 2)
    handle(b, link, grip, x, y, z1, reach * (height if upright else width), upright=upright)
    return link


def drawer(
    b: Builder,
    front: Look,
    box: Look,
    low: Corner,
    high: Corner,
    cell_low: Corner,
    cell_high: Corner,
    travel: float,
    grip: Handle,
    caption: str,
) -> int:
    """A drawer: front leaf from `low` to `high`, tray inside the cell, `travel` as a fraction of the tray's depth."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    tray_low = (max(cell_low[0] + GAP, x0), max(cell_low[1] + GAP, y0), cell_low[2] + GAP)
    tray_high = (
        min(cell_high[0] - GAP, x1),
        min(cell_low[1] + 0.75 * (cell_high[1] - cell_low[1]), y1),
        z0 + (z1 - z0) / 2,
    )
    depth = z0 - tray_low[2]
    middle = ((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2)
    link = b.link(
        "drawer",
        front,
        caption,
        0,
        Joint(JointType.PRISMATIC, np.array((0.0, 0.0, 1.0)), np.array(middle), 0.0, travel * depth),
    )
    b.box(link, front, low, high)
    wall = min(0.012, 0.1 * (tray_high[1] - tray_low[1]))
    b.box(link, box, tray_low, (tray_low[0] + wall, tray_high[1], tray_high[2]))
    b.box(link, box, (tray_high[0] - wall, tray_low[1], tray_low[2]), tray_high)
    b.box(link, box, tray_low, (tray_high[0], tray_low[1] + wall, tray_high[2]))
    b.box(link, box, tray_low, (tray_high[0], tray_high[1], tray_low[2] + wall))
    handle(b, link, grip, middle[0], middle[1] + 0.1 * (y1 - y0), z1, min(0.5 * (x1 - x0), 0.3), upright=False)
    return link


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
    turn: float | None = None,
) -> int:
    """A round knob on a front face at depth `z`; turns without end, or by `turn` degrees."""
    z += GAP / 2
    axis, origin = np.array((0.0, 0.0, -1.0)), np.array((x, y, z + length / 2))
    upper = 2 * math.pi if turn is None else math.radians(turn)
    joint = Joint(JointType.CONTINUOUS if turn is None else JointType.REVOLUTE, axis, origin, 0.0, upper)
    link = b.link("knob", look, caption, parent, joint)
    b.cylinder(link, look, (x, y, z + length / 2), "z", radius, length)
    b.box(
        link, mark, (x - radius * 0.12, y, z + length * 0.5), (x + radius * 0.12, y + radius * 0.9, z + length * 1.08)
    )
    return link


def legs(
    b: Builder, look: Look, low: Corner, high: Corner, thickness: float, *, round_legs: bool, inset: float = 0.0
) -> None:
    """Four legs of the root that fill the box between two corners."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    t = thickness
    for x in (x0 + inset + t / 2, x1 - inset - t / 2):
        for z in (z0 + inset + t / 2, z1 - inset - t / 2):
            if round_legs:
                b.cylinder(0, look, (x, (y0 + y1) / 2, z), "y", t / 2, y1 - y0)
            else:
                b.box(0, look, (x - t / 2, y0, z - t / 2), (x + t / 2, y1, z + t / 2))
