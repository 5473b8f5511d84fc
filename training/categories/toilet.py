"""Toilets: a bowl with lid, seat or both, a tank with lever or buttons in front, or hung on a wall."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from articulation.joint import Joint, JointType
from training.builder import Builder
from training.draw import Draw
from training.fittings import GAP, HINGE_AXES, button, spread
from training.leaves import BITE
from training.palettes import CERAMIC, FITTING, WOOD, contrasting, finish
from training.primitives import Look
from training.spec import ObjectSpec

LAYOUT = {
    "cover": ("lid and seat", "lid", "seat"),
    "tank": ("block", "round", "slim", "none"),
    "flush": ("lever left", "lever right", "one button", "two buttons", "plate", "none"),
    "foot": ("pedestal", "skirt", "wall"),
    "shape": ("round", "long", "square"),
    "seat": ("ceramic", "wood"),
}


def _fits(layout: Mapping[str, Any]) -> bool:
    if layout["tank"] == "none":
        return bool(layout["flush"] in ("plate", "none"))
    return bool(layout["flush"] not in ("plate", "none") and layout["foot"] != "wall")


def _hinge(y: float, z: float, turn: float) -> Joint:
    """Of a cover that swings up by `turn` [rad] about its rear edge."""
    return Joint(JointType.REVOLUTE, np.array(HINGE_AXES["top"]), np.array((0.0, y, z)), 0.0, turn)


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT, _fits)
    bowl = finish(draw, CERAMIC)
    metal = contrasting(draw, FITTING, bowl)
    cover = finish(draw, WOOD) if layout["seat"] == "wood" else bowl
    width = draw.uniform(0.34, 0.39)
    r = width / 2
    length = r * {"round": 1.62, "long": 1.95, "square": 1.7}[layout["shape"]]
    height = draw.uniform(0.36, 0.43)
    rear = -draw.uniform(0.12, 0.15)

    b = Builder(draw.rng)
    b.link("body", bowl, f"The {bowl.words} bowl of a toilet{'' if layout['tank'] == 'none' else ' with its tank'}.")
    floor = 0.0 if layout["foot"] != "wall" else 0.1
    _bowl(b, layout, bowl, r, length, height, rear, floor)
    top = height
    thick = draw.uniform(0.014, 0.022)
    hinge_z = rear + 0.035
    turn = math.radians(spread(draw, 95.0))
    seat_z = hinge_z + (thick + GAP if layout["cover"] == "lid and seat" else 0.0)
    if layout["cover"] != "lid":
        joint = _hinge(top + GAP + thick, seat_z, turn)
        link = b.link("seat", cover, f"The {cover.words} seat of a toilet, hinged at the rear.", 0, joint)
        _oval(b, link, cover, r - 0.004, length - 0.002, top + GAP, thick, seat_z, hole=0.62)
        top += GAP + thick
    else:
        _oval(b, 0, cover, r - 0.004, length - 0.002, top - 0.001, thick * 0.8, seat_z, hole=0.62)
        top += thick * 0.8
    if layout["cover"] != "seat":
        joint = _hinge(top + GAP + thick, hinge_z, turn)
        link = b.link("lid", cover, f"The {cover.words} lid of a toilet, hinged at the rear.", 0, joint)
        _oval(b, link, cover, r, length, top + GAP, thick, hinge_z, hole=0.0)
        for x in (-0.07, 0.07):
            b.cylinder(link, metal, (x, top + GAP + thick * 0.6, hinge_z), "x", 0.011, 0.035)
    _tank(b, draw, layout, bowl, metal, r, rear, height)
    return b.finish("toilet", draw.style(layout))


def _oval(
    b: Builder, link: int, look: Look, r: float, length: float, y: float, thick: float, back: float, hole: float
) -> None:
    """A plate, round in front, from `back` to `length`; `hole` is the opening's share of the radius."""
    inner = hole * r
    stretch = length - r
    b.cylinder(link, look, (0.0, y + thick / 2, stretch), "y", r, thick, inner=inner)
    if not hole:
        b.box(link, look, (-r, y, back), (r, y + thick, stretch))
        return
    for x0, x1 in ((-r, -inner), (inner, r)):
        b.box(link, look, (x0, y, back), (x1, y + thick, stretch))
    b.box(link, look, (-inner - BITE, y, back), (inner + BITE, y + thick, stretch - 0.9 * inner))


def _bowl(
    b: Builder, layout: dict[str, str], look: Look, r: float, length: float, height: float, rear: float, floor: float
) -> None:
    stretch = length - r
    rim = 0.05
    _oval(b, 0, look, r, length, height - rim, rim, rear - 0.05, hole=0.66)
    b.cylinder(0, look, (0.0, height - 0.16, stretch), "y", 0.9 * r, 0.24, inner=0.66 * r)
    b.cylinder(0, look, (0.0, height - 0.25, stretch), "y", 0.8 * r, 0.06)
    low = max(floor, height - 0.28)
    b.box(0, look, (-0.84 * r, low, rear - 0.05), (0.84 * r, height - 0.01, stretch - 0.64 * r))
    for x0, x1 in ((-0.9 * r, -0.66 * r), (0.66 * r, 0.9 * r)):
        b.box(0, look, (x0, low, rear - 0.05), (x1, height - 0.02, stretch))
    if layout["foot"] == "wall":
        return
    if layout["foot"] == "skirt":
        b.box(0, look, (-0.86 * r, 0.0, rear - 0.05), (0.86 * r, height - 0.2, stretch * 0.9))
        b.cylinder(0, look, (0.0, (height - 0.2) / 2, stretch * 0.9), "y", 0.86 * r, height - 0.2)
        return
    b.box(0, look, (-0.5 * r, 0.0, rear - 0.05), (0.5 * r, height - 0.2, 0.1 * r))
    b.cylinder(0, look, (0.0, (height - 0.2) / 2, 0.1 * r), "y", 0.5 * r, height - 0.2)
    b.cylinder(0, look, (0.0, 0.02, 0.2 * r), "y", 0.72 * r, 0.04)
    b.box(0, look, (-0.72 * r, 0.0, rear - 0.05), (0.72 * r, 0.04, 0.2 * r))


def _tank(
    b: Builder, draw: Draw, layout: dict[str, str], look: Look, metal: Look, r: float, rear: float, height: float
) -> None:
    """The tank behind the bowl with its lever or buttons, or the wall panel that hides it."""
    kind, flush = layout["tank"], layout["flush"]
    back = rear - 0.05
    if kind == "none":
        panel = draw.uniform(0.45, 0.6)
        z0 = back - 0.02
        b.box(0, look, (-panel / 2, 0.0, z0 - 0.1), (panel / 2, height + draw.uniform(0.45, 0.6), z0 + 0.001 + 0.02))
        if flush == "plate":
            y = height + 0.32
            b.box(0, metal, (-0.12, y - 0.075, z0 + 0.02), (0.12, y + 0.075, z0 + 0.028))
            for x0, x1 in ((-0.1, -0.006), (0.006, 0.1)):
                button(
                    b,
                    metal,
                    (x0, y - 0.055, z0 + 0.028),
                    (x1, y + 0.055, z0 + 0.03),
                    height + 0.5,
                    f"A {metal.words} flush button of a toilet.",
                    parent=0,
                )
        return
    half = draw.uniform(0.95, 1.2) * r
    depth = 0.13 if kind == "slim" else draw.uniform(0.16, 0.2)
    top = height + (draw.uniform(0.38, 0.5) if kind == "slim" else draw.uniform(0.3, 0.4))
    z0, z1 = back - depth, back
    low, high = (-half, height - 0.06, z0), (half, top, z1)
    if kind == "round":
        b.rounded(0, look, low, high, 0.05, "y")
    else:
        b.box(0, look, low, high)
    b.box(0, look, (-half - 0.01, top - 0.001, z0 - 0.005), (half + 0.01, top + 0.03, z1 + 0.01))
    b.box(0, look, (-0.8 * r, height - 0.2, z0 + 0.03), (0.8 * r, height - 0.02, back + 0.03))
    longest = max(top + 0.03, 0.6)
    if flush.startswith("lever"):
        side = -1 if flush.endswith("left") else 1
        x, y = side * 0.72 * half, top - 0.055
        axis = np.array((0.0, 0.0, -1.0 if side < 0 else 1.0))
        joint = Joint(JointType.REVOLUTE, axis, np.array((x, y, z1 + 0.02)), 0.0, math.radians(spread(draw, 40.0)))
        link = b.link("lever", metal, f"The {metal.words} flush lever of a toilet.", 0, joint)
        b.cylinder(link, metal, (x, y, z1 + GAP / 2 + 0.012), "z", 0.016, 0.024)
        x0, x1 = sorted((x + side * 0.012, x - side * 0.1))
        b.box(link, metal, (x0, y - 0.01, z1 + 0.016), (x1, y + 0.01, z1 + 0.028))
        return
    count = 1 if flush == "one button" else 2
    y = top - 0.06
    for i in range(count):  # in front: on top, a view from below would not show them
        x = (i - (count - 1) / 2) * 0.08
        low, high = (x - 0.032, y - 0.024, z1), (x + 0.032, y + 0.024, z1 + 0.004)
        button(b, metal, low, high, longest, f"A {metal.words} flush button of a toilet.", parent=0)
