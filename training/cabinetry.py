"""Casework: a hollow body divided into columns of cells, each filled with drawers, doors, shelves or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.builder import Builder
from training.draw import Draw
from training.fittings import GAP, Fronts, door, drawer, hollow, sliding_pair
from training.leaves import BITE, Corner, Leaf
from training.primitives import Look

MOVING = {"drawer": 1, "left": 1, "right": 1, "pair": 2, "flap": 1, "lift": 1, "sliding": 2, "open": 0}
"""What may fill a cell, and how many moving parts that is: doors by the side of their hinge, a pair of doors, flaps
hinged below or above, sliding doors, or an open shelf."""
SEAM = 0.0035
"""Least gap between leaves as a fraction of the body's longest side."""
Column = Sequence[str]
"""Fillings from the bottom up."""
HEIGHTS = {"drawer": 0.5, "flap": 0.9, "lift": 0.8, "open": 0.8}
"""Usual share of a cell's height; doors have 1."""


@dataclass(frozen=True)
class Case:
    """One body of casework, whose box is `low` to `high` without leaves and supports.

    Attributes:
        carcass: its look.
        inside: look of its back and shelves.
        overlay: whether leaves cover the carcass; otherwise they lie flush in it.
        what: the noun of captions.
        within: how many drawers stand behind each glazed door.
    """

    low: Corner
    high: Corner
    carcass: Look
    inside: Look
    fronts: Fronts
    wall: float
    overlay: bool
    what: str
    within: int = 0

    @property
    def gap(self) -> float:
        """Between two leaves: wide enough for a picture to show."""
        return max(GAP, SEAM * max(b - a for a, b in zip(self.low, self.high, strict=True)))

    @property
    def front(self) -> float:
        """Depth of the leaves' back."""
        return self.high[2] + GAP if self.overlay else self.high[2] - self.fronts.thick


def moving(columns: Sequence[Column]) -> int:
    """How many moving parts these columns have."""
    return sum(MOVING[kind] for column in columns for kind in column)


def fill(
    b: Builder, draw: Draw, case: Case, columns: Sequence[Column], *, even: bool = False, lid: bool = True
) -> None:
    """Build the carcass on the root, and every cell; columns of as many cells share their rows.

    Args:
        even: whether all columns, and all rows, are alike.
        lid: whether the carcass has a top of its own.
    """
    (x0, y0, _), (x1, y1, z1) = case.low, case.high
    high = (x1, y1 + BITE, z1)
    hollow(b, 0, case.carcass, case.low, high, case.wall, inside=case.inside, lid=lid)
    xs = _edges(draw, x0, x1, [0.8 if "drawer" in c and len(columns) > 1 else 1.0 for c in columns], even)
    wall, z0 = case.wall, case.low[2] + case.wall - BITE
    for x in xs[1:-1]:
        b.box(0, case.carcass, (x - wall / 2, y0 + wall - BITE, z0), (x + wall / 2, y1 - wall + 2 * BITE, z1))
    heights: dict[int, list[float]] = {}
    for column, left, right in zip(columns, xs, xs[1:], strict=False):
        if len(column) not in heights:
            heights[len(column)] = _edges(draw, y0, y1, [HEIGHTS.get(kind, 1.0) for kind in column], even)
        rows = heights[len(column)]
        inner = left + (wall if left == x0 else wall / 2), right - (wall if right == x1 else wall / 2)
        for y in rows[1:-1]:
            b.box(0, case.carcass, (inner[0] - BITE, y - wall / 2, z0), (inner[1] + BITE, y + wall / 2, z1 - 0.001))
        for kind, bottom, top in zip(column, rows, rows[1:], strict=False):
            _cell(b, draw, case, kind, (left, right), (bottom, top))


def _cell(b: Builder, draw: Draw, case: Case, kind: str, xs: tuple[float, float], ys: tuple[float, float]) -> None:
    """Fill the cell between two pairs of centre lines of boards."""
    wall, fronts = case.wall, case.fronts
    inner = [
        a + wall * (1.0 if a == edge else 0.5) * sign
        for a, edge, sign in (
            (xs[0], case.low[0], 1), (xs[1], case.high[0], -1), (ys[0], case.low[1], 1), (ys[1], case.high[1], -1),
        )
    ]  # fmt: skip
    bare = (*xs, *ys) if case.overlay else inner
    gap = case.gap / 2
    low = (bare[0] + gap, bare[2] + gap, case.front)
    high = (bare[1] - gap, bare[3] - gap, case.front + fronts.thick)
    cell_low, cell_high = (inner[0], inner[2], case.low[2] + wall), (inner[1], inner[3], case.high[2])
    look = fronts.leaf.words()
    if kind == "drawer":
        grips = 2 if high[0] - low[0] > 0.65 and fronts.grip.style not in ("lip", "cup") else 1
        drawer(b, fronts, low, high, cell_low, cell_high, f"A {look} drawer of a {case.what}", grips=grips)
        return
    if case.within and kind in ("left", "right"):
        cell_low = _drawers_within(b, case, cell_low, cell_high)
    if kind in ("open", "left", "right", "pair", "sliding") and ys[1] - ys[0] > 0.45:
        _shelf(b, draw, case, cell_low, cell_high)
    if kind == "sliding":
        span = fronts.thick * 2 + 2 * GAP
        z1 = case.high[2] + (GAP + span if case.overlay else 0.0)
        caption = f"A {look} door of a {case.what}"
        sliding_pair(b, fronts, (low[0], low[1], z1 - span), (high[0], high[1], z1), caption)
    elif kind == "pair":
        middle = (low[0] + high[0]) / 2
        door(
            b, fronts, low, (middle - gap, high[1], high[2]), "left", _hinged(case, "left"), grip_at=_grip_at(case, ys)
        )
        door(
            b, fronts, (middle + gap, low[1], low[2]), high, "right", _hinged(case, "right"), grip_at=_grip_at(case, ys)
        )
    elif kind != "open":
        hinge = {"flap": "bottom", "lift": "top"}.get(kind, kind)
        door(b, fronts, low, high, hinge, _hinged(case, hinge), grip_at=_grip_at(case, ys))


def _drawers_within(b: Builder, case: Case, low: Corner, high: Corner) -> Corner:
    """Low drawers on the floor of a cell, set back behind its glass door; returns where the cell goes on above them."""
    front = case.front - 0.055
    plain = replace(case.fronts, leaf=Leaf("slab", case.fronts.leaf.look, case.fronts.leaf.look))
    y, step = low[1], min(0.16, 0.3 * (high[1] - low[1]))
    for _ in range(case.within):
        first, last = (low[0] + 0.012, y + GAP / 2, front - 0.016), (high[0] - 0.012, y + step - GAP / 2, front)
        cell = (low[0] + 0.012, y + GAP, low[2]), (high[0] - 0.012, y + step, front - 0.016)
        drawer(b, plain, first, last, *cell, f"A {plain.leaf.look.words} drawer behind the glass of a {case.what}")
        y += step
    b.box(0, case.inside, (low[0] - BITE, y + GAP / 2, low[2] - BITE), (high[0] + BITE, y + 0.016, front))
    return low[0], y + 0.016, low[2]


def _hinged(case: Case, hinge: str) -> str:
    side = {"bottom": "at the bottom", "top": "at the top"}.get(hinge, f"on the {hinge}")
    return f"A {case.fronts.leaf.words()} door of a {case.what}, hinged {side},"


def _grip_at(case: Case, ys: tuple[float, float]) -> float:
    """Handles are low on doors high up and high on low doors, as hands reach them."""
    middle = (ys[0] + ys[1]) / 2
    return 0.72 if middle < 0.6 else 0.28 if middle > 1.35 else 0.5


def _shelf(b: Builder, draw: Draw, case: Case, low: Corner, high: Corner) -> None:
    count = max(1, round((high[1] - low[1]) / 0.38) - 1)
    back = high[2] - (0.012 if case.overlay else 3 * case.fronts.thick + 4 * GAP)
    for index in range(count):
        y = low[1] + (high[1] - low[1]) * (index + 1) / (count + 1)
        b.box(0, case.inside, (low[0] - BITE, y - 0.008, low[2] - BITE), (high[0] + BITE, y + 0.008, back))


def _edges(draw: Draw, low: float, high: float, shares: Sequence[float], even: bool) -> list[float]:
    """Borders of cells whose sizes go by `shares`, uneven by up to a seventh unless `even`."""
    sizes = [1.0 if even else share * draw.uniform(0.86, 1.14) for share in shares]
    edges, total = [low], sum(sizes)
    for size in sizes[:-1]:
        edges.append(edges[-1] + (high - low) * size / total)
    return [*edges, high]
