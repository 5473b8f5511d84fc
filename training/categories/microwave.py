"""Microwave ovens: a body with a cavity, a windowed door and a control panel with up to two knobs."""

from __future__ import annotations

from training.builder import Builder
from training.draw import Draw
from training.fittings import GAP, HANDLES_HELD_OUT, HANDLES_SEEN, KNOB_TURN, Handle, door, hollow, knob
from training.palettes import APPLIANCE, CAVITY, FITTING, GLASS, PANEL, RUBBER, finish
from training.spec import ObjectSpec

LAYOUT = {
    "hinge": ("left", "right", "bottom"),
    "knobs": (0, 1, 2),
    "window": ("wide", "narrow"),
    "feet": (False, True),
}


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT)
    shell, controls, glass = finish(draw, APPLIANCE), finish(draw, PANEL), finish(draw, GLASS)
    front = shell if draw.chance(0.5) else finish(draw, APPLIANCE)
    grip = Handle(draw.pool(HANDLES_SEEN, HANDLES_HELD_OUT), finish(draw, FITTING))
    width = draw.uniform(0.42, 0.62)
    height = draw.uniform(0.25, 0.36)
    depth = draw.uniform(0.30, 0.46)
    wall, leaf = 0.02, draw.uniform(0.02, 0.035)
    panel_width = width * draw.uniform(0.18, 0.28)
    door_high_x = width - panel_width

    b = Builder(draw.rng)
    root = b.link("body", shell, f"The {shell.words} body of a microwave oven with a {controls.words} control panel.")
    hollow(b, root, shell, (0, 0, 0), (door_high_x, height, depth), wall, inside=CAVITY)
    b.box(root, shell, (door_high_x - wall, 0, 0), (width, height, depth))
    b.box(root, controls, (door_high_x + GAP, 0, depth - wall), (width, height, depth + leaf * 0.8))
    b.cylinder(root, glass, (door_high_x / 2, wall + 0.008, depth / 2), "y", 0.38 * min(door_high_x, depth), 0.012)
    if layout["feet"]:
        for x in (0.12 * width, 0.88 * width):
            for z in (0.12 * depth, 0.85 * depth):
                b.cylinder(root, RUBBER, (x, -0.007, z), "y", 0.015, 0.016)

    low, high = (0.0, 0.0, depth + GAP), (door_high_x - GAP / 2, height, depth + GAP + leaf)
    door(
        b, front, low, high, layout["hinge"], draw.uniform(90, 120 if layout["hinge"] != "bottom" else 95), grip,
        f"The {front.words} door of a microwave oven with a {glass.words} window and a {grip.words()}.",
        window=glass, frame=(0.045 if layout["window"] == "wide" else 0.075), reach=draw.uniform(0.55, 0.8),
    )  # fmt: skip
    radius = min(0.28 * panel_width, 0.13 * height)
    for index in range(layout["knobs"]):
        y = height * (0.2 + 0.3 * index)
        knob(
            b, grip.look, controls, door_high_x + panel_width / 2, y, depth + leaf * 0.8, radius, 0.022,
            f"A round {grip.look.words} knob of a microwave oven's control panel.", parent=root, turn=KNOB_TURN,
        )  # fmt: skip
    return b.finish("microwave", draw.style(layout))
