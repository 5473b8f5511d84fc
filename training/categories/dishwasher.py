"""Dishwashers: a door that falls open, controls above it or on it, or one or two drawers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.builder import Builder
from training.controls import Panel, control_row
from training.draw import Draw
from training.fittings import GAP, Fronts, door, drawer, hollow, spread
from training.handles import HELD_OUT, LONG_HELD_OUT, LONG_SEEN, draw_handle
from training.leaves import BITE, Corner, Leaf
from training.palettes import APPLIANCE, FITTING, LINER, PANEL, RUBBER, WOOD, contrasting, finish, plain
from training.primitives import Look
from training.spec import ObjectSpec

LAYOUT = {
    "kind": ("strip", "on the door", "hidden", "drawers", "counter"),
    "knobs": (0, 1, 2),
    "buttons": (0, 1, 2, 3, 4, 6),
    "width": ("slim", "full"),
    "face": ("slab", "soft", "shaker", "inlay"),
    "base": ("plinth", "bare"),
}


def _fits(layout: Mapping[str, Any]) -> bool:
    if layout["kind"] in ("hidden", "drawers") and layout["knobs"] + layout["buttons"]:
        return False
    return bool(
        layout["knobs"] + layout["buttons"] <= 6 and not (layout["kind"] == "counter" and layout["face"] == "shaker")
    )


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT, _fits)
    kind = layout["kind"]
    shell, panel = finish(draw, APPLIANCE), finish(draw, PANEL)
    front = (
        shell
        if draw.chance(0.5)
        else finish(draw, WOOD if kind in ("hidden", "drawers") and draw.chance(0.5) else APPLIANCE)
    )
    if layout["knobs"] + layout["buttons"]:
        panel = plain(panel)
    metal = contrasting(draw, FITTING, front)
    inset = front if draw.chance(0.5) else finish(draw, APPLIANCE)
    width = draw.uniform(0.43, 0.47) if layout["width"] == "slim" else draw.uniform(0.57, 0.62)
    height, depth = draw.uniform(0.76, 0.86), draw.uniform(0.52, 0.6)
    if kind == "counter":
        width, height, depth = draw.uniform(0.5, 0.58), draw.uniform(0.42, 0.5), draw.uniform(0.42, 0.5)
    base = 0.0 if kind == "counter" else draw.uniform(0.07, 0.12)
    wall, thick = 0.02, draw.uniform(0.025, 0.05)
    grip = draw_handle(draw, (*LONG_SEEN, "slot"), (*LONG_HELD_OUT, HELD_OUT[0]), metal)
    fronts = Fronts(
        Leaf(layout["face"], front, inset, 0.06), grip, LINER, spread(draw, 88.0), draw.uniform(0.5, 0.85), thick=thick
    )

    b = Builder(draw.rng)
    b.link("body", shell, f"The {shell.words} body of a dishwasher with racks inside.")
    strip = draw.uniform(0.08, 0.12) if kind in ("strip", "counter") else 0.0
    y0, y1 = base, height - strip
    hollow(b, 0, shell, (0, base, 0), (width, height, depth), wall, inside=LINER)
    if layout["base"] == "plinth" or base == 0:
        b.box(0, RUBBER, (0.015, -0.01 if base == 0 else 0.0, 0.015), (width - 0.015, base + 0.01, depth - 0.03))
    else:
        for x in (0.04, width - 0.04):
            for z in (0.05, depth - 0.05):
                b.cylinder(0, RUBBER, (x, base / 2, z), "y", 0.02, base + 0.01)
    if kind in ("strip", "counter"):
        b.box(0, panel, (0.0, y1 + GAP, depth - wall), (width, height, depth + thick * 0.9))
        if draw.chance(0.4):
            b.box(0, shell, (-0.003, height, 0), (width + 0.003, height + 0.02, depth + thick))
        control_row(
            b,
            draw,
            Panel(
                panel,
                (0.03, width - 0.03),
                (y1 + GAP, height),
                depth + thick * 0.9,
                height + 0.02,
                "dishwasher",
                largest=0.03,
            ),
            layout["knobs"],
            layout["buttons"],
        )
    if kind == "drawers":
        middle = y0 + (y1 - y0) * draw.uniform(0.45, 0.55)
        b.box(
            0, shell, (wall - BITE, middle - 0.008, wall - BITE), (width - wall + BITE, middle + 0.008, depth - 0.001)
        )
        for below, above in ((y0, middle), (middle, y1)):
            caption = f"A {fronts.leaf.words()} drawer of a dishwasher"
            drawer(
                b,
                fronts,
                (GAP / 2, below + GAP / 2, depth + GAP),
                (width - GAP / 2, above - GAP / 2, depth + GAP + thick),
                (wall, below + wall, wall),
                (width - wall, above - wall, depth),
                caption,
            )
        return b.finish("dishwasher", draw.style(layout))
    for y in (y0 + 0.12 * (y1 - y0), y0 + 0.55 * (y1 - y0)):
        _rack(b, metal, (0.03, y, wall - BITE), (width - 0.03, y + 0.12 * (y1 - y0), depth - 0.03))
    low, high = (GAP / 2, y0 + GAP / 2, depth + GAP), (width - GAP / 2, y1 - GAP / 2, depth + GAP + thick)
    if kind != "on the door":
        door(b, fronts, low, high, "bottom", f"The {fronts.leaf.words()} door of a dishwasher, hinged at the bottom,")
        return b.finish("dishwasher", draw.style(layout))
    band = draw.uniform(0.09, 0.12)
    leaf_high = (high[0], high[1] - band, high[2])
    link = door(
        b,
        fronts,
        low,
        leaf_high,
        "bottom",
        f"The {fronts.leaf.words()} door of a dishwasher with its controls, hinged at the bottom,",
    )
    b.box(link, panel, (low[0], leaf_high[1] - 0.001, low[2]), high)
    control_row(
        b,
        draw,
        Panel(panel, (0.03, width - 0.03), (leaf_high[1], high[1]), high[2], height, "dishwasher", link, 0.03),
        layout["knobs"],
        layout["buttons"],
    )
    return b.finish("dishwasher", draw.style(layout))


def _rack(b: Builder, look: Look, low: Corner, high: Corner) -> None:
    """A basket of thick wire on the root."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    for y in (y0, y1):
        b.box(0, look, (x0, y, z1 - 0.008), (x1, y + 0.008, z1))
        for x in (x0, x1 - 0.008):
            b.box(0, look, (x, y, z0), (x + 0.008, y + 0.008, z1))
    b.box(0, look, (x0, y0, z0), (x1, y0 + 0.004, z1))
