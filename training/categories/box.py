"""Boxes: wooden chests, trunks, tool boxes, crates, cartons with flaps; one lid or two, sometimes drawers below."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from articulation.joint import Joint, JointType
from training.builder import Builder
from training.cabinetry import Case, fill
from training.draw import Draw
from training.fittings import GAP, HINGE_AXES, Fronts, spread, tub
from training.handles import SMALL_HELD_OUT, SMALL_SEEN, draw_handle
from training.leaves import Leaf
from training.palettes import CARD, FITTING, SHELL, STEEL, WOOD, contrasting, finish
from training.primitives import Look
from training.spec import ObjectSpec
from training.supports import stand

LAYOUT = {
    "kind": ("chest", "trunk", "tool box", "crate", "carton", "cooler"),
    "lids": ("one", "two", "halves"),
    "drawers": (0, 1, 2, 3, 4, 6),
    "lid": ("flat", "arched", "stepped"),
    "front": ("plain", "straps", "panels", "ribs"),
    "latch": ("none", "one", "two"),
    "base": ("none", "plinth", "bracket", "casters"),
}


def _fits(layout: Mapping[str, Any]) -> bool:
    kind = layout["kind"]
    if (layout["lids"] == "halves") != (kind == "carton"):
        return False
    if kind == "carton":
        plain = {"drawers": 0, "lid": "flat", "base": "none"}
        return layout["front"] in ("plain", "straps") and all(layout[name] == value for name, value in plain.items())
    if layout["drawers"] and (kind not in ("chest", "tool box") or layout["front"] in ("straps", "ribs")):
        return False
    if layout["lid"] == "arched" and (kind not in ("trunk", "chest") or layout["lids"] == "two"):
        return False
    if kind == "crate" and (layout["front"] != "ribs" or layout["base"] != "none"):
        return False
    return bool(kind != "cooler" or layout["front"] == "plain")


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT, _fits)
    kind = layout["kind"]
    family = {"tool box": STEEL, "carton": CARD, "cooler": SHELL}.get(kind, WOOD)
    look = finish(draw, family)
    metal = contrasting(draw, FITTING, look)
    lid_look = look if draw.chance(0.7) else finish(draw, family)
    width, height, depth = _size(draw, kind)
    drawers = layout["drawers"]
    b = Builder(draw.rng)
    b.link("body", look, f"The {look.words} body of a {kind}, open on top.")
    lift = {"none": 0.0, "casters": 0.07}.get(layout["base"], draw.uniform(0.03, 0.07))
    if lift:
        stand(b, layout["base"], look, metal, (0, 0, 0), (width, lift + 0.003, depth))
    wall = {"carton": 0.006, "cooler": 0.04}.get(kind, draw.uniform(0.012, 0.022))
    bottom = lift
    if drawers:
        grip = draw_handle(draw, SMALL_SEEN, SMALL_HELD_OUT, metal)
        fronts = Fronts(Leaf("slab", look, look), grip, finish(draw, WOOD), thick=0.018)
        rows, columns = (2, drawers // 2) if drawers in (4, 6) else (drawers, 1)
        bottom = lift + rows * draw.uniform(0.09, 0.14)
        case = Case((0, lift, 0), (width, bottom, depth), look, look, fronts, 0.016, True, kind)
        fill(b, draw, case, [["drawer"] * rows] * columns, even=True, lid=False)
        height += bottom - lift
    top = lift + height
    front = depth + (GAP + 0.018 if drawers else 0.0)
    tub(b, 0, look, (0, bottom, 0), (width, top, front), wall)
    if kind == "carton":
        _flaps(b, draw, layout, look, (width, height, front), top, wall)
        return b.finish("box", draw.style(layout))
    _dress(b, draw, layout, look, metal, width, (bottom, top), front)
    count = 2 if layout["lids"] == "two" else 1
    seam = max(GAP, 0.006 * width) / 2
    for index in range(count):
        xs = (
            width * index / count + (seam if index else 0.0),
            width * (index + 1) / count - (seam if index < count - 1 else 0.0),
        )
        _lid(b, draw, layout, lid_look, metal, xs, top, front)
    return b.finish("box", draw.style(layout))


def _size(draw: Draw, kind: str) -> tuple[float, float, float]:
    if kind in ("chest", "trunk"):
        width = draw.uniform(0.6, 1.2)
        return width, width * draw.uniform(0.3, 0.48), width * draw.uniform(0.38, 0.55)
    if kind == "cooler":
        width = draw.uniform(0.4, 0.7)
        return width, width * draw.uniform(0.5, 0.7), width * draw.uniform(0.5, 0.7)
    if kind == "tool box":
        width = draw.uniform(0.4, 0.7)
        return width, width * draw.uniform(0.22, 0.4), width * draw.uniform(0.4, 0.6)
    width = draw.uniform(0.3, 0.6)
    return width, width * draw.uniform(0.45, 0.95), width * draw.uniform(0.6, 1.0)


def _lid(
    b: Builder,
    draw: Draw,
    layout: dict[str, Any],
    look: Look,
    metal: Look,
    xs: tuple[float, float],
    top: float,
    front: float,
) -> None:
    """A lid over the whole depth, hinged along its rear edge, with something to lift it by in front."""
    x0, x1 = xs
    thick = draw.uniform(0.018, 0.035) if layout["kind"] != "cooler" else draw.uniform(0.04, 0.06)
    y0 = top + GAP
    y1 = y0 + thick
    joint = Joint(
        JointType.REVOLUTE,
        np.array(HINGE_AXES["top"]),
        np.array(((x0 + x1) / 2, y0, 0.0)),
        0.0,
        math.radians(spread(draw, 95.0)),
    )
    link = b.link("lid", look, f"The {look.words} lid of a {layout['kind']}, hinged at the rear.", 0, joint)
    over = 0.0 if layout["lids"] == "two" else draw.uniform(0.0, 0.012)
    lip = draw.uniform(0.0, 0.02)
    b.box(link, look, (x0 - over, y0, 0.0), (x1 + over, y1, front + lip))
    if layout["lid"] == "stepped":
        m = 0.08 * (x1 - x0)
        b.box(link, look, (x0 + m, y1 - 0.001, m), (x1 - m, y1 + thick * 0.7, front - m))
    elif layout["lid"] == "arched":
        _arch(
            b,
            link,
            look,
            metal,
            (x0 - over, x1 + over),
            y1,
            front + lip,
            draw.uniform(0.2, 0.42),
            layout["front"] == "straps",
        )
    middle = (x0 + x1) / 2
    spots = {"none": (), "one": (middle,), "two": (x0 + 0.2 * (x1 - x0), x1 - 0.2 * (x1 - x0))}[layout["latch"]]
    face = front + max(lip, 0.012)
    for x in spots:
        b.box(link, metal, (x - 0.025, y0 + 0.004, front + lip - 0.002), (x + 0.025, y1 - 0.003, face + 0.004))
        b.box(link, metal, (x - 0.018, y0 - 0.035, face), (x + 0.018, y1 - 0.006, face + 0.007))
    if not spots:
        half = min(0.07, 0.2 * (x1 - x0))
        b.box(
            link,
            metal,
            (middle - half, y0 + 0.2 * thick, front + lip),
            (middle + half, y0 + 0.7 * thick, front + lip + 0.014),
        )


def _arch(
    b: Builder,
    link: int,
    look: Look,
    metal: Look,
    xs: tuple[float, float],
    y: float,
    depth: float,
    share: float,
    straps: bool,
) -> None:
    """Boards along an arc over the lid, and its two ends."""
    count, half = 6, depth / 2
    rise = share * depth
    radius = (half**2 + rise**2) / (2 * rise)
    reach = math.asin(half / radius)
    for index in range(count):
        a0, a1 = (-reach + 2 * reach * (index + i) / count for i in (0, 1))
        angle = (a0 + a1) / 2
        z, up = half + radius * math.sin(angle), y + rise - radius + radius * math.cos(angle)
        wide = radius * (a1 - a0) / 2 + 0.002
        for look_, first, last, tall in (
            (look, *xs, 0.007),
            *(((metal, x - 0.02, x + 0.02, 0.01) for x in _thirds(xs)) if straps else ()),
        ):
            b.box(link, look_, (first, up - tall - 0.004, z - wide), (last, up + tall - 0.007, z + wide), ("x", angle))
    for x in (xs[0], xs[1] - 0.012):
        b.box(link, look, (x, y - 0.002, 0.08 * depth), (x + 0.012, y + 0.62 * rise, 0.92 * depth))
        b.box(link, look, (x, y - 0.002, 0.26 * depth), (x + 0.012, y + 0.9 * rise, 0.74 * depth))


def _thirds(xs: tuple[float, float]) -> tuple[float, float]:
    return xs[0] + 0.2 * (xs[1] - xs[0]), xs[1] - 0.2 * (xs[1] - xs[0])


def _dress(
    b: Builder,
    draw: Draw,
    layout: dict[str, Any],
    look: Look,
    metal: Look,
    width: float,
    ys: tuple[float, float],
    front: float,
) -> None:
    """Straps, panels or ribs on the front, and handles at the sides."""
    (y0, y1), t = ys, 0.008
    if layout["front"] == "straps":
        for x in _thirds((0.0, width)):
            b.box(0, metal, (x - 0.02, y0, front - 0.002), (x + 0.02, y1, front + 0.004))
        for x in (-0.003, width - 0.03):
            b.box(0, metal, (x, y0, front - 0.03), (x + 0.033, y1, front + 0.003))
    elif layout["front"] == "panels":
        count = 2 if width < 0.8 else 3
        for x in [width * i / count for i in range(count + 1)]:
            a = min(max(x, 0.03), width - 0.03)
            b.box(0, look, (a - 0.03, y0, front - 0.002), (a + 0.03, y1, front + t))
        for y in (y0, y1 - 0.05):
            b.box(0, look, (0.0, y, front - 0.002), (width, y + 0.05, front + t))
    elif layout["front"] == "ribs":
        count = max(2, round((y1 - y0) / 0.09))
        for i in range(count):
            low = y0 + (y1 - y0) * i / count
            b.box(0, look, (-0.01, low + 0.006, -0.0), (width + 0.01, low + (y1 - y0) / count - 0.006, front + 0.01))
    if draw.chance(0.5):
        y = y0 + 0.6 * (y1 - y0)
        for side, x in ((-1, 0.0), (1, width)):
            edge = sorted((x, x + side * 0.025))
            b.box(0, metal, (edge[0], y - 0.01, front * 0.35), (edge[1], y + 0.01, front * 0.65))


def _flaps(
    b: Builder,
    draw: Draw,
    layout: dict[str, Any],
    look: Look,
    size: tuple[float, float, float],
    top: float,
    thick: float,
) -> None:
    """The upper flaps of a carton, hinged at its left and right sides; they meet near the middle. Tape and a label."""
    width, height, depth = size
    meet = width * draw.uniform(0.42, 0.58)
    y0 = top + GAP
    for axis, x, x0, x1 in ((1.0, 0.0, 0.0, meet - GAP / 2), (-1.0, width, meet + GAP / 2, width)):
        joint = Joint(
            JointType.REVOLUTE,
            np.array((0.0, 0.0, axis)),
            np.array((x, y0, depth / 2)),
            0.0,
            math.radians(spread(draw, 110.0)),
        )
        link = b.link("flap", look, f"A {look.words} flap of a carton.", 0, joint)
        b.box(link, look, (x0, y0, 0.0), (x1, y0 + thick, depth))
    tape = Look("plastic", "clear", look.pattern, (0.83, 0.72, 0.5), (0.83, 0.72, 0.5), 6.0, 0.5)
    if layout["latch"] != "none":
        drop = 0.1 if layout["latch"] == "one" else 0.6 * height
        b.box(0, tape, (meet - 0.03, top - drop, depth - 0.001), (meet + 0.03, top - 0.002, depth + 0.001))
    if layout["front"] == "straps":
        b.box(
            0, tape, (0.1 * width, top - 0.8 * height, depth - 0.001), (0.35 * width, top - 0.5 * height, depth + 0.001)
        )
