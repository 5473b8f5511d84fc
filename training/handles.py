"""Handles, ten kinds, that are a fixed part of their door or drawer: three of them belong to the test split alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from training.builder import Builder
from training.draw import Draw
from training.palettes import FITTING, finish
from training.primitives import Look

SEEN = ("bar", "rail", "knob", "lip", "cup", "bow", "slot")
HELD_OUT = ("disc", "bracket", "ring")
LONG_SEEN = ("bar", "rail", "bow", "lip")
LONG_HELD_OUT = ("bracket",)
"""Kinds for appliances, whose handles are long."""
SMALL_SEEN = ("knob", "lip", "cup")
SMALL_HELD_OUT = ("disc", "ring")
"""Kinds made of few solids, for objects with many parts."""
FLUSH_SEEN = ("slot",)
FLUSH_HELD_OUT = ("disc",)
"""Kinds for sliding leaves, which pass behind one another."""

NAMES = {
    "bar": "bar handle", "rail": "flat rail handle", "knob": "round knob", "lip": "edge pull", "cup": "cup handle",
    "bow": "bow handle", "slot": "recessed grip", "disc": "flat round pull", "bracket": "plate handle",
    "ring": "ring pull",
}  # fmt: skip

FOOT = -0.001
"""Where handles start, a little inside their leaf [m]."""


@dataclass(frozen=True)
class Handle:
    """How the handles of one object look.

    Attributes:
        style: a key of `NAMES`.
        look: their finish.
        size: factor on thicknesses.
    """

    style: str
    look: Look
    size: float = 1.0

    def words(self) -> str:
        return f"{self.look.words} {NAMES[self.style]}"


def draw_handle(
    draw: Draw, seen: tuple[str, ...] = SEEN, held_out: tuple[str, ...] = HELD_OUT, look: Look | None = None
) -> Handle:
    """One kind and finish for all handles of an object."""
    return Handle(draw.pool(seen, held_out), look or finish(draw, FITTING), draw.uniform(0.85, 1.3))


def handle(b: Builder, link: int, grip: Handle, x: float, y: float, z: float, length: float, *, upright: bool) -> None:
    """A handle on a front face at depth `z`, centred at (x, y), at most about `length` long."""
    look, half, s = grip.look, length / 2, grip.size

    def bar(reach: float, thick: float, low: float, high: float, paint: Look = look, shift: float = 0.0) -> None:
        dx, dy = (thick, reach) if upright else (reach, thick)
        cx, cy = (x + shift, y) if upright else (x, y + shift)
        b.box(link, paint, (cx - dx, cy - dy, z + low), (cx + dx, cy + dy, z + high))

    def spot(along: float, height: float) -> tuple[float, float, float]:
        return (x, y + along, z + height) if upright else (x + along, y, z + height)

    if grip.style == "lip":
        bar(half, 0.009 * s, FOOT, 0.022 * s)
    elif grip.style == "knob":
        radius = min(0.019 * s, 0.8 * half)
        b.cylinder(link, look, (x, y, z + 0.009 * s), "z", 0.45 * radius, 0.02 * s)
        b.cylinder(link, look, (x, y, z + 0.022 * s), "z", radius, 0.016 * s)
    elif grip.style == "disc":
        b.cylinder(link, look, (x, y, z + 0.0025 * s), "z", min(0.032 * s, half), 0.007 * s)
    elif grip.style == "ring":
        radius = min(0.03 * s, 0.9 * half)
        b.cylinder(link, look, (x, y, z + 0.006 * s), "z", radius, 0.007 * s, inner=0.72 * radius)
        b.cylinder(link, look, (x, y + 0.85 * radius, z + 0.006 * s), "z", 0.35 * radius, 0.014 * s)
    elif grip.style == "cup":
        reach = min(half, 0.05 * s)
        bar(reach, 0.003 * s, FOOT, 0.024 * s, shift=0.014 * s)
        bar(reach, 0.015 * s, 0.018 * s, 0.024 * s)
    elif grip.style == "slot":
        dark = replace(look, base=_darker(look.base), accent=_darker(look.accent), gloss=0.1)
        bar(min(half, 0.09 * s), 0.016 * s, FOOT, 0.0015, dark)
        bar(min(half, 0.09 * s), 0.003 * s, FOOT, 0.003, shift=0.017 * s)
    elif grip.style == "bracket":
        bar(half, 0.018 * s, FOOT, 0.005)
        bar(half * 0.75, 0.006 * s, FOOT, 0.032 * s)
    elif grip.style == "bow":
        foot, top = 0.92 * half, 0.5 * half
        for side in (-1, 1):
            b.rod(link, look, spot(side * foot, FOOT), spot(side * top, 0.036 * s), 0.007 * s)
        bar(top * 1.05, 0.007 * s, 0.03 * s, 0.043 * s)
    else:
        for side in (-1, 1):
            b.rod(link, look, spot(side * half * 0.8, FOOT), spot(side * half * 0.8, 0.04 * s), 0.006 * s)
        if grip.style == "bar":
            b.cylinder(link, look, spot(0.0, 0.04 * s), "y" if upright else "x", 0.009 * s, length)
        else:
            bar(half, 0.011 * s, 0.032 * s, 0.046 * s)


def _darker(color: tuple[float, float, float]) -> tuple[float, float, float]:
    red, green, blue = color
    return red * 0.35, green * 0.35, blue * 0.35
