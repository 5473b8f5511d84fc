"""Cabinets, sideboards, chests of drawers, wardrobes, bookcases, tool cabinets: columns of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.vlm.vocabulary import MAX_PARTS
from training.builder import Builder
from training.cabinetry import Case, Column, fill, moving
from training.draw import Draw
from training.fittings import Fronts, spread
from training.handles import FLUSH_HELD_OUT, FLUSH_SEEN, HELD_OUT, SEEN, SMALL_HELD_OUT, SMALL_SEEN, draw_handle
from training.leaves import Leaf, wire
from training.palettes import FITTING, GLASS, STEEL, TOP, WOOD, contrasting, finish
from training.spec import ObjectSpec
from training.supports import stand

LAYOUT = {
    "fill": (
        "drawers", "apothecary", "doors", "pairs", "drawers over doors", "doors over drawers", "columns",
        "open over doors", "sliding", "flaps", "mixed",
    ),
    "columns": (1, 2, 3, 4),
    "rows": (1, 2, 3, 4, 5),
    "leaf": ("slab", "shaker", "raised", "planks", "louvre", "glass", "muntin", "mesh", "inlay", "double"),
    "base": ("none", "plinth", "straight", "round", "tapered", "sled", "hairpin", "bracket", "casters"),
    "steel": (False, True),
}  # fmt: skip
FEW = 6
"""Up to so many moving parts take dear leaves and long handles."""
MOST = ((("slab", "inlay"), MAX_PARTS - 1), (("shaker", "glass"), 10))
"""Most moving parts by leaf; other leaves take many solids, and `FEW` parts."""
RUSTIC = ("raised", "planks", "muntin", "double", "inlay")
GRIDS = {
    "drawers": ((1, 3), (1, 5)),
    "apothecary": ((3, 4), (3, 5)),
    "doors": ((1, 4), (1, 3)),
    "pairs": ((1, 2), (1, 2)),
    "drawers over doors": ((1, 4), (2, 3)),
    "doors over drawers": ((1, 3), (2, 3)),
    "columns": ((2, 4), (2, 4)),
    "open over doors": ((1, 4), (2, 3)),
    "sliding": ((1, 2), (1, 3)),
    "flaps": ((1, 2), (1, 3)),
    "mixed": ((1, 3), (1, 4)),
}
"""Least and most columns and rows of each filling."""


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT, _fits)
    columns = _columns(draw, layout)
    count = moving(columns)
    tall, wide = _proportions(layout)
    if layout["steel"]:
        carcass = finish(draw, STEEL)
        front = carcass if draw.chance(0.7) else finish(draw, STEEL)
    else:
        carcass = finish(draw, WOOD)
        front = carcass if draw.chance(0.6) else finish(draw, WOOD)
    metal = contrasting(draw, FITTING, front)
    style = layout["leaf"]
    if style in ("glass", "muntin"):
        inset = finish(draw, GLASS)
    elif style == "mesh":
        inset = wire(metal)
    else:
        inset = front if draw.chance(0.7) else finish(draw, STEEL if layout["steel"] else WOOD)
    if layout["fill"] == "sliding":
        grip = draw_handle(draw, FLUSH_SEEN, FLUSH_HELD_OUT, metal)
    elif count > FEW:
        grip = draw_handle(draw, SMALL_SEEN, SMALL_HELD_OUT, metal)
    else:
        grip = draw_handle(draw, SEEN, HELD_OUT, metal)
    fronts = Fronts(
        Leaf(style, front, inset, draw.uniform(0.045, 0.075)), grip, finish(draw, WOOD), spread(draw, 110.0),
        draw.uniform(0.15, 0.35), count <= FEW and draw.chance(0.3), draw.uniform(0.016, 0.026),
    )  # fmt: skip
    width = len(columns) * draw.uniform(*wide)
    height = draw.uniform(*tall)
    depth = draw.uniform(0.34, 0.56) if height > 0.6 else draw.uniform(0.32, 0.46)
    overlay = draw.chance(0.65) or layout["fill"] == "sliding"
    wall = draw.uniform(0.016, 0.03)
    base = layout["base"]
    lift = {"none": 0.0, "plinth": draw.uniform(0.05, 0.1), "bracket": draw.uniform(0.06, 0.11), "casters": 0.08}.get(
        base, draw.uniform(0.1, 0.22)
    )

    within = draw.pick((0, 0, 1, 2)) if style in ("glass", "muntin") and count <= 4 and depth > 0.4 else 0

    b = Builder(draw.rng)
    b.link("body", carcass, f"The {carcass.words} carcass of a cabinet with its compartments.")
    case = Case((0, lift, 0), (width, lift + height, depth), carcass, carcass, fronts, wall, overlay, "cabinet", within)
    fill(
        b,
        draw,
        case,
        columns,
        even=layout["fill"] == "apothecary" or (layout["fill"] in ("drawers", "pairs") and draw.chance(0.6)),
    )
    if lift:
        stand(b, base, carcass, metal, (0, 0, 0), (width, lift + 0.004, depth))
    _crown(b, draw, case, height)
    return b.finish("storage_furniture", draw.style(layout))


def _crown(b: Builder, draw: Draw, case: Case, height: float) -> None:
    """A top board, a cornice, or nothing."""
    kind = draw.pick(("none", "board", "board", "cornice") if height > 1.3 else ("none", "board", "board", "gallery"))
    (x0, _, z0), (x1, y, z1) = case.low, case.high
    front = z1 + (case.fronts.thick + 0.008 if case.overlay else 0.0)
    if kind == "board":
        top = case.carcass if draw.chance(0.6) else finish(draw, TOP if draw.chance(0.5) and height < 1.1 else WOOD)
        over = draw.uniform(0.004, 0.03)
        b.box(0, top, (x0 - over, y, z0), (x1 + over, y + draw.uniform(0.015, 0.035), front + over))
    elif kind == "cornice":
        b.box(0, case.carcass, (x0 - 0.012, y, z0), (x1 + 0.012, y + 0.03, front + 0.012))
        b.box(0, case.carcass, (x0 - 0.03, y + 0.028, z0), (x1 + 0.03, y + 0.06, front + 0.03))
    elif kind == "gallery":
        b.box(0, case.carcass, (x0, y, z0), (x1, y + draw.uniform(0.03, 0.09), z0 + 0.018))


def _proportions(layout: Mapping[str, Any]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Range of the body's height and of one column's width [m]."""
    rows, fill_ = layout["rows"], layout["fill"]
    if fill_ == "apothecary":
        return (0.15 * rows, 0.24 * rows), (0.22, 0.36)
    if fill_ in ("drawers", "mixed"):
        return (0.17 * rows, 0.3 * rows) if rows > 1 else (0.22, 0.36), (0.3, 0.7) if layout["columns"] < 3 else (
            0.25,
            0.45,
        )
    if fill_ in ("doors over drawers", "open over doors"):
        return (1.2, 2.1), (0.35, 0.55)
    if fill_ == "drawers over doors":
        return (0.75, 1.05), (0.36, 0.6)
    if fill_ in ("pairs", "sliding"):
        tall = (0.55, 0.9) if rows < 2 else (1.6, 2.15)
        return tall, (0.7, 1.1) if fill_ == "pairs" or layout["columns"] == 1 else (0.9, 1.3)
    if fill_ == "flaps":
        return (0.28 * rows, 0.45 * rows), (0.45, 0.85)
    return ((0.5, 0.9) if rows < 2 else (0.4 * rows, 0.62 * rows)) if rows < 4 else (1.7, 2.1), (0.34, 0.55)


def _columns(draw: Draw, layout: Mapping[str, Any]) -> Sequence[Column]:
    """The cells of a layout, column by column from the left, each from the bottom up."""
    count, rows, kind = layout["columns"], layout["rows"], layout["fill"]
    if kind == "mixed":
        columns = [[draw.pick(("drawer", _side(c, count), "open")) for _ in range(rows)] for c in range(count)]
        if moving(columns) == 0:
            columns[0][0] = "drawer"
        return columns
    return [_column(kind, c, count, rows) for c in range(count)]


def _column(kind: str, index: int, count: int, rows: int) -> list[str]:
    side = _side(index, count)
    if kind in ("drawers", "apothecary"):
        return ["drawer"] * rows
    if kind == "doors":
        return [side] * rows
    if kind == "pairs":
        return ["pair"] * rows
    if kind == "drawers over doors":
        return [side, *["drawer"] * (rows - 1)]
    if kind == "doors over drawers":
        return [*["drawer"] * (rows - 1), side]
    if kind == "columns":
        return ["drawer"] * max(rows, 2) if index % 2 else [side]
    if kind == "open over doors":
        return [side, *["open"] * (rows - 1)]
    if kind == "sliding":
        return [*["drawer"] * (rows - 1), "sliding"]
    return [("flap", "lift")[(index + row) % 2] for row in range(rows)]


def _side(index: int, count: int) -> str:
    """Where a single door of this column is hinged: neighbours open away from each other."""
    return "left" if index % 2 == 0 and (index + 1 < count or count == 1) else "right"


def _fits(layout: Mapping[str, Any]) -> bool:
    """Whether the layout can be built and looks like furniture."""
    columns, rows, kind, style = (layout[name] for name in ("columns", "rows", "fill", "leaf"))
    (few_columns, many_columns), (few_rows, many_rows) = GRIDS[kind]
    if not (few_columns <= columns <= many_columns and few_rows <= rows <= many_rows):
        return False
    if layout["steel"] and (style in RUSTIC or layout["base"] in ("round", "tapered", "hairpin", "bracket")):
        return False
    if rows >= 4 and layout["base"] in ("sled", "hairpin", "tapered"):
        return False
    if kind in ("drawers", "apothecary", "flaps") and style in ("louvre", "glass", "muntin", "mesh", "double"):
        return False
    parts = columns * rows if kind == "mixed" else moving([_column(kind, c, columns, rows) for c in range(columns)])
    return parts <= next((most for styles, most in MOST if style in styles), FEW)
