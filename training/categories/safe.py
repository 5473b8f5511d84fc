"""Safes: a thick-walled body, one heavy door, and on the door a dial, a wheel or a lever, sometimes a keypad."""

from __future__ import annotations

import math

import numpy as np

from articulation.joint import Joint, JointType
from training.builder import Builder
from training.draw import Draw
from training.fittings import GAP, hollow, knob, swing
from training.palettes import CAVITY, FITTING, PANEL, SAFE, finish
from training.primitives import Look
from training.spec import ObjectSpec

LAYOUT = {
    "hinge": ("left", "right"),
    "opener": ("lever", "wheel", "dial", "dial and lever", "dial and wheel"),
    "keypad": (False, True),
    "shelves": (0, 1, 2),
}


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT)
    shell, metal, keys = finish(draw, SAFE), finish(draw, FITTING), finish(draw, PANEL)
    front = shell if draw.chance(0.7) else finish(draw, SAFE)
    width = draw.uniform(0.35, 0.60)
    height = width * draw.uniform(0.75, 1.7)
    depth = width * draw.uniform(0.7, 1.1)
    wall, leaf = 0.08 * width, draw.uniform(0.05, 0.09) * width

    b = Builder(draw.rng)
    root = b.link("body", shell, f"The {shell.words} metal body of a safe, hollow with thick walls.")
    hollow(b, root, shell, (0, 0, 0), (width, height, depth), wall, inside=CAVITY)
    for index in range(layout["shelves"]):
        y = height * (index + 1) / (layout["shelves"] + 1)
        b.box(root, CAVITY, (wall / 2, y - 0.006, wall / 2), (width - wall / 2, y + 0.006, depth * 0.8))

    left = layout["hinge"] == "left"
    inset = wall * 0.35
    low, high = (inset, inset, depth + GAP), (width - inset, height - inset, depth + GAP + leaf)
    caption = f"The {front.words} door of a safe with {layout['opener']}{' and keypad' if layout['keypad'] else ''}."
    door = b.link("door", front, caption, 0, swing(layout["hinge"], low, high, draw.uniform(95, 165)))
    b.box(door, front, low, high)
    hinge_x = low[0] if left else high[0]
    toward_free = 1 if left else -1
    plug = leaf * 0.8
    reach = (width - 2 * inset) - (wall - inset) - (plug + leaf) ** 2 / (2 * (width - 2 * wall)) - 0.01
    near, far = hinge_x + toward_free * (wall - inset + 0.01), hinge_x + toward_free * reach
    b.box(
        door,
        CAVITY,
        (min(near, far), wall + 0.01, depth - plug),
        (max(near, far), height - wall - 0.01, depth + 2 * GAP),
    )
    for y in (0.18 * height, 0.82 * height):
        b.cylinder(door, metal, (hinge_x, y, high[2]), "y", 0.012, 0.09 * height)

    middle = (low[0] + high[0]) / 2
    if layout["keypad"]:
        kx, ky, half = middle - toward_free * 0.12 * width, 0.72 * height, 0.085 * width
        b.box(door, keys, (kx - half, ky - half * 1.1, high[2]), (kx + half, ky + half * 1.1, high[2] + 0.012))
    spots = [middle + toward_free * 0.22 * width, middle - toward_free * 0.02 * width]
    y = 0.48 * height
    openers = layout["opener"].split(" and ")
    for name, x in zip(reversed(openers), spots, strict=False):
        if name == "dial":
            knob(
                b, metal, keys, x, y, high[2], 0.075 * width, 0.028,
                f"The round {metal.words} combination dial of a safe.", parent=door,
            )  # fmt: skip
        else:
            _turning_handle(b, metal, name, x, y, high[2] + GAP / 2, 0.13 * width, door)
    return b.finish("safe", draw.style(layout))


def _turning_handle(
    b: Builder, look: Look, kind: str, x: float, y: float, z: float, radius: float, parent: int
) -> None:
    """A lever (one arm) or a wheel (ring with spokes) that turns by up to 90 degrees."""
    joint = Joint(JointType.REVOLUTE, np.array((0.0, 0.0, -1.0)), np.array((x, y, z)), 0.0, math.pi / 2)
    link = b.link("handle", look, f"The {look.words} {kind} handle of a safe's door.", parent, joint)
    b.cylinder(link, look, (x, y, z + 0.02), "z", 0.2 * radius, 0.04)
    if kind == "lever":
        b.box(
            link,
            look,
            (x - 0.15 * radius, y - 1.1 * radius, z + 0.028),
            (x + 0.15 * radius, y + 0.2 * radius, z + 0.045),
        )
        return
    b.cylinder(link, look, (x, y, z + 0.035), "z", radius, 0.014, inner=0.82 * radius)
    for angle in (0.0, math.pi / 3, 2 * math.pi / 3):
        arm = 0.9 * radius
        b.box(link, look, (x - arm, y - 0.006, z + 0.03), (x + arm, y + 0.006, z + 0.04), tilt_z=angle)
