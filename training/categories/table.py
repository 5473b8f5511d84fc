"""Tables and desks: a top on legs or side panels, with drawers under it, beside the knees or in both places."""

from __future__ import annotations

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
)
from training.palettes import FITTING, WOOD, finish
from training.primitives import Look
from training.spec import ObjectSpec

PARTS = {"nothing": 0, "two drawers": 2, "three drawers": 3, "door": 1, "drawer and door": 2}
"""Fillings of a side cabinet and how many moving parts each has."""
MAX_MOVING = 6
LEG = 0.045
"""Width of a leg [m]."""
LAYOUT = {
    "row": (0, 1, 2, 3),
    "left": tuple(PARTS),
    "right": tuple(PARTS),
    "support": ("legs", "round legs", "panels"),
}


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT, lambda x: 1 <= x["row"] + PARTS[x["left"]] + PARTS[x["right"]] <= MAX_MOVING)
    wood = finish(draw, WOOD)
    top = wood if draw.chance(0.6) else finish(draw, WOOD)
    front = wood if draw.chance(0.6) else finish(draw, WOOD)
    tray = finish(draw, WOOD)
    sides = [layout[name] != "nothing" for name in ("left", "right")]
    busy = layout["row"] + 3 * sum(sides) > 4
    styles = (SMALL_HANDLES_SEEN, SMALL_HANDLES_HELD_OUT) if busy else (HANDLES_SEEN, HANDLES_HELD_OUT)
    grip = Handle(draw.pool(*styles), finish(draw, FITTING))
    height = draw.uniform(0.68, 0.80)
    depth = draw.uniform(0.42, 0.75)
    pedestal = draw.uniform(0.3, 0.42)
    width = draw.uniform(0.7, 1.2) + pedestal * sum(sides)
    thick, wall, leaf = draw.uniform(0.02, 0.045), 0.018, 0.02
    apron = draw.uniform(0.1, 0.15) if layout["row"] else 0.0
    overhang = draw.uniform(0.0, 0.04)
    under = height - thick

    b = Builder(draw.rng)
    root = b.link("body", wood, f"The frame of a {wood.words} table with a {top.words} top.")
    b.box(root, top, (-overhang, under, -overhang), (width + overhang, height, depth + GAP + leaf + overhang))
    x_low, x_high = LEG, width - LEG
    for name, x0 in (("left", 0.0), ("right", width - pedestal)):
        if layout[name] == "nothing":
            continue
        x1 = x0 + pedestal
        hollow(b, root, wood, (x0, 0.05, 0), (x1, under + thick / 2, depth), wall, lid=False)
        x_low, x_high = (x1, x_high) if name == "left" else (x_low, x0)
        _pedestal(b, draw, layout[name], front, tray, wood, grip, (x0, x1), (0.05, under), depth, wall, leaf)
    _supports(b, wood, layout["support"], sides, width, under, depth)
    if layout["row"]:
        _row(
            b, draw, layout["row"], front, tray, wood, grip, (x_low, x_high), (under - apron, under), depth, wall, leaf
        )
    return b.finish("table", draw.style(layout))


def _supports(b: Builder, look: Look, kind: str, sides: list[bool], width: float, under: float, depth: float) -> None:
    """Legs or panels where no pedestal stands; feet where one does."""
    t = LEG
    for has_pedestal, x0, x1 in ((sides[0], 0.0, t), (sides[1], width - t, width)):
        bottom, top = 0.0, 0.055 if has_pedestal else under + 0.005
        if kind == "panels" and not has_pedestal:
            middle = (x0 + x1) / 2
            b.box(0, look, (middle - 0.012, bottom, 0.01), (middle + 0.012, top, depth - 0.01))
            continue
        for z0, z1 in ((0.0, t), (depth - t, depth)):
            if kind == "round legs":
                b.cylinder(0, look, ((x0 + x1) / 2, (bottom + top) / 2, (z0 + z1) / 2), "y", t / 2, top - bottom)
            else:
                b.box(0, look, (x0, bottom, z0), (x1, top, z1))


def _row(
    b: Builder, draw: Draw, count: int, front: Look, tray: Look, wood: Look, grip: Handle, xs: tuple[float, float],
    ys: tuple[float, float], depth: float, wall: float, leaf: float,
) -> None:  # fmt: skip
    """Drawers side by side right under the top."""
    (x0, x1), (y0, y1) = xs, ys
    b.box(0, wood, (x0 - wall / 2, y0, 0.0), (x1 + wall / 2, y0 + wall, depth))
    b.box(0, wood, (x0 - wall / 2, y0, 0.0), (x1 + wall / 2, y1 + 0.005, wall))
    step = (x1 - x0) / count
    for index in range(count + 1):
        x = x0 + index * step
        b.box(0, wood, (x - wall / 2, y0, 0.0), (x + wall / 2, y1 + 0.005, depth))
    for index in range(count):
        left, right = x0 + index * step, x0 + (index + 1) * step
        _drawer(b, draw, front, tray, grip, (left, right), (y0, y1), depth, wall, leaf)


def _pedestal(
    b: Builder, draw: Draw, kind: str, front: Look, tray: Look, wood: Look, grip: Handle, xs: tuple[float, float],
    ys: tuple[float, float], depth: float, wall: float, leaf: float,
) -> None:  # fmt: skip
    """What fills the cabinet beside the knees."""
    (x0, x1), (y0, y1) = xs, ys
    hinge = "left" if x0 == 0 else "right"
    drawers = {"two drawers": 2, "three drawers": 3, "drawer and door": 1}.get(kind, 0)
    bottom = y0 + (y1 - y0) * 0.68 if kind == "drawer and door" else y0
    if "door" in kind:
        low, high = (
            (x0 + GAP / 2, y0 + GAP / 2, depth + GAP),
            (x1 - GAP / 2, (bottom if drawers else y1) - GAP / 2, depth + GAP + leaf),
        )
        caption = f"A {front.words} door of a table's side cabinet, hinged on the {hinge}, with a {grip.words()}."
        door(b, front, low, high, hinge, draw.uniform(90, 150), grip, caption, reach=0.25)
    step = (y1 - bottom) / max(drawers, 1)
    for index in range(drawers):
        low_y, high_y = bottom + index * step, bottom + (index + 1) * step
        if low_y > y0:
            b.box(0, wood, (x0, low_y - wall / 2, 0.0), (x1, low_y + wall / 2, depth - 0.002))
        _drawer(b, draw, front, tray, grip, (x0, x1), (low_y, high_y), depth, wall, leaf)


def _drawer(
    b: Builder, draw: Draw, front: Look, tray: Look, grip: Handle, xs: tuple[float, float], ys: tuple[float, float],
    depth: float, wall: float, leaf: float,
) -> None:  # fmt: skip
    (x0, x1), (y0, y1) = xs, ys
    drawer(
        b, front, tray, (x0 + GAP / 2, y0 + GAP / 2, depth + GAP), (x1 - GAP / 2, y1 - GAP / 2, depth + GAP + leaf),
        (x0 + wall, y0 + wall, wall), (x1 - wall, y1 - wall / 2, depth), draw.uniform(0.6, 0.9), grip,
        f"A {front.words} drawer of a table with a {grip.words()}.",
    )  # fmt: skip
