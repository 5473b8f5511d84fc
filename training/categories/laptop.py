"""Laptops, shut: a display over a base, hinged at the rear; notebooks from thin to rugged."""

from __future__ import annotations

import math

import numpy as np

from articulation.joint import Joint, JointType
from training.builder import Builder
from training.draw import Draw
from training.fittings import HINGE_AXES, spread
from training.palettes import GLASS, PANEL, RUBBER, SHELL, finish
from training.primitives import Look, Pattern
from training.spec import ObjectSpec

LAYOUT = {
    "body": ("thin", "usual", "thick", "rugged"),
    "corners": ("sharp", "round"),
    "hinge": ("two barrels", "one barrel", "hidden"),
    "lid": ("same", "other"),
    "mark": ("none", "disc", "bar", "stripe"),
    "front": ("notch", "lip", "latch"),
}
THICKNESS = {
    "thin": ((0.008, 0.012), (0.004, 0.006)),
    "usual": ((0.013, 0.02), (0.006, 0.01)),
    "thick": ((0.022, 0.03), (0.01, 0.015)),
    "rugged": ((0.032, 0.045), (0.018, 0.025)),
}
"""Ranges of the base's and of the display's thickness [m]."""
SEAM = 0.0022
"""Gap between display and base [m]."""


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT)
    base = finish(draw, SHELL)
    shell = base if layout["lid"] == "same" else finish(draw, SHELL)
    other, keys = finish(draw, SHELL), finish(draw, PANEL)
    width = draw.uniform(0.28, 0.4)
    depth = width * draw.uniform(0.62, 0.76)
    deck, lid = (draw.uniform(*span) for span in THICKNESS[layout["body"]])
    r = draw.uniform(0.008, 0.02)
    b = Builder(draw.rng)
    b.link("body", base, f"The {base.words} base of a laptop with its keyboard.")

    def slab(link: int, look: Look, y0: float, y1: float, z0: float) -> None:
        low, high = (-width / 2, y0, z0), (width / 2, y1, depth / 2)
        if layout["corners"] == "round":
            b.rounded(link, look, low, high, r, "y")
        else:
            b.box(link, look, low, high)

    back = -depth / 2
    slab(0, base, 0.0, deck, back)
    inset = 0.0006
    b.box(
        0, keys, (-0.43 * width, deck - 0.002, back + 0.14 * depth), (0.43 * width, deck + inset, back + 0.56 * depth)
    )
    b.box(
        0,
        other,
        (-0.15 * width, deck - 0.002, back + 0.62 * depth),
        (0.15 * width, deck + inset, depth / 2 - 0.05 * depth),
    )
    y0, y1 = deck + SEAM, deck + SEAM + lid
    radius = 0.5 * (y1 - deck) + 0.002
    joint = Joint(
        JointType.REVOLUTE,
        np.array(HINGE_AXES["top"]),
        np.array((0.0, deck + radius, back + radius)),
        0.0,
        math.radians(spread(draw, 125.0)),
    )
    link = b.link("display", shell, f"The {shell.words} display of a laptop, hinged at the rear.", 0, joint)
    slab(link, shell, y0, y1, back + 2 * radius + 0.001)
    screen = finish(draw, GLASS)
    b.box(
        link,
        screen,
        (-0.45 * width, y0 - 0.0003, back + 0.12 * depth),
        (0.45 * width, y0 + 0.001, depth / 2 - 0.05 * depth),
    )
    spans = {"two barrels": ((-0.36, -0.2), (0.2, 0.36)), "one barrel": ((-0.32, 0.32),), "hidden": ((-0.4, 0.4),)}[
        layout["hinge"]
    ]
    for x0, x1 in spans:
        look = shell if layout["hinge"] == "hidden" else other
        b.cylinder(
            link, look, ((x0 + x1) / 2 * width, deck + radius, back + radius), "x", radius - 0.0012, (x1 - x0) * width
        )
        b.box(
            link,
            shell,
            (x0 * width, y0 + 0.3 * lid, back + radius),
            (x1 * width, y1 - 0.3 * lid, back + 2 * radius + 0.004),
        )
    _marks(b, layout, link, shell, other, width, depth, deck, y0, y1)
    if layout["body"] == "rugged":
        for x in (-width / 2, width / 2):
            for z in (back + 0.02, depth / 2 - 0.01):
                b.box(0, RUBBER, (x - 0.006, -0.002, z - 0.012), (x + 0.006, deck - 0.001, z + 0.014))
    for side in (-1, 1):
        for i in range(2):
            z = back + (0.3 + 0.12 * i) * depth
            x = side * width / 2
            b.box(0, RUBBER, (x - 0.001, deck * 0.35, z), (x + 0.0006, deck * 0.7, z + 0.012))
    return b.finish("laptop", draw.style(layout))


def _marks(
    b: Builder,
    layout: dict[str, str],
    link: int,
    shell: Look,
    other: Look,
    width: float,
    depth: float,
    deck: float,
    y0: float,
    y1: float,
) -> None:
    """A logo on the lid, and what the fingers open it by."""
    light = Look(shell.material, shell.words, Pattern.PAINT, other.base, other.accent, 6.0, 0.6)
    if layout["mark"] == "disc":
        b.cylinder(link, light, (0.0, y1, 0.0), "y", 0.06 * width, 0.001)
    elif layout["mark"] == "bar":
        b.box(link, light, (-0.1 * width, y1 - 0.001, -0.02 * depth), (0.1 * width, y1 + 0.0005, 0.02 * depth))
    elif layout["mark"] == "stripe":
        b.box(link, light, (-0.4 * width, y1 - 0.001, 0.36 * depth), (0.4 * width, y1 + 0.0005, 0.39 * depth))
    front = depth / 2
    if layout["front"] == "notch":
        b.box(0, other, (-0.09 * width, deck - 0.004, front - 0.006), (0.09 * width, deck + 0.0002, front + 0.0006))
    elif layout["front"] == "lip":
        b.box(link, shell, (-0.12 * width, y0 + 0.0005, front - 0.002), (0.12 * width, y1 - 0.001, front + 0.004))
    else:
        b.box(link, other, (-0.04 * width, y0 + 0.001, front - 0.002), (0.04 * width, y1 + 0.0006, front + 0.003))
