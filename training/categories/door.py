"""Doors in their frames: single, double, sliding; panelled, glazed, louvred, planked; levers, knobs and pulls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from articulation.joint import Joint, JointType
from training.builder import Builder
from training.draw import Draw
from training.fittings import GAP, slide, spread, swing
from training.handles import Handle, draw_handle, handle
from training.leaves import BITE, Corner, Leaf, leaf
from training.palettes import FITTING, GLASS, WOOD, contrasting, finish
from training.primitives import Look
from training.spec import ObjectSpec

LAYOUT = {
    "leaf": ("slab", "double", "four", "six", "glass", "muntin", "louvre", "planks", "raised", "half glass"),
    "kind": ("left", "right", "double", "barn left", "barn right", "sliding left", "sliding right"),
    "opener": ("lever", "knob", "pull", "two levers"),
    "frame": ("thin", "wide", "stepped"),
    "around": ("nothing", "wall", "transom", "sidelight"),
    "sill": (False, True),
}


def _fits(layout: Mapping[str, Any]) -> bool:
    kind = layout["kind"]
    slides = kind.startswith(("barn", "sliding"))
    if slides != (layout["opener"] == "pull") and slides:
        return False
    if layout["opener"] == "two levers" and kind != "double":
        return False
    if kind.startswith("barn") and (layout["around"] != "wall" or layout["leaf"] in ("glass", "muntin")):
        return False
    panes = layout["around"] != "sidelight" and layout["leaf"] not in ("louvre", "planks")
    return bool(panes or not kind.startswith("sliding"))


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT, _fits)
    frame, wood = finish(draw, WOOD), finish(draw, WOOD)
    if draw.chance(0.3):
        wood = frame
    metal = contrasting(draw, FITTING, wood)
    inset = (
        finish(draw, GLASS)
        if layout["leaf"] in ("glass", "muntin", "half glass")
        else wood
        if draw.chance(0.75)
        else finish(draw, WOOD)
    )
    kind = layout["kind"]
    wide = kind == "double" or kind.startswith("sliding")
    width = draw.uniform(1.2, 1.8) if wide else draw.uniform(0.7, 1.0)
    height, thick = draw.uniform(1.95, 2.2), draw.uniform(0.035, 0.05)
    style = Leaf(
        {"four": "double", "six": "double", "half glass": "double"}.get(layout["leaf"], layout["leaf"]),
        wood,
        inset,
        draw.uniform(0.09, 0.13),
    )
    b = Builder(draw.rng)
    b.link("frame", frame, f"The {frame.words} frame of a door.")
    jamb = draw.uniform(0.05, 0.07) if layout["frame"] == "thin" else draw.uniform(0.09, 0.13)
    deep = draw.uniform(0.1, 0.16)
    _frame(b, draw, layout, frame, width, height, jamb, deep)
    low, high = (GAP, 0.008, -thick - 0.002), (width - GAP, height - GAP, -0.002)
    if kind.startswith("barn"):
        _barn(b, draw, layout, style, metal, width, height, thick, jamb)
    elif kind.startswith("sliding"):
        _patio(b, draw, layout, style, metal, width, height, thick)
    elif kind == "double":
        middle = width / 2
        for side, x0, x1 in (("left", GAP, middle - GAP / 2), ("right", middle + GAP / 2, width - GAP)):
            active = side == "right" or layout["opener"] != "lever"
            _leaf(b, draw, layout, style, metal, (x0, *low[1:]), (x1, *high[1:]), side, active)
    else:
        _leaf(b, draw, layout, style, metal, low, high, kind, True)
    return b.finish("door", draw.style(layout))


def _leaf(
    b: Builder,
    draw: Draw,
    layout: dict[str, Any],
    style: Leaf,
    metal: Look,
    low: Corner,
    high: Corner,
    hinge: str,
    active: bool,
) -> None:
    """A hinged leaf with its opener; hinges show on the other side."""
    (x0, y0, _), (x1, y1, z1) = low, high
    caption = f"The {style.words()} leaf of a door, hinged on the {hinge}."
    link = b.link("door", style.look, caption, 0, swing(hinge, low, high, spread(draw, 90.0)))
    panels(b, link, style, layout["leaf"], low, high)
    for share in (0.12, 0.5, 0.88):
        y = y0 + share * (y1 - y0)
        x = x0 + 0.009 if hinge == "left" else x1 - 0.009
        b.cylinder(link, metal, (x, y, z1), "y", 0.009, 0.1)
    toward = 1 if hinge == "left" else -1
    free = x1 if hinge == "left" else x0
    x, y = free - toward * 0.055, y0 + draw.uniform(0.95, 1.05)
    opener = layout["opener"]
    if opener == "pull":
        grip = draw_handle(draw, ("bar", "rail", "bow"), ("bracket",), metal)
        handle(b, link, Handle(grip.style, metal, 1.2), x, y, z1, draw.uniform(0.25, 0.6), upright=True)
        return
    b.box(link, metal, (x - 0.022, y - 0.09, z1), (x + 0.022, y + 0.06, z1 + 0.006))
    if not active:
        return
    at = z1 + 0.006 + GAP / 2
    kind = "knob" if opener == "knob" else "handle"
    axis = np.array((0.0, 0.0, float(toward))) if kind == "handle" else np.array((0.0, 0.0, -1.0))
    turn = math.radians(spread(draw, 45.0 if kind == "handle" else 90.0))
    joint = Joint(JointType.REVOLUTE, axis, np.array((x, y, at + 0.02)), 0.0, turn)
    part = b.link(
        kind, metal, f"The {metal.words} {'lever handle' if kind == 'handle' else 'knob'} of a door.", link, joint
    )
    if kind == "knob":
        b.cylinder(part, metal, (x, y, at + 0.02), "z", 0.014, 0.04)
        b.cylinder(part, metal, (x, y, at + 0.05), "z", 0.034, 0.036)
        return
    b.cylinder(part, metal, (x, y, at + 0.026), "z", 0.015, 0.052)
    end = x - toward * draw.uniform(0.12, 0.15)
    if draw.chance(0.5):
        b.cylinder(part, metal, ((x + end) / 2, y, at + 0.045), "x", 0.013, abs(end - x) + 0.02)
    else:
        near, far = sorted((x + toward * 0.012, end))
        b.box(part, metal, (near, y - 0.013, at + 0.035), (far, y + 0.013, at + 0.052))


def panels(b: Builder, link: int, style: Leaf, kind: str, low: Corner, high: Corner) -> None:
    """A leaf of `leaves.STYLES`, or one of the kinds that only house doors have."""
    if kind not in ("four", "six", "half glass"):
        leaf(b, link, style, low, high)
        return
    (x0, y0, z0), (x1, y1, z1) = low, high
    f, d = style.frame, 0.3 * (z1 - z0)
    b.box(link, style.look, low, (x0 + f, y1, z1))
    b.box(link, style.look, (x1 - f, y0, z0), high)
    shares = {"four": (0.0, 0.42, 1.0), "six": (0.0, 0.4, 0.8, 1.0), "half glass": (0.0, 0.45, 1.0)}[kind]
    edges = [y0 + s * (y1 - y0) for s in shares]
    for i, y in enumerate(edges):
        a = y0 if i == 0 else y1 - f if i == len(edges) - 1 else y - f / 2
        b.box(link, style.look, (x0 + f - BITE, a, z0), (x1 - f + BITE, a + f, z1))
    solid = style.look if kind == "half glass" else style.inset
    b.box(link, solid, (x0 + 0.7 * f, y0 + 0.7 * f, z0 + d), (x1 - 0.7 * f, edges[1], z1 - d))
    b.box(link, style.inset, (x0 + 0.7 * f, edges[1], z0 + d), (x1 - 0.7 * f, y1 - 0.7 * f, z1 - d))
    if kind != "half glass":
        middle = (x0 + x1) / 2
        b.box(link, style.look, (middle - f / 2, y0 + f - BITE, z0), (middle + f / 2, y1 - f + BITE, z1 - 0.0005))


def _frame(
    b: Builder, draw: Draw, layout: dict[str, Any], look: Look, width: float, height: float, jamb: float, deep: float
) -> None:
    """Jambs and head around the opening from (0, 0) to (width, height), its front at z = 0, and what stands beside."""
    proud = 0.0 if layout["frame"] == "thin" else 0.012
    for x0, x1 in ((-jamb, 0.0), (width, width + jamb)):
        b.box(0, look, (x0, 0, -deep), (x1, height + BITE, proud * 0.5))
    b.box(0, look, (-jamb, height, -deep), (width + jamb, height + jamb, proud * 0.5))
    if layout["frame"] == "stepped":
        for x0, x1 in ((-jamb - 0.02, -0.5 * jamb), (width + 0.5 * jamb, width + jamb + 0.02)):
            b.box(0, look, (x0, 0, -0.01), (x1, height + jamb, 0.02))
        b.box(0, look, (-jamb - 0.02, height + 0.5 * jamb, -0.01), (width + jamb + 0.02, height + jamb + 0.02, 0.02))
    stop = 0.015
    b.box(0, look, (-BITE, height - stop, -deep), (width + BITE, height + BITE, -deep * 0.6))
    if layout["sill"]:
        b.box(0, look, (-jamb, -0.03, -deep), (width + jamb, BITE, 0.03))
    around = layout["around"]
    if around == "wall":
        paint = finish(draw, WOOD)
        more = draw.uniform(0.08, 0.25) if not layout["kind"].startswith("barn") else 0.08
        for x0, x1 in ((-jamb - more, -jamb + BITE), (width + jamb - BITE, width + jamb + more)):
            b.box(0, paint, (x0, 0, -deep), (x1, height + jamb + more, -0.01))
        b.box(0, paint, (-jamb - BITE, height + jamb - BITE, -deep), (width + jamb + BITE, height + jamb + more, -0.01))
    elif around == "transom":
        glass, y = finish(draw, GLASS), height + jamb
        rise = draw.uniform(0.25, 0.4)
        b.box(0, glass, (-BITE, y - 0.01, -0.05), (width + BITE, y + rise + BITE, -0.03))
        for x0, x1 in ((-jamb, 0.0), (width, width + jamb)):
            b.box(0, look, (x0, y - BITE, -deep), (x1, y + rise + BITE, 0.0))
        b.box(0, look, (-jamb, y + rise, -deep), (width + jamb, y + rise + jamb, 0.0))
    elif around == "sidelight":
        glass, x = finish(draw, GLASS), width + jamb
        more = draw.uniform(0.2, 0.35)
        b.box(0, glass, (x - 0.01, 0.1, -0.05), (x + more + BITE, height + BITE, -0.03))
        b.box(0, look, (x - BITE, 0.0, -deep), (x + more + BITE, 0.12, 0.0))
        b.box(0, look, (x - BITE, height, -deep), (x + more + jamb, height + jamb, 0.0))
        b.box(0, look, (x + more, 0.0, -deep), (x + more + jamb, height + BITE, 0.0))


def _barn(
    b: Builder,
    draw: Draw,
    layout: dict[str, Any],
    style: Leaf,
    metal: Look,
    width: float,
    height: float,
    thick: float,
    jamb: float,
) -> None:
    """A leaf hung on rollers in front of the opening; the rail goes on to the side that it slides to."""
    side = 1 if layout["kind"] == "barn right" else -1
    over = 0.05
    z0 = 0.03
    low, high = (-over, 0.01, z0), (width + over, height + over, z0 + thick)
    travel = 0.92 * width
    middle = (width / 2, height / 2, z0 + thick / 2)
    link = b.link(
        "door",
        style.look,
        f"The {style.words()} leaf of a sliding door, hung on a rail, opening to the {_side(side)}.",
        0,
        slide((float(side), 0.0, 0.0), middle, travel),
    )
    panels(b, link, style, layout["leaf"], low, high)
    rail_y = height + over + 0.07
    for x in (0.15 * width, 0.85 * width):
        b.box(link, metal, (x - 0.02, height - 0.12, high[2]), (x + 0.02, rail_y + 0.04, high[2] + 0.008))
        b.cylinder(link, metal, (x, rail_y + 0.065, z0 + 0.5 * thick), "z", 0.04, thick * 0.9)
    ends = sorted((-side * 0.06 + (0 if side > 0 else width), (width if side > 0 else 0) + side * (travel + 0.04)))
    b.box(0, metal, (ends[0], rail_y - 0.02, z0 + 0.25 * thick), (ends[1], rail_y + 0.02, z0 + 0.75 * thick))
    for x in (0.0, width, (width if side > 0 else 0) + side * travel * 0.95):
        b.cylinder(0, metal, (x, rail_y, z0 * 0.5), "z", 0.015, z0 + thick * 0.6)
    wall = finish(draw, WOOD)
    xs = sorted(
        (side * (width if side > 0 else 0) + side * (jamb + 0.08), (width if side > 0 else 0) + side * (travel + 0.08))
    )
    b.box(0, wall, (xs[0], 0, -0.1), (xs[1], rail_y + 0.12, -0.01))
    b.box(0, wall, (-jamb, rail_y - 0.06, -0.1), (width + jamb, rail_y + 0.12, -0.01))
    x = width * (0.08 if side > 0 else 0.92)
    handle(b, link, Handle(draw.pool(("bar", "rail"), ("bracket",)), metal, 1.2), x, 1.0, high[2], 0.35, upright=True)


def _patio(
    b: Builder, draw: Draw, layout: dict[str, Any], style: Leaf, metal: Look, width: float, height: float, thick: float
) -> None:
    """A fixed leaf behind and a sliding one in front of it, in two tracks."""
    side = 1 if layout["kind"] == "sliding right" else -1
    lap = style.frame * 0.6
    half = width / 2 + lap / 2
    front = (-thick - 0.006, -0.006)
    back = (front[0] - GAP - thick, front[0] - GAP)
    near, far = ((GAP, half), (width - half, width)) if side > 0 else ((width - half, width - GAP), (0.0, half))
    panels(b, 0, style, layout["leaf"], (far[0], 0.0, back[0]), (far[1], height, back[1]))
    low, high = (near[0], 0.008, front[0]), (near[1], height - GAP, front[1])
    middle = (sum(near) / 2, height / 2, sum(front) / 2)
    words = f"The {style.words()} sliding leaf of a door, in front of a fixed one, opening to the {_side(side)}."
    link = b.link("door", style.look, words, 0, slide((float(side), 0.0, 0.0), middle, 0.92 * (width - half)))
    panels(b, link, style, layout["leaf"], low, high)
    x = near[0] + 0.5 * style.frame if side > 0 else near[1] - 0.5 * style.frame
    handle(b, link, Handle(draw.pool(("bar", "rail", "slot"), ("bracket",)), metal), x, 1.0, high[2], 0.3, upright=True)


def _side(sign: int) -> str:
    return "right" if sign > 0 else "left"
