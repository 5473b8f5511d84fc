"""Safes: a thick-walled body, one or two heavy doors, and on the door a dial, a wheel or a lever, and keys."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from articulation.joint import Joint, JointType
from training.builder import Builder
from training.draw import Draw
from training.fittings import GAP, button, hollow, knob, spread, swing
from training.leaves import Corner
from training.palettes import CAVITY, FITTING, PANEL, SAFE, contrasting, finish, plain
from training.primitives import Look
from training.spec import ObjectSpec
from training.supports import feet

LAYOUT = {
    "size": ("small", "cube", "tall"),
    "hinge": ("left", "right", "double"),
    "opener": ("lever", "wheel", "dial", "knob", "dial and lever", "dial and wheel", "knob and lever"),
    "keys": ("none", "printed", "four", "nine", "twelve"),
    "corners": ("sharp", "round"),
    "feet": (False, True),
}
KEYS = {"four": (4, 1), "nine": (3, 3), "twelve": (3, 4)}
"""Columns and rows of real keys."""


def _fits(layout: Mapping[str, Any]) -> bool:
    real, tall = layout["keys"] in KEYS, layout["size"] == "tall"
    if real and (" and " in layout["opener"] or (tall and layout["keys"] != "four")):
        return False
    return bool(tall or layout["hinge"] != "double")


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT, _fits)
    shell, keys = finish(draw, SAFE), finish(draw, PANEL)
    front = shell if draw.chance(0.7) else finish(draw, SAFE)
    metal = contrasting(draw, FITTING, front)
    size = layout["size"]
    width = (
        draw.uniform(0.3, 0.45)
        if size == "small"
        else draw.uniform(0.4, 0.65)
        if size == "cube"
        else draw.uniform(0.55, 0.95)
    )
    height = (
        width * draw.uniform(0.62, 0.85)
        if size == "small"
        else width * draw.uniform(0.9, 1.3)
        if size == "cube"
        else draw.uniform(1.3, 1.7)
    )
    depth = draw.uniform(0.75, 1.05) * min(width, 0.6)
    wall, thick = 0.075 * min(width, 0.6), draw.uniform(0.05, 0.09) * min(width, 0.6)

    b = Builder(draw.rng)
    b.link("body", shell, f"The {shell.words} metal body of a safe, hollow with thick walls.")
    hollow(b, 0, shell, (0, 0, 0), (width, height, depth), wall, inside=CAVITY)
    for index in range(draw.pick((0, 1, 2)) if size != "tall" else 3):
        y = height * (index + 1) / (4 if size == "tall" else 3)
        b.box(0, CAVITY, (wall / 2, y - 0.006, wall / 2), (width - wall / 2, y + 0.006, depth * 0.8))
    if layout["corners"] == "round":
        _trim(b, shell, width, height, depth, 0.3 * wall)
    if layout["feet"]:
        feet(b, (0, 0, 0), (width, 0, depth), 0.02, 0.025)

    inset = wall * 0.35
    z0, z1 = depth + GAP, depth + GAP + thick
    leaves = [(layout["hinge"], inset, width - inset)]
    if layout["hinge"] == "double":
        leaves = [("left", inset, width / 2 - GAP / 2), ("right", width / 2 + GAP / 2, width - inset)]
    for index, (hinge, x0, x1) in enumerate(leaves):
        low, high = (x0, inset, z0), (x1, height - inset, z1)
        caption = f"The {front.words} door of a safe with {layout['opener']}, hinged on the {hinge}."
        link = b.link("door", front, caption, 0, swing(hinge, low, high, spread(draw, 110.0)))
        _slab(b, draw, link, front, metal, low, high, hinge, wall, inset, len(leaves) > 1)
        if index == 0 or len(leaves) == 1:
            _openers(b, layout, metal, keys, link, low, high, hinge, max(width, height, depth))
    return b.finish("safe", draw.style(layout))


def _trim(b: Builder, look: Look, width: float, height: float, depth: float, r: float) -> None:
    """Round posts along the four edges that run to the back."""
    for x in (0.0, width):
        for y in (0.0, height):
            b.cylinder(0, look, (x, y, depth / 2), "z", r, depth)


def _slab(
    b: Builder,
    draw: Draw,
    link: int,
    front: Look,
    metal: Look,
    low: Corner,
    high: Corner,
    hinge: str,
    wall: float,
    inset: float,
    double: bool,
) -> None:
    """The leaf, the plug behind it, hinge barrels and sometimes a raised face."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    span, thick = x1 - x0, z1 - z0
    b.box(link, front, low, high)
    hinge_x, toward = (x0, 1) if hinge == "left" else (x1, -1)
    plug = thick * 0.8
    shut = 0.004 if double else wall - inset
    reach = span - shut - (plug + thick) ** 2 / (2 * (span - wall)) - 0.01
    near, far = hinge_x + toward * (wall - inset + 0.01), hinge_x + toward * reach
    b.box(
        link, CAVITY, (min(near, far), y0 + wall + 0.01, z0 - GAP - plug), (max(near, far), y1 - wall - 0.01, z0 + GAP)
    )
    for y in (y0 + 0.14 * (y1 - y0), y1 - 0.14 * (y1 - y0)):
        b.cylinder(link, metal, (hinge_x + toward * 0.012, y, z1), "y", 0.012, 0.09 * (y1 - y0))
    if draw.chance(0.4):
        m = 0.07 * span
        b.box(link, front, (x0 + m, y0 + m, z1 - 0.002), (x1 - m, y1 - m, z1 + 0.004))


def _openers(
    b: Builder,
    layout: dict[str, str],
    metal: Look,
    keys: Look,
    link: int,
    low: Corner,
    high: Corner,
    hinge: str,
    longest: float,
) -> None:
    """What opens the door, on its free half, and keys above."""
    (x0, y0, _), (x1, y1, z1) = low, high
    z = z1 + 0.004
    span, rise = x1 - x0, y1 - y0
    toward = 1 if hinge == "left" else -1
    middle = (x0 + x1) / 2
    unit = min(span, rise, 0.55)
    openers = layout["opener"].split(" and ")
    stacked = len(openers) > 1 and rise > 1.5 * span
    keyed = layout["keys"] != "none"
    y = y0 + rise * (0.34 if keyed else 0.5)
    spots = [(middle + toward * 0.2 * span, y), (middle - toward * 0.12 * span, y)]
    if stacked:
        spots = [(middle + toward * 0.12 * span, y), (middle + toward * 0.12 * span, y + 0.36 * unit)]
    elif len(openers) == 1:
        spots = [(middle + toward * 0.1 * span, y)]
    for name, (x, at) in zip(reversed(openers), spots, strict=True):
        if name in ("dial", "knob"):
            turn = None if name == "dial" else 90.0
            caption = f"The round {metal.words} {'combination dial' if name == 'dial' else 'knob'} of a safe."
            knob(
                b,
                metal,
                keys,
                x,
                at,
                z,
                (0.1 if name == "dial" else 0.07) * unit,
                0.028,
                caption,
                parent=link,
                label=name,
                turn=turn,
                style="skirt" if name == "dial" else "wing",
            )
        else:
            _turning_handle(
                b, metal, name, x, at, z + GAP / 2, (0.14 if name == "wheel" else 0.17) * unit, link, -toward
            )
    if not keyed:
        return
    top = y1 - 0.16 * rise if not stacked else y1 - 0.1 * rise
    columns, rows = KEYS.get(layout["keys"], (3, 4))
    cell = max(0.052 * longest, 0.1 * unit)
    free = top - max(at for _, at in spots) - 0.15 * unit
    cell = min(cell, 0.42 * rise / rows, 0.8 * span / columns, free / (rows + 0.2))
    half, deep = columns * cell / 2, rows * cell
    panel = plain(keys) if layout["keys"] in KEYS else keys
    b.box(
        link,
        panel,
        (middle - half * 1.1, top - deep - 0.1 * cell, z1),
        (middle + half * 1.1, top + 0.1 * cell, z1 + 0.008),
    )
    if layout["keys"] in KEYS:
        face = z1 + 0.008
        for i in range(columns * rows):
            x, at = middle + (i % columns - (columns - 1) / 2) * cell, top - (i // columns + 0.5) * cell
            r = 0.36 * cell
            button(
                b,
                metal,
                (x - r, at - r, face),
                (x + r, at + r, face),
                longest,
                f"A {metal.words} key of a safe.",
                parent=link,
            )


def _turning_handle(
    b: Builder, look: Look, kind: str, x: float, y: float, z: float, radius: float, parent: int, toward: int
) -> None:
    """A lever (one arm that points towards the hinge and is pressed down) or a wheel (ring and spokes): 90 degrees."""
    down = np.array((0.0, 0.0, -1.0 if toward > 0 else 1.0)) if kind == "lever" else np.array((0.0, 0.0, -1.0))
    joint = Joint(JointType.REVOLUTE, down, np.array((x, y, z)), 0.0, math.pi / 2)
    link = b.link("handle", look, f"The {look.words} {kind} handle of a safe's door.", parent, joint)
    if kind == "lever":
        b.cylinder(link, look, (x, y, z + 0.02), "z", 0.2 * radius, 0.04)
        near, far = sorted((x - toward * 0.15 * radius, x + toward * radius))
        b.box(link, look, (near, y - 0.13 * radius, z + 0.022), (far, y + 0.13 * radius, z + 0.042))
        return
    b.cylinder(link, look, (x, y, z + 0.02), "z", 0.22 * radius, 0.04)
    b.cylinder(link, look, (x, y, z + 0.033), "z", radius, 0.014, inner=0.84 * radius)
    for angle in (0.0, math.pi / 3, 2 * math.pi / 3):
        arm = 0.9 * radius
        b.box(link, look, (x - arm, y - 0.006, z + 0.028), (x + arm, y + 0.006, z + 0.038), ("z", angle))
