"""What furniture stands on: legs, plinths, feet, sleds, casters. All of it belongs to the root and stands still."""

from __future__ import annotations

from training.builder import Builder
from training.leaves import Corner
from training.palettes import RUBBER
from training.primitives import Look

LEGS = ("straight", "round", "tapered", "hairpin", "sled", "panels")


def stand(b: Builder, kind: str, look: Look, metal: Look, low: Corner, high: Corner) -> None:
    """Fill the space between two corners, a footprint from the floor to the underside of a body.

    Args:
        kind: one of `LEGS`, "plinth", "bracket", "casters" or "none".
        metal: of sleds, hairpins and casters.
    """
    (x0, y0, z0), (x1, y1, z1) = low, high
    t = min(0.045, 0.12 * (x1 - x0))
    if kind == "plinth":
        b.box(0, look, (x0 + 0.01, y0, z0 + 0.01), (x1 - 0.01, y1, z1 - 0.025))
    elif kind == "bracket":
        for x in (x0, x1 - 2 * t):
            for z in (z0, z1 - t):
                b.box(0, look, (x, y0, z), (x + 2 * t, y1, z + t))
    elif kind == "casters":
        radius = min(0.45 * (y1 - y0), 0.035)
        for x in (x0 + t, x1 - t):
            for z in (z0 + t, z1 - t):
                b.cylinder(0, RUBBER, (x, y0 + radius, z), "x", radius, 0.025)
                b.box(0, metal, (x - 0.018, y0 + radius, z - 0.6 * radius), (x + 0.018, y1, z + 0.6 * radius))
    elif kind != "none":
        leg_pair(b, kind, look, metal, (x0, y0, z0), (x0 + t, y1, z1), -1)
        leg_pair(b, kind, look, metal, (x1 - t, y0, z0), (x1, y1, z1), 1)


def leg_pair(b: Builder, kind: str, look: Look, metal: Look, low: Corner, high: Corner, side: int) -> None:
    """A front and a rear leg, or what stands for them, on the left (-1) or right (1) side; legs fill the corners' x."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    x, t = (x0 + x1) / 2, x1 - x0
    if kind == "panels":
        b.box(0, look, (x - 0.012, y0, z0 + 0.01), (x + 0.012, y1, z1 - 0.01))
        return
    if kind == "sled":
        r = 0.35 * t
        b.box(0, metal, (x - r, y0, z0 + 0.01), (x + r, y0 + 2 * r, z1 - 0.01))
        for z in (z0 + 0.01 + r, z1 - 0.01 - r):
            b.box(0, metal, (x - r, y0, z - r), (x + r, y1, z + r))
        return
    for z, toward in ((z0 + t / 2, -1), (z1 - t / 2, 1)):
        if kind == "straight":
            b.box(0, look, (x0, y0, z - t / 2), (x1, y1, z + t / 2))
        elif kind == "round":
            b.cylinder(0, look, (x, (y0 + y1) / 2, z), "y", t / 2, y1 - y0)
        elif kind == "tapered":
            lean = min(0.08 * (y1 - y0), 0.035)
            foot = (x + lean * side, y0 + 0.003, z + lean * toward)
            middle = ((x + foot[0]) / 2, (y1 + foot[1]) / 2, (z + foot[2]) / 2)
            b.rod(0, look, (x, y1, z), middle, 0.48 * t)
            b.rod(0, look, middle, foot, 0.33 * t)
        else:
            foot = (x, y0 + 0.004, z)
            for shift in (-0.045, 0.045):
                b.rod(0, metal, (x + shift, y1, z - shift * toward * 0.4), foot, 0.006)


def feet(b: Builder, low: Corner, high: Corner, height: float, radius: float = 0.018) -> None:
    """Four rubber feet under the box between two corners."""
    (x0, y0, z0), (x1, _, z1) = low, high
    dx, dz = 0.1 * (x1 - x0), 0.1 * (z1 - z0)
    for x in (x0 + dx, x1 - dx):
        for z in (z0 + dz, z1 - dz):
            b.cylinder(0, RUBBER, (x, y0 - height / 2 + 0.001, z), "y", radius, height + 0.002)
