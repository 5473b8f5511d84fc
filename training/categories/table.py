"""Tables with drawers: desks, consoles, work tables, coffee tables and nightstands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.builder import Builder
from training.cabinetry import Case, Column, fill, moving
from training.draw import Draw
from training.fittings import GAP, Fronts, spread
from training.handles import HELD_OUT, SEEN, SMALL_HELD_OUT, SMALL_SEEN, draw_handle
from training.leaves import Leaf
from training.palettes import FITTING, GLASS, TOP, WOOD, contrasting, finish
from training.primitives import Look
from training.spec import ObjectSpec
from training.supports import LEGS, leg_pair

PEDESTALS: dict[str, Column] = {
    "nothing": (), "drawer": ("open", "drawer"), "two drawers": ("drawer", "drawer"),
    "three drawers": ("drawer",) * 3, "four drawers": ("drawer",) * 4, "door": ("left",),
    "drawer and door": ("left", "drawer"),
}  # fmt: skip
"""Fillings of a side cabinet, from the bottom up."""
KINDS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "desk": ((1.0, 1.6), (0.7, 0.78), (0.5, 0.75)),
    "console": ((0.8, 1.5), (0.72, 0.88), (0.3, 0.42)),
    "coffee": ((0.7, 1.2), (0.36, 0.48), (0.45, 0.65)),
    "work": ((1.1, 1.9), (0.82, 0.95), (0.55, 0.75)),
    "nightstand": ((0.38, 0.55), (0.45, 0.68), (0.34, 0.45)),
}
"""Ranges of width, height and depth [m]."""
LAYOUT = {
    "kind": tuple(KINDS),
    "row": (0, 1, 2, 3, 4),
    "left": tuple(PEDESTALS),
    "right": tuple(PEDESTALS),
    "support": LEGS,
    "shelf": (False, True),
}
FEW = 4
MOST = 9
LEG = 0.045
"""Width of a leg [m]."""


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT, _fits)
    wood = finish(draw, WOOD)
    top = wood if draw.chance(0.55) else finish(draw, draw.pick((GLASS, TOP, TOP, WOOD, WOOD, WOOD, WOOD, WOOD)))
    front = wood if draw.chance(0.6) else finish(draw, WOOD)
    metal = contrasting(draw, FITTING, front)
    few = _count(layout) <= FEW
    grip = draw_handle(draw, SEEN if few else SMALL_SEEN, HELD_OUT if few else SMALL_HELD_OUT, metal)
    leaf = Leaf(
        draw.pick(("slab", "slab", "shaker", "raised", "inlay") if few else ("slab", "slab", "inlay")),
        front,
        front,
        0.05,
    )
    fronts = Fronts(
        leaf, grip, finish(draw, WOOD), spread(draw, 110.0), draw.uniform(0.2, 0.35), False, draw.uniform(0.016, 0.024)
    )
    (width, height, depth) = (draw.uniform(*span) for span in KINDS[layout["kind"]])
    sides = [layout[name] != "nothing" for name in ("left", "right")]
    pedestal = draw.uniform(0.3, 0.42) if layout["kind"] != "coffee" else 0.36 * width
    if layout["kind"] != "nightstand":
        width = max(width, pedestal * sum(sides) + 0.26 * layout["row"] + 0.16)
    thick = draw.uniform(0.018, 0.05)
    under = height - thick
    overlay = draw.chance(0.6)
    over = draw.uniform(0.0, 0.05)
    front_z = depth + (GAP + fronts.thick if overlay else 0.0)

    b = Builder(draw.rng)
    b.link("body", wood, f"The frame of a {wood.words} table with a {top.words} top.")
    b.box(0, top, (-over, under, -over), (width + over, height, front_z + over + 0.004))
    apron = min(draw.uniform(0.1, 0.16), 0.4 * under) if layout["row"] else 0.0

    def case(low: tuple[float, float], high: tuple[float, float]) -> Case:
        return Case((*low, 0.0), (*high, depth), wood, wood, fronts, 0.018, overlay, "table")

    spans = []
    x_low, x_high = LEG * 0.5, width - LEG * 0.5
    foot = draw.uniform(0.03, 0.1)
    for name, has in zip(("left", "right"), sides, strict=True):
        outer = 0.0 if name == "left" else width
        side = -1 if name == "left" else 1
        if has:
            inner = pedestal if name == "left" else width - pedestal
            column = [("right" if kind == "left" and side > 0 else kind) for kind in PEDESTALS[layout[name]]]
            spans.append((case((min(outer, inner), foot), (max(outer, inner), under)), [column]))
            x_low, x_high = (inner, x_high) if side < 0 else (x_low, inner)
            _feet(b, layout["support"], wood, metal, (min(outer, inner), max(outer, inner)), foot, depth)
        else:
            x = sorted((outer, outer - side * LEG))
            leg_pair(b, layout["support"], wood, metal, (x[0], 0, 0), (x[1], under + 0.004, depth), side)
    if layout["row"]:
        columns = [["drawer"]] * layout["row"]
        beside = LEG * (1.3 if layout["support"] == "hairpin" else 0.4)
        low = x_low + (0.0 if sides[0] else beside), x_high - (0.0 if sides[1] else beside)
        spans.append((case((low[0], under - apron), (low[1], under)), columns))
    for part, columns in spans:
        fill(b, draw, part, columns, even=len(columns) > 1, lid=False)
    if layout["shelf"]:
        y = under * draw.uniform(0.18, 0.4)
        b.box(0, wood, (x_low, y, 0.01), (x_high, y + 0.018, depth - 0.01))
    elif not any(sides) and draw.chance(0.3) and layout["kind"] != "nightstand":
        b.box(0, wood, (LEG / 2, under * 0.55, 0.01), (width - LEG / 2, under, 0.025))
    return b.finish("table", draw.style(layout))


def _feet(b: Builder, kind: str, wood: Look, metal: Look, xs: tuple[float, float], foot: float, depth: float) -> None:
    """Short feet, or a plinth, under a side cabinet."""
    if kind in ("panels", "sled"):
        b.box(0, wood, (xs[0] + 0.01, 0, 0.01), (xs[1] - 0.01, foot + 0.01, depth - 0.02))
        return
    for x in (xs[0] + 0.03, xs[1] - 0.03):
        for z in (0.03, depth - 0.03):
            b.cylinder(0, wood if kind != "hairpin" else metal, (x, foot / 2, z), "y", 0.02, foot + 0.01)


def _count(layout: Mapping[str, Any]) -> int:
    return int(layout["row"]) + moving([PEDESTALS[layout["left"]], PEDESTALS[layout["right"]]])


def _fits(layout: Mapping[str, Any]) -> bool:
    sides = [layout["left"] != "nothing", layout["right"] != "nothing"]
    if not 1 <= _count(layout) <= MOST or (layout["shelf"] and any(sides)):
        return False
    if layout["kind"] in ("nightstand", "coffee", "console"):
        most = {"nightstand": 1, "coffee": 2, "console": 4}[layout["kind"]]
        tall = layout["kind"] == "coffee"
        if layout["kind"] == "nightstand" and any(sides):
            return False
        if layout["row"] > most or (
            tall and any(layout[s] in ("three drawers", "four drawers", "drawer and door") for s in ("left", "right"))
        ):
            return False
    return not (all(sides) and layout["row"] > 2)
