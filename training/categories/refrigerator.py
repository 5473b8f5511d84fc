"""Refrigerators: one door, two stacked doors, side by side, or French doors over freezer drawers."""

from __future__ import annotations

from training.builder import Builder
from training.draw import Draw
from training.fittings import GAP, HANDLES_HELD_OUT, HANDLES_SEEN, Corner, Handle, door, drawer, hollow
from training.palettes import APPLIANCE, FITTING, LINER, PANEL, RUBBER, finish
from training.primitives import Look
from training.spec import ObjectSpec

WIDE = ("side by side", "french", "french with two drawers")
LAYOUT = {
    "doors": ("single", "freezer on top", "freezer below", "side by side", "french", "french with two drawers"),
    "hinge": ("left", "right"),
    "shelves": (1, 2, 3, 4),
    "dispenser": (False, True),
}


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT, lambda x: x["hinge"] == "left" or x["doors"] not in WIDE)
    kind = layout["doors"]
    wide = kind in WIDE
    shell = finish(draw, APPLIANCE)
    front = shell if draw.chance(0.6) else finish(draw, APPLIANCE)
    grip = Handle(draw.pool(HANDLES_SEEN[:3], HANDLES_HELD_OUT), finish(draw, FITTING))
    width = draw.uniform(0.75, 0.95) if wide else draw.uniform(0.5, 0.72)
    height = draw.uniform(0.85, 1.9) if kind == "single" else draw.uniform(1.4, 1.9)
    depth = draw.uniform(0.5, 0.7)
    wall, leaf = 0.045, draw.uniform(0.04, 0.07)
    base = draw.uniform(0.03, 0.08)
    z0, z1 = depth + GAP, depth + GAP + leaf

    b = Builder(draw.rng)
    root = b.link("body", shell, f"The {shell.words} body of a refrigerator with its white interior and shelves.")
    hollow(b, root, shell, (0, base, 0), (width, height, depth), wall, inside=LINER)
    b.box(root, RUBBER, (0.02, 0, 0.02), (width - 0.02, base + wall / 2, depth - 0.03))

    split = {
        "single": 0.0,
        "freezer on top": draw.uniform(0.6, 0.74),
        "freezer below": draw.uniform(0.3, 0.42),
        "side by side": draw.uniform(0.38, 0.5),
        "french": draw.uniform(0.32, 0.42),
        "french with two drawers": draw.uniform(0.42, 0.5),
    }[kind]
    y_split = base + (height - base) * split
    x_split = width * (split if kind == "side by side" else 0.5)
    fresh: tuple[float, float]
    if kind == "side by side":
        b.box(root, LINER, (x_split - 0.02, base, 0.01), (x_split + 0.02, height, depth - 0.002))
        fresh = (base, height)
    elif kind == "single":
        fresh = (base, height)
    else:
        b.box(root, LINER, (0, y_split - 0.02, 0.01), (width, y_split + 0.02, depth - 0.002))
        fresh = (base, y_split) if kind == "freezer on top" else (y_split, height)
    for index in range(layout["shelves"]):
        y = fresh[0] + wall + (fresh[1] - fresh[0] - wall) * (index + 1) / (layout["shelves"] + 1)
        b.box(root, LINER, (wall / 2, y - 0.005, wall / 2), (width - wall / 2, y + 0.005, depth * 0.78))

    def leaf_door(low: tuple[float, float], high: tuple[float, float], hinge: str, what: str) -> int:
        first = (low[0] + GAP / 2, low[1] + GAP / 2, z0)
        last = (high[0] - GAP / 2, high[1] - GAP / 2, z1)
        link = door(
            b, front, first, last, hinge, draw.uniform(95, 135), grip,
            f"The {front.words} {what} of a refrigerator, hinged on the {hinge}, with a {grip.words()}.",
            reach=draw.uniform(0.3, 0.7),
        )  # fmt: skip
        _bins(b, link, first, last, hinge, wall, z0, 2 if high[1] - low[1] > 0.6 else 1)
        return link

    upper: int
    hinge = layout["hinge"]
    if kind == "single":
        upper = leaf_door((0, base), (width, height), hinge, "door")
    elif kind == "freezer on top":
        upper = leaf_door((0, y_split), (width, height), hinge, "freezer door")
        leaf_door((0, base), (width, y_split), hinge, "door")
    elif kind == "freezer below":
        upper = leaf_door((0, y_split), (width, height), hinge, "door")
        leaf_door((0, base), (width, y_split), hinge, "freezer door")
    elif kind == "side by side":
        upper = leaf_door((0, base), (x_split, height), "left", "left door")
        leaf_door((x_split, base), (width, height), "right", "right door")
    else:
        upper = leaf_door((0, y_split), (x_split, height), "left", "left door")
        leaf_door((x_split, y_split), (width, height), "right", "right door")
        count = 2 if kind.endswith("two drawers") else 1
        step = (y_split - base) / count
        for index in range(count):
            y0, y1 = base + index * step, base + (index + 1) * step
            drawer(
                b, front, LINER, (GAP / 2, y0 + GAP / 2, z0), (width - GAP / 2, y1 - GAP / 2, z1),
                (wall, max(y0, base + wall), wall), (width - wall, y1 - 0.02, depth), draw.uniform(0.6, 0.85), grip,
                f"A {front.words} freezer drawer of a refrigerator with a {grip.words()}.",
            )  # fmt: skip
    if layout["dispenser"]:
        low, high = (0.0, y_split if kind.startswith(("fr",)) else base), (x_split, height)
        _dispenser(b, upper, finish(draw, PANEL), (low[0] + high[0]) / 2, low[1] + 0.55 * (high[1] - low[1]), z1)
    return b.finish("refrigerator", draw.style(layout))


def _bins(b: Builder, link: int, low: Corner, high: Corner, hinge: str, wall: float, z: float, count: int) -> None:
    """Racks inside a door, narrow enough to swing past the cabinet's walls."""
    reach, leaf = 0.09, high[2] - low[2]
    span = high[0] - low[0]
    near = wall + 0.012
    far = span - near - (reach + leaf) ** 2 / (2 * (span - 2 * wall)) - 0.01
    x0, x1 = (low[0] + near, low[0] + far) if hinge == "left" else (high[0] - far, high[0] - near)
    for index in range(count):
        y = low[1] + (high[1] - low[1]) * (index + 0.7) / (count + 0.9)
        b.box(link, LINER, (x0, y, z - reach), (x1, y + 0.01, z + leaf / 2))
        b.box(link, LINER, (x0, y, z - reach), (x1, y + 0.08, z - reach + 0.008))


def _dispenser(b: Builder, link: int, look: Look, x: float, y: float, z: float) -> None:
    """A water dispenser's panel on a door."""
    half = 0.075
    b.box(link, look, (x - half, y - 1.4 * half, z - 0.01), (x + half, y + 1.4 * half, z + 0.006))
