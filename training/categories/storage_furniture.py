"""Cabinets, chests and sideboards: a grid of drawers, doors, glass doors and open cells, on a plinth or on legs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.builder import Builder
from training.draw import Draw
from training.fittings import (
    GAP,
    HANDLES_HELD_OUT,
    HANDLES_SEEN,
    SMALL_HANDLES_HELD_OUT,
    SMALL_HANDLES_SEEN,
    Handle,
    door,
    drawer,
    hollow,
    legs,
)
from training.palettes import FITTING, GLASS, WOOD, finish
from training.spec import ObjectSpec

LAYOUT = {
    "columns": (1, 2, 3),
    "rows": (1, 2, 3, 4),
    "fill": ("drawers", "doors", "drawers over doors", "doors over drawers", "mixed", "columns"),
    "glass": (False, True),
    "base": ("plinth", "legs", "round legs", "none"),
}
MAX_CELLS = 8
ROOMY_CELLS = 4
"""Up to so many cells take glass doors and long handles."""


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT, _differs_from_simpler)
    columns, rows = layout["columns"], layout["rows"]
    carcass = finish(draw, WOOD)
    front = carcass if draw.chance(0.6) else finish(draw, WOOD)
    glass, tray = finish(draw, GLASS), finish(draw, WOOD)
    busy = columns * rows > ROOMY_CELLS
    styles = (SMALL_HANDLES_SEEN, SMALL_HANDLES_HELD_OUT) if busy else (HANDLES_SEEN, HANDLES_HELD_OUT)
    grip = Handle(draw.pool(*styles), finish(draw, FITTING))
    width = columns * draw.uniform(0.36, 0.62)
    height = rows * draw.uniform(0.2, 0.38) + 0.1
    depth = draw.uniform(0.34, 0.52)
    wall, leaf = draw.uniform(0.016, 0.028), draw.uniform(0.016, 0.026)

    b = Builder(draw.rng)
    root = b.link("body", carcass, f"The {carcass.words} carcass of a cabinet, with empty compartments.")
    hollow(b, root, carcass, (0, 0, 0), (width, height, depth), wall)
    if layout["base"] == "plinth":
        b.box(root, carcass, (0.02, -0.06, 0.02), (width - 0.02, wall / 2, depth - 0.03))
    elif layout["base"] != "none":
        legs(
            b,
            carcass,
            (0, -0.14, 0),
            (width, wall / 2, depth),
            0.035,
            round_legs=layout["base"] == "round legs",
            inset=0.02,
        )

    xs = _edges(draw, width, columns)
    ys = _edges(draw, height, rows)
    for x in xs[1:-1]:
        b.box(root, carcass, (x - wall / 2, 0, 0), (x + wall / 2, height, depth))
    for y in ys[1:-1]:
        b.box(root, carcass, (0, y - wall / 2, 0), (width, y + wall / 2, depth - 0.002))

    cells = [(c, r) for r in range(rows) for c in range(columns)]
    kinds = [_kind(draw, layout["fill"], c, r, rows) for c, r in cells]
    if all(kind == "open" for kind in kinds):
        kinds[0] = "door"
    for (c, r), kind in zip(cells, kinds, strict=True):
        if kind == "open":
            continue
        low = (xs[c] + GAP / 2, ys[r] + GAP / 2, depth + GAP)
        high = (xs[c + 1] - GAP / 2, ys[r + 1] - GAP / 2, depth + GAP + leaf)
        cell_low = (xs[c] + wall, ys[r] + wall, wall)
        cell_high = (xs[c + 1] - wall, ys[r + 1] - wall, depth)
        if kind == "drawer":
            caption = f"A {front.words} drawer of a cabinet with a {grip.words()}."
            drawer(b, front, tray, low, high, cell_low, cell_high, draw.uniform(0.6, 0.9), grip, caption)
        else:
            window = glass if layout["glass"] else None
            hinge = "left" if c % 2 == 0 else "right"
            outer = columns <= 2
            caption = f"A {front.words} door of a cabinet, hinged on the {hinge}, with a {grip.words()}."
            degrees = draw.uniform(95, 165) if outer else draw.uniform(90, 110)
            door(b, front, low, high, hinge, degrees, grip, caption, window=window, reach=draw.uniform(0.15, 0.4))
    return b.finish("storage_furniture", draw.style(layout))


def _differs_from_simpler(layout: Mapping[str, Any]) -> bool:
    """Whether the layout fits and no simpler combination of choices describes the same cabinet."""
    columns, rows, fill = layout["columns"], layout["rows"], layout["fill"]
    stacked = rows > 1 or "over" not in fill
    beside = columns > 1 or fill != "columns"
    return columns * rows <= (ROOMY_CELLS if layout["glass"] else MAX_CELLS) and stacked and beside


def _edges(draw: Draw, length: float, count: int) -> list[float]:
    """`count` + 1 cell borders, uneven by up to a fifth."""
    shares = [draw.uniform(0.8, 1.2) for _ in range(count)]
    edges, total = [0.0], sum(shares)
    for share in shares:
        edges.append(edges[-1] + length * share / total)
    return edges


def _kind(draw: Draw, fill: str, column: int, row: int, rows: int) -> str:
    """What fills one cell, counted from the bottom left."""
    if fill in ("drawers", "doors"):
        return fill[:-1]
    upper = row >= (rows + 1) // 2
    if fill == "drawers over doors":
        return "drawer" if upper else "door"
    if fill == "doors over drawers":
        return "door" if upper else "drawer"
    if fill == "columns":
        return "drawer" if column % 2 else "door"
    return draw.pick(("drawer", "door", "open"))
