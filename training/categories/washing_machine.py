"""Washing machines: front loaders with a round door and top loaders with a lid; knobs and a detergent drawer."""

from __future__ import annotations

import math

import numpy as np

from articulation.joint import Joint, JointType
from training.builder import Builder
from training.draw import Draw
from training.fittings import GAP, HANDLES_HELD_OUT, HINGE_AXES, KNOB_TURN, Handle, handle, knob
from training.palettes import APPLIANCE, DRUM, FITTING, GLASS, PANEL, RUBBER, finish
from training.primitives import Look
from training.spec import ObjectSpec

LAYOUT = {
    "loading": ("front", "top"),
    "hinge": ("left", "right"),
    "knobs": (0, 1, 2, 3),
    "detergent": ("none", "left", "right"),
    "feet": (False, True),
}


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(
        LAYOUT, lambda x: x["loading"] == "front" or (x["hinge"] == "left" and x["detergent"] == "none")
    )
    shell, metal, panel = finish(draw, APPLIANCE), finish(draw, FITTING), finish(draw, PANEL)
    width = draw.uniform(0.55, 0.7)
    height = draw.uniform(0.8, 0.98)
    depth = draw.uniform(0.5, 0.68)

    b = Builder(draw.rng)
    b.link("body", shell, f"The {shell.words} body of a washing machine with its steel drum.")
    if layout["feet"]:
        for x in (0.1 * width, 0.9 * width):
            for z in (0.1 * depth, 0.88 * depth):
                b.cylinder(0, RUBBER, (x, -0.012, z), "y", 0.025, 0.026)
    if layout["loading"] == "front":
        _front_loader(b, draw, layout, shell, metal, panel, width, height, depth)
    else:
        _top_loader(b, draw, layout, shell, metal, panel, width, height, depth)
    return b.finish("washing_machine", draw.style(layout))


def _front_loader(
    b: Builder,
    draw: Draw,
    layout: dict[str, object],
    shell: Look,
    metal: Look,
    panel: Look,
    width: float,
    height: float,
    depth: float,
) -> None:
    glass = finish(draw, GLASS)
    strip = draw.uniform(0.13, 0.17)
    top = height - strip
    radius = draw.uniform(0.32, 0.4) * min(width, top)
    hole = radius * 0.8
    x, y = width / 2, top * draw.uniform(0.48, 0.54)
    wall = 0.025
    b.box(0, shell, (0, 0, 0), (wall, height, depth))
    b.box(0, shell, (width - wall, 0, 0), (width, height, depth))
    b.box(0, shell, (0, height - wall, 0), (width, height, depth))
    b.box(0, shell, (0, 0, 0), (width, wall, depth))
    b.box(0, shell, (0, 0, 0), (width, height, wall))
    b.box(0, shell, (0, 0, depth - wall), (x - hole, top, depth))
    b.box(0, shell, (x + hole, 0, depth - wall), (width, top, depth))
    b.box(0, shell, (0, 0, depth - wall), (width, y - hole, depth))
    b.box(0, shell, (0, y + hole, depth - wall), (width, top, depth))
    b.cylinder(0, shell, (x, y, depth - wall / 2), "z", hole * 1.42, wall, inner=hole * 0.97)
    b.cylinder(0, DRUM, (x, y, depth * 0.55), "z", hole * 1.05, depth * 0.8, inner=hole)
    b.cylinder(0, DRUM, (x, y, depth * 0.16), "z", hole * 1.02, 0.02)
    _strip(b, draw, layout, shell, metal, panel, width, (top, height), depth, wall)

    hinge = str(layout["hinge"])
    side = -1 if hinge == "left" else 1
    leaf = draw.uniform(0.03, 0.05)
    z0 = depth + GAP
    rim = metal if draw.chance(0.5) else shell
    joint = Joint(
        JointType.REVOLUTE, np.array(HINGE_AXES[hinge]), np.array((x + side * radius, y, z0 + leaf)), 0.0,
        math.radians(draw.uniform(95, 165)),
    )  # fmt: skip
    link = b.link(
        "door", rim, f"The round {rim.words} door of a washing machine with a {glass.words} porthole.", 0, joint
    )
    b.cylinder(link, rim, (x, y, z0 + leaf / 2), "z", radius, leaf, inner=radius * 0.72)
    b.cylinder(link, glass, (x, y, z0 + leaf * 0.4), "z", radius * 0.75, leaf * 0.6)
    grip = Handle(draw.pool(("lip", "bar"), HANDLES_HELD_OUT), metal)
    handle(b, link, grip, x - side * radius * 0.86, y, z0 + leaf, radius * 0.35, upright=True)


def _top_loader(
    b: Builder,
    draw: Draw,
    layout: dict[str, object],
    shell: Look,
    metal: Look,
    panel: Look,
    width: float,
    height: float,
    depth: float,
) -> None:
    wall = 0.025
    console = depth * draw.uniform(0.2, 0.28)
    rise = draw.uniform(0.1, 0.17)
    b.box(0, shell, (0, 0, 0), (wall, height, depth))
    b.box(0, shell, (width - wall, 0, 0), (width, height, depth))
    b.box(0, shell, (0, 0, 0), (width, wall, depth))
    b.box(0, shell, (0, 0, 0), (width, height, wall))
    b.box(0, shell, (0, 0, depth - wall), (width, height, depth))
    b.box(0, shell, (0, height - wall, 0), (width, height + rise, console))
    middle = console + (depth - console) / 2
    radius = 0.42 * min(width, depth - console)
    b.cylinder(0, DRUM, (width / 2, height * 0.52, middle), "y", radius, height * 0.8, inner=radius * 0.95)
    b.cylinder(0, DRUM, (width / 2, height * 0.14, middle), "y", radius * 0.98, 0.02)
    b.box(
        0,
        panel,
        (0.05 * width, height + 0.15 * rise, console - 0.01),
        (0.95 * width, height + 0.9 * rise, console + 0.004),
    )
    _knobs(b, draw, layout, metal, panel, (0.5 * width, 0.95 * width), height + 0.5 * rise, console + 0.004, 0.3 * rise)

    low, high = (0.03, height + GAP, console + 0.042), (width - 0.03, height + GAP + 0.022, depth - 0.01)
    lid_look = finish(draw, GLASS) if draw.chance(0.4) else shell
    joint = Joint(
        JointType.REVOLUTE, np.array(HINGE_AXES["top"]), np.array((width / 2, high[1], low[2])), 0.0,
        math.radians(draw.uniform(70, 88)),
    )  # fmt: skip
    link = b.link(
        "lid", lid_look, f"The {lid_look.words} lid on top of a washing machine, hinged at its rear.", 0, joint
    )
    b.box(link, lid_look, low, high)
    b.box(link, metal, (width * 0.4, low[1] + 0.006, depth - 0.015), (width * 0.6, high[1] - 0.004, depth + 0.012))


def _strip(
    b: Builder, draw: Draw, layout: dict[str, object], shell: Look, metal: Look, panel: Look, width: float,
    ys: tuple[float, float], depth: float, wall: float,
) -> None:  # fmt: skip
    """The control strip above a front loader's door."""
    y0, y1 = ys
    place = layout["detergent"]
    share = 0.34 * width if place != "none" else 0.0
    x0, x1 = (share, width) if place == "left" else (0.0, width - share)
    b.box(0, panel, (x0 + GAP, y0, depth - wall), (x1 - GAP, y1, depth + 0.006))
    _knobs(b, draw, layout, metal, panel, (x0, x1), (y0 + y1) / 2, depth + 0.006, 0.3 * (y1 - y0))
    if place == "none":
        return
    low_x, high_x = (0.0, share) if place == "left" else (width - share, width)
    low_x, high_x = max(low_x, wall) + 0.006, min(high_x, width - wall) - 0.006
    low, high = (low_x, y0 + 0.008, depth + GAP - wall), (high_x, y1 - wall - 0.006, depth + 0.012)
    reach = depth * 0.4
    center = np.array(((low_x + high_x) / 2, (y0 + y1) / 2, depth))
    joint = Joint(JointType.PRISMATIC, np.array((0.0, 0.0, 1.0)), center, 0.0, reach * draw.uniform(0.6, 0.85))
    link = b.link("drawer", shell, f"The {shell.words} detergent drawer of a washing machine.", 0, joint)
    b.box(link, shell, low, high)
    inner = 0.03
    (tx0, tx1), (ty0, ty1), back = (low[0] + inner, high[0] - inner), (low[1] + 0.01, high[1] - 0.035), low[2] - reach
    b.box(link, panel, (tx0, ty0, back), (tx1, ty0 + 0.006, low[2] + 0.01))
    b.box(link, panel, (tx0, ty0, back), (tx0 + 0.006, ty1, low[2] + 0.01))
    b.box(link, panel, (tx1 - 0.006, ty0, back), (tx1, ty1, low[2] + 0.01))
    b.box(link, panel, (tx0, ty0, back), (tx1, ty1, back + 0.006))
    b.box(link, metal, (low[0] + 0.02, low[1] + 0.01, high[2]), (high[0] - 0.02, low[1] + 0.025, high[2] + 0.012))


def _knobs(
    b: Builder,
    draw: Draw,
    layout: dict[str, object],
    metal: Look,
    mark: Look,
    xs: tuple[float, float],
    y: float,
    z: float,
    radius: float,
) -> None:
    count = layout["knobs"]
    assert isinstance(count, int)
    radius = min(radius, 0.38 * (xs[1] - xs[0]) / (count + 1))
    for index in range(count):
        x = xs[0] + (xs[1] - xs[0]) * (index + 1) / (count + 1)
        caption = f"A round {metal.words} programme knob of a washing machine."
        knob(b, metal, mark, x, y, z, radius, 0.03, caption, parent=0, turn=KNOB_TURN)
