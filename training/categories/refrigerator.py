"""Refrigerators: one door, two stacked doors, side by side, French doors over drawers, glass doors, chest freezers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from training.builder import Builder
from training.draw import Draw
from training.fittings import GAP, Fronts, door, drawer, hollow, spread, swing, tub
from training.handles import LONG_HELD_OUT, LONG_SEEN, Handle, draw_handle
from training.leaves import Corner, Leaf
from training.palettes import APPLIANCE, FITTING, GLASS, LINER, PANEL, RUBBER, contrasting, finish
from training.primitives import Look
from training.spec import ObjectSpec
from training.supports import stand

WIDE = ("side by side", "french", "four doors", "chest freezer")
LAYOUT = {
    "doors": ("single", "mini", "freezer on top", "freezer below", *WIDE),
    "hinge": ("left", "right"),
    "drawers": (0, 1, 2, 3),
    "face": ("flat", "soft", "glass"),
    "dispenser": (False, True),
    "base": ("grille", "legs", "bare"),
}  # fmt: skip

Spot = tuple[float, float]
SPLIT = {"freezer on top": (0.62, 0.74), "freezer below": (0.3, 0.42), "four doors": (0.4, 0.5)}
"""Height of the lower door as a share of the whole, where doors stand above each other."""


def _fits(layout: Mapping[str, Any]) -> bool:
    kind, drawers, face = layout["doors"], layout["drawers"], layout["face"]
    if kind in WIDE and layout["hinge"] != "left":
        return False
    if (face == "glass" or kind in ("chest freezer", "mini")) and layout["dispenser"]:
        return False
    if kind == "chest freezer":
        return bool(drawers in (0, 1) and face == "flat")
    if kind in ("mini", "freezer on top", "side by side"):
        return bool(drawers == 0)
    return bool(drawers != 0 if kind == "french" else drawers != 3 or kind == "freezer below")


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT, _fits)
    kind = layout["doors"]
    shell = finish(draw, APPLIANCE)
    front = shell if draw.chance(0.6) else finish(draw, APPLIANCE)
    metal = contrasting(draw, FITTING, front)
    style = {"flat": "slab", "soft": "soft", "glass": "glass"}[layout["face"]]
    grip = draw_handle(draw, LONG_SEEN, LONG_HELD_OUT, metal)
    grip = replace(grip, size=grip.size * 1.4)
    thick = draw.uniform(0.04, 0.07)
    fronts = Fronts(
        Leaf(style, front, finish(draw, GLASS), draw.uniform(0.05, 0.08)),
        grip,
        LINER,
        spread(draw, 120.0),
        draw.uniform(0.3, 0.7),
        thick=thick,
    )
    b = Builder(draw.rng)
    b.link("body", shell, f"The {shell.words} body of a refrigerator with its white interior and shelves.")
    if kind == "chest freezer":
        _chest(b, draw, layout, fronts, shell)
        return b.finish("refrigerator", draw.style(layout))

    wide = kind in WIDE
    width = (
        draw.uniform(0.75, 0.95) if wide else draw.uniform(0.45, 0.58) if kind == "mini" else draw.uniform(0.52, 0.72)
    )
    height = draw.uniform(0.5, 0.9) if kind == "mini" else draw.uniform(1.45, 1.95)
    depth = draw.uniform(0.45, 0.55) if kind == "mini" else draw.uniform(0.55, 0.7)
    wall = 0.045
    base = draw.uniform(0.03, 0.09)
    z0, z1 = depth + GAP, depth + GAP + thick
    hollow(b, 0, shell, (0, base, 0), (width, height, depth), wall, inside=LINER)
    if layout["base"] == "grille":
        b.box(0, RUBBER, (0.02, 0, 0.02), (width - 0.02, base + wall / 2, depth - 0.01))
    elif layout["base"] == "legs":
        stand(b, "round", RUBBER, metal, (0.02, 0, 0.02), (width - 0.02, base + 0.01, depth - 0.02))

    count = layout["drawers"]
    share = 0.14 + 0.17 * count * draw.uniform(0.9, 1.1) if count else draw.uniform(*SPLIT.get(kind, (0.0, 0.0)))
    y_split = base + (height - base) * share
    x_split = width * (draw.uniform(0.38, 0.5) if kind == "side by side" else 0.5)
    fresh = (base, y_split) if kind == "freezer on top" else (y_split, height)
    if share:
        b.box(0, LINER, (wall / 2, y_split - 0.02, 0.01), (width - wall / 2, y_split + 0.02, depth - 0.002))
    if kind == "side by side":
        b.box(0, LINER, (x_split - 0.02, base + wall / 2, 0.01), (x_split + 0.02, height - wall / 2, depth - 0.002))
    shelves = max(1, round((fresh[1] - fresh[0]) / draw.uniform(0.28, 0.42)) - 1)
    for index in range(shelves):
        y = fresh[0] + wall + (fresh[1] - fresh[0] - wall) * (index + 1) / (shelves + 1)
        b.box(0, LINER, (wall / 2, y - 0.005, wall / 2), (width - wall / 2, y + 0.005, depth * 0.76))

    leaves = _leaves(kind, layout["hinge"], (0.0, x_split if wide else width, width), (base, y_split, height), count)
    links = []
    for low, high, hinge, what in leaves:
        first, last = (low[0] + GAP / 2, low[1] + GAP / 2, z0), (high[0] - GAP / 2, high[1] - GAP / 2, z1)
        caption = f"The {fronts.leaf.words()} {what} of a refrigerator, hinged on the {hinge},"
        at = 0.35 if low[1] > 0.5 else 0.7 if high[1] < 1.2 and height > 1.2 else 0.5
        links.append(door(b, fronts, first, last, hinge, caption, grip_at=at))
        _bins(b, links[-1], first, last, hinge, wall, z0, 2 if high[1] - low[1] > 0.6 else 1)
    step = (y_split - base) / max(count, 1)
    plain = Fronts(
        Leaf("soft" if style == "soft" else "slab", front, front), Handle(grip.style, metal, grip.size), LINER
    )
    for index in range(count):
        y0, y1 = base + index * step, base + (index + 1) * step
        drawer(
            b, plain, (GAP / 2, y0 + GAP / 2, z0), (width - GAP / 2, y1 - GAP / 2, z1),
            (wall, max(y0, base + wall), wall), (width - wall, y1 - 0.02, depth),
            f"A {front.words} freezer drawer of a refrigerator",
        )  # fmt: skip
    if layout["dispenser"]:
        x1 = x_split if wide else width
        _dispenser(b, links[0], finish(draw, PANEL), x1 / 2, y_split + 0.55 * (height - y_split), z1, 0.28 * x1)
    return b.finish("refrigerator", draw.style(layout))


def _leaves(
    kind: str, hinge: str, xs: tuple[float, float, float], ys: tuple[float, float, float], drawers: int
) -> list[tuple[Spot, Spot, str, str]]:
    """Lower left and upper right corner, hinge and name of every door; the first one may carry a dispenser.

    Args:
        xs, ys: where doors begin, part and end.
    """
    (x0, x, x1), (y0, y, y1) = xs, ys
    if kind in ("single", "mini"):
        return [((x0, y), (x1, y1), hinge, "door")]
    if kind == "freezer on top":
        return [((x0, y), (x1, y1), hinge, "freezer door"), ((x0, y0), (x1, y), hinge, "door")]
    if kind == "freezer below":
        lower = [] if drawers else [((x0, y0), (x1, y), hinge, "freezer door")]
        return [((x0, y), (x1, y1), hinge, "door"), *lower]
    upper = [((x0, y), (x, y1), "left", "left door"), ((x, y), (x1, y1), "right", "right door")]
    if kind != "four doors" or drawers:
        return upper
    return [*upper, ((x0, y0), (x, y), "left", "lower left door"), ((x, y0), (x1, y), "right", "lower right door")]


def _chest(b: Builder, draw: Draw, layout: dict[str, int], fronts: Fronts, shell: Look) -> None:
    """A chest freezer: one lid over the whole width, or two beside each other."""
    width, height, depth = draw.uniform(0.7, 1.5), draw.uniform(0.75, 0.9), draw.uniform(0.55, 0.7)
    wall, thick = 0.06, draw.uniform(0.04, 0.07)
    tub(b, 0, shell, (0, 0.05, 0), (width, height, depth), wall, LINER)
    stand(b, "casters", RUBBER, RUBBER, (0, 0, 0), (width, 0.06, depth))
    lids = 1 + int(layout["drawers"])
    for index in range(lids):
        x0, x1 = width * index / lids + GAP / 2, width * (index + 1) / lids - GAP / 2
        low, high = (x0, height + GAP, 0.0), (x1, height + GAP + thick, depth + 0.01)
        joint = swing("top", (x0, high[1], 0.0), (x1, high[1], 0.02), spread(draw, 75.0))
        link = b.link(
            "lid",
            fronts.leaf.look,
            f"The {fronts.leaf.look.words} lid of a chest freezer, hinged at its rear.",
            0,
            joint,
        )
        b.box(link, fronts.leaf.look, low, high)
        b.box(
            link,
            fronts.grip.look,
            ((x0 + x1) / 2 - 0.12, low[1] + 0.01, depth + 0.01),
            ((x0 + x1) / 2 + 0.12, high[1] - 0.012, depth + 0.035),
        )
    b.box(0, finish(draw, PANEL), (width * 0.72, 0.1, depth - 0.01), (width * 0.92, 0.2, depth + 0.004))


def _bins(b: Builder, link: int, low: Corner, high: Corner, hinge: str, wall: float, z: float, count: int) -> None:
    """Racks inside a door, narrow enough to swing past the cabinet's walls."""
    reach, thick = 0.09, high[2] - low[2]
    span = high[0] - low[0]
    near = wall + 0.012
    far = span - near - (reach + thick) ** 2 / (2 * (span - 2 * wall)) - 0.01
    x0, x1 = (low[0] + near, low[0] + far) if hinge == "left" else (high[0] - far, high[0] - near)
    for index in range(count):
        y = low[1] + (high[1] - low[1]) * (index + 0.7) / (count + 0.9)
        b.box(link, LINER, (x0, y, z - reach), (x1, y + 0.01, z + thick / 2))
        b.box(link, LINER, (x0, y, z - reach), (x1, y + 0.08, z - reach + 0.008))


def _dispenser(b: Builder, link: int, look: Look, x: float, y: float, z: float, half: float) -> None:
    """A water dispenser's panel, with its niche, on a door."""
    half = min(half, 0.1)
    b.box(link, look, (x - half, y - 1.5 * half, z - 0.01), (x + half, y + 1.5 * half, z + 0.006))
    b.box(link, RUBBER, (x - 0.8 * half, y - 1.35 * half, z), (x + 0.8 * half, y, z + 0.0075))
