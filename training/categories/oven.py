"""Ovens: ranges with burners and knobs, wall ovens, double ovens; glass doors that fall open, sometimes a drawer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.builder import Builder
from training.controls import Panel, control_row
from training.draw import Draw
from training.fittings import DRAWER_TRAVEL, GAP, Fronts, door, drawer, hollow, slide, spread
from training.handles import LONG_HELD_OUT, LONG_SEEN, Handle, draw_handle
from training.leaves import BITE, Corner, Leaf
from training.palettes import APPLIANCE, CAVITY, FITTING, GLASS, PANEL, RUBBER, contrasting, finish, plain
from training.primitives import Look
from training.spec import ObjectSpec
from training.supports import stand

LAYOUT = {
    "kind": ("range", "wide range", "wall", "double wall", "table top"),
    "knobs": (0, 1, 2, 4, 5, 6, 8),
    "buttons": (0, 1, 2, 3),
    "drawer": (False, True),
    "top": ("none", "gas", "plates", "glass"),
    "console": ("front", "back"),
    "side": ("bottom", "left", "right"),
    "window": ("wide", "narrow", "all glass"),
}

RACKS = ((0.45,), (0.4, 0.66))
"""Heights of the racks in a low and in a high cavity."""


def _fits(layout: Mapping[str, Any]) -> bool:
    kind = layout["kind"]
    stove = kind in ("range", "wide range")
    if stove == (layout["top"] == "none") or (
        not stove and (layout["drawer"] or layout["console"] == "back" or layout["knobs"] > 4)
    ):
        return False
    if stove and layout["knobs"] < 4 and not (layout["top"] == "glass" and layout["buttons"] > 0):
        return False
    if layout["side"] != "bottom" and kind not in ("wall", "double wall"):
        return False
    return bool(layout["knobs"] + layout["buttons"] <= (8 if kind == "wide range" else 6 if stove else 4))


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT, _fits)
    kind = layout["kind"]
    shell, glass = finish(draw, APPLIANCE), finish(draw, GLASS)
    panel = finish(draw, PANEL)
    if layout["knobs"] + layout["buttons"]:
        panel = plain(panel)
    if draw.chance(0.5):
        panel = plain(shell)
    front = shell if draw.chance(0.6) else finish(draw, APPLIANCE)
    metal = contrasting(draw, FITTING, front)
    stove = kind in ("range", "wide range")
    width = {
        "range": draw.uniform(0.5, 0.76),
        "wide range": draw.uniform(0.85, 1.0),
        "table top": draw.uniform(0.42, 0.55),
    }.get(kind, draw.uniform(0.56, 0.62))
    height = {
        "wall": draw.uniform(0.55, 0.62),
        "double wall": draw.uniform(1.05, 1.35),
        "table top": draw.uniform(0.26, 0.36),
    }.get(kind, draw.uniform(0.84, 0.92))
    depth = draw.uniform(0.55, 0.65) if kind != "table top" else draw.uniform(0.3, 0.4)
    wall, thick = 0.025, draw.uniform(0.025, 0.045)
    base = draw.uniform(0.03, 0.1) if stove else 0.0
    rise = draw.uniform(0.1, 0.16) if layout["console"] == "back" else 0.0
    longest = max(width, height + rise, depth)
    strip = (
        max(0.045, draw.uniform(0.09, 0.12) * (1 if kind != "table top" else 0.7))
        if layout["console"] == "front"
        else 0.02
    )
    grip = draw_handle(draw, LONG_SEEN, LONG_HELD_OUT, metal)
    side = layout["side"]
    frame = {"wide": 0.07, "narrow": 0.11, "all glass": 0.02}[layout["window"]]
    fronts = Fronts(
        Leaf("glass", front, glass, frame),
        grip,
        CAVITY,
        spread(draw, 88.0 if side == "bottom" else 105.0),
        draw.uniform(0.6, 0.85),
        thick=thick,
    )

    b = Builder(draw.rng)
    b.link("body", shell, f"The {shell.words} body of an oven with its cavity.")
    top = height - strip
    low_drawer = base + draw.uniform(0.13, 0.2) if layout["drawer"] else base
    hollow(b, 0, shell, (0, base, 0), (width, height, depth), wall, inside=CAVITY)
    if base:
        kind_of_base = draw.pick(("plinth", "round"))
        stand(b, kind_of_base, RUBBER, metal, (0, 0, 0), (width, base + 0.01, depth))
    elif kind == "table top":
        stand(b, "round", RUBBER, metal, (0, -0.015, 0), (width, 0.001, depth))
    face = depth + thick * 0.9
    b.box(0, panel, (0, top + GAP, depth - wall), (width, height, face))
    if layout["drawer"]:
        b.box(0, shell, (wall - BITE, low_drawer - 0.01, wall - BITE), (width - wall + BITE, low_drawer + 0.01, depth))
        flat = Fronts(Leaf("slab", front, front), Handle(grip.style, grip.look, grip.size), CAVITY)
        drawer(
            b,
            flat,
            (GAP / 2, base + GAP / 2, depth + GAP),
            (width - GAP / 2, low_drawer - GAP / 2, depth + GAP + thick),
            (wall, base + wall, wall),
            (width - wall, low_drawer - 0.01, depth),
            f"The {front.words} drawer of an oven",
        )
    racks = layout["window"] != "narrow" and draw.chance(0.4)
    spans = [(low_drawer, top)]
    if kind == "double wall":
        middle = top * draw.uniform(0.48, 0.56)
        b.box(0, shell, (wall - BITE, middle - 0.025, wall - BITE), (width - wall + BITE, middle + 0.025, depth))
        spans = [(0.0, middle), (middle, top)]
    for y0, y1 in spans:
        for share in RACKS[y1 - y0 > 0.35] if racks else ():
            _rack(b, metal, (wall, y0 + (y1 - y0) * share, wall), (width - wall, depth - 0.03))
        where = "at the bottom" if side == "bottom" else f"on the {side}"
        caption = f"The {front.words} door of an oven with a {glass.words} window, hinged {where},"
        door(
            b,
            fronts,
            (GAP / 2, y0 + GAP / 2, depth + GAP),
            (width - GAP / 2, y1 - GAP / 2, depth + GAP + thick),
            side,
            caption,
        )
    if stove:
        _top(b, draw, layout["top"], metal, shell, width, height, face, rise)
    if layout["console"] == "back":
        b.box(0, shell, (0, height, 0), (width, height + rise, 0.05))
        b.box(0, panel, (0.02, height + 0.015, 0.04), (width - 0.02, height + rise - 0.012, 0.054))
        face_of = Panel(
            panel, (0.04, width - 0.04), (height + 0.03, height + rise - 0.012), 0.054, longest, "oven", largest=0.035
        )
    else:
        face_of = Panel(panel, (0.02, width - 0.02), (top + GAP, height), face, longest, "oven", largest=0.032)
    control_row(b, draw, face_of, layout["knobs"], layout["buttons"])
    return b.finish("oven", draw.style(layout))


def _rack(b: Builder, metal: Look, low: Corner, far: tuple[float, float]) -> None:
    """A grid that slides on rails at height `low[1]`, seen through the door's window: every rack that is seen moves."""
    (x0, y, z0), (x1, z1), r = low, far, 0.004
    for x in (x0, x1 - 0.012):
        b.box(0, metal, (x - 0.001, y - 0.012, z0), (x + 0.013, y - 0.006, z1))
    x0, x1, z0 = x0 + GAP, x1 - GAP, z0 + GAP
    joint = slide((0.0, 0.0, 1.0), ((x0 + x1) / 2, y, (z0 + z1) / 2), DRAWER_TRAVEL * (z1 - z0))
    link = b.link("rack", metal, f"A {metal.words} rack of an oven.", 0, joint)
    for z in (z0 + r, z1 - r):
        b.box(link, metal, (x0, y - r, z - r), (x1, y + r, z + r))
    for i in range(5):
        x = x0 + r + (x1 - x0 - 2 * r) * i / 4
        b.box(link, metal, (x - r, y - 0.7 * r, z0), (x + r, y + 0.7 * r, z1))


def _top(
    b: Builder, draw: Draw, kind: str, metal: Look, shell: Look, width: float, height: float, front: float, rise: float
) -> None:
    """The hob: grates over burners, round plates, or a sheet of glass with rings."""
    dark = plain(RUBBER)
    back = 0.05 if rise else 0.0
    columns = 3 if width > 0.8 else 2
    spots = [
        (width * (i + 0.5) / columns, back + (front - back) * share, 0.09 if (i + j) % 2 else 0.075)
        for i in range(columns)
        for j, share in enumerate((0.28, 0.72))
    ]
    if kind == "glass":
        b.box(0, dark, (0.01, height, back + 0.01), (width - 0.01, height + 0.006, front - 0.01))
        ring = Look("glass", "grey", metal.pattern, (0.45, 0.45, 0.46), (0.4, 0.4, 0.4))
        for x, z, r in spots:
            b.cylinder(0, ring, (x, height + 0.0035, z), "y", r, 0.007, inner=r * 0.93)
        return
    for x, z, r in spots:
        if kind == "plates":
            b.cylinder(0, dark, (x, height + 0.006, z), "y", r, 0.014)
            b.cylinder(0, metal, (x, height + 0.003, z), "y", r * 1.12, 0.008)
        else:
            b.cylinder(0, dark, (x, height + 0.008, z), "y", r * 0.45, 0.018)
            half = min(1.4 * r, 0.48 * width / columns)
            for dx, dz in ((half, 0.006), (0.006, half)):
                b.box(0, dark, (x - dx, height + 0.018, z - dz), (x + dx, height + 0.03, z + dz))
    if kind == "gas":
        for i in range(columns):
            x0, x1 = width * i / columns + 0.015, width * (i + 1) / columns - 0.015
            for z in (back + 0.03, front - 0.03):
                b.box(0, dark, (x0, height - 0.001, z - 0.006), (x1, height + 0.03, z + 0.006))
