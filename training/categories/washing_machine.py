"""Washing machines: front loaders with a round door and top loaders with a lid; knobs, buttons, drawer, filter flap."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from articulation.joint import Joint, JointType
from training.builder import Builder
from training.controls import Panel, control_row
from training.draw import Draw
from training.fittings import GAP, HINGE_AXES, Fronts, door, drawer, hollow, slide, spread, tub
from training.handles import HELD_OUT, Handle, draw_handle, handle
from training.leaves import BITE, Corner, Leaf
from training.palettes import APPLIANCE, DRUM, FITTING, GLASS, PANEL, RUBBER, contrasting, finish, plain
from training.primitives import Look
from training.spec import ObjectSpec
from training.supports import feet

LAYOUT = {
    "loading": ("front", "top"),
    "hinge": ("left", "right"),
    "knobs": (0, 1, 2, 3),
    "buttons": (0, 1, 2, 3, 4, 6),
    "detergent": ("none", "left", "right"),
    "filter": ("none", "left", "right"),
    "base": ("bare", "feet", "drawer"),
}  # fmt: skip

SLIM = 0.5
"""Narrower top loaders [m] have a low console."""


def _fits(layout: Mapping[str, Any]) -> bool:
    if layout["knobs"] + layout["buttons"] > 6 or (layout["knobs"] == 3 and layout["buttons"] > 3):
        return False
    if layout["loading"] == "front":
        return not (layout["base"] == "drawer" and layout["filter"] != "none")
    plain = {"hinge": "left", "detergent": "none", "filter": "none"}
    return layout["base"] != "drawer" and all(layout[name] == value for name, value in plain.items())


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(LAYOUT, _fits)
    shell, panel = finish(draw, APPLIANCE), finish(draw, PANEL)
    metal = contrasting(draw, FITTING, shell)
    if layout["knobs"] + layout["buttons"]:
        panel = plain(panel)
    if draw.chance(0.35):
        panel = plain(shell)
    slim = layout["loading"] == "top" and draw.chance(0.4)
    width = draw.uniform(0.4, 0.48) if slim else draw.uniform(0.55, 0.7)
    height, depth = draw.uniform(0.8, 0.92), draw.uniform(0.5, 0.68)
    b = Builder(draw.rng)
    b.link("body", shell, f"The {shell.words} body of a washing machine with its steel drum.")
    if layout["base"] == "feet":
        feet(b, (0, 0, 0), (width, 0, depth), 0.025, 0.025)
    if layout["loading"] == "front":
        _front_loader(b, draw, layout, shell, metal, panel, (width, height, depth))
    else:
        _top_loader(b, draw, layout, shell, metal, panel, (width, height, depth))
    return b.finish("washing_machine", draw.style(layout))


def _front_loader(
    b: Builder,
    draw: Draw,
    layout: dict[str, Any],
    shell: Look,
    metal: Look,
    panel: Look,
    size: Corner,
) -> None:
    width, height, depth = size
    glass = finish(draw, GLASS)
    strip = draw.uniform(0.11, 0.15)
    top = height - strip
    radius = draw.uniform(0.34, 0.42) * min(width, top)
    hole = radius * 0.8
    x, y = width / 2, max(top * draw.uniform(0.5, 0.56), radius + 0.03)
    wall = 0.025
    hollow(b, 0, shell, (0, 0, 0), (width, height, depth), wall)
    if draw.chance(0.5):
        b.box(0, shell, (-0.002, height - 0.02, 0), (width + 0.002, height + 0.004, depth + draw.uniform(0.008, 0.02)))
    w, front = wall - BITE, depth - wall
    b.box(0, shell, (w, w, front), (x - hole, top, depth))
    b.box(0, shell, (x + hole, w, front), (width - w, top, depth))
    b.box(0, shell, (x - hole - BITE, w, front), (x + hole + BITE, y - hole, depth))
    b.box(0, shell, (x - hole - BITE, y + hole, front), (x + hole + BITE, top, depth))
    b.cylinder(0, shell, (x, y, depth - wall / 2), "z", hole * 1.42, wall, inner=hole * 0.97)
    b.cylinder(0, RUBBER, (x, y, depth - 0.05), "z", hole * 1.03, 0.07, inner=hole * 0.9)
    b.cylinder(0, DRUM, (x, y, depth * 0.55), "z", hole * 1.05, depth * 0.76, inner=hole)
    b.cylinder(0, DRUM, (x, y, depth * 0.16), "z", hole * 1.02, 0.02)
    _strip(b, draw, layout, shell, metal, panel, width, (top, height), depth, wall)
    hinge = str(layout["hinge"])
    _porthole(b, draw, hinge, (x, y, depth + GAP), radius, metal, shell, glass)
    if layout["filter"] != "none":
        w = 0.1
        x0 = 0.06 if layout["filter"] == "left" else width - 0.06 - w
        low, high = (x0, 0.035, depth + GAP), (x0 + w, 0.035 + 0.075, depth + GAP + 0.012)
        y1 = y - radius - 0.012
        if high[1] > y1 and x0 + w > x - radius and x0 < x + radius:
            high = (high[0], max(0.085, 0.095), high[2])
        grip = Handle(draw.pool(("slot",), ("disc",)), shell, 0.5)
        fronts = Fronts(Leaf("slab", shell, shell), grip, shell, spread(draw, 100.0), 0.4)
        door(
            b, fronts, low, high, "bottom", f"The {shell.words} filter flap of a washing machine, hinged at the bottom,"
        )
    if layout["base"] == "drawer":
        low, high = (GAP, -0.31, depth + GAP), (width - GAP, -GAP, depth + GAP + 0.02)
        hollow(b, 0, shell, (0, -0.32, 0), (width, BITE, depth), wall, lid=False)
        fronts = Fronts(Leaf("slab", shell, shell), draw_handle(draw, look=metal), panel)
        drawer(
            b,
            fronts,
            low,
            high,
            (wall, -0.3, wall),
            (width - wall, 0, depth),
            f"The {shell.words} drawer under a washing machine",
        )


def _porthole(
    b: Builder,
    draw: Draw,
    hinge: str,
    at: Corner,
    radius: float,
    metal: Look,
    shell: Look,
    glass: Look,
) -> None:
    """The round door: a ring, a pane that bulges into the drum, a hinge, a grip."""
    x, y, z0 = at
    side = -1 if hinge == "left" else 1
    thick = draw.uniform(0.03, 0.05)
    rim = metal if draw.chance(0.5) else shell if draw.chance(0.5) else plain(finish(draw, PANEL))
    joint = Joint(
        JointType.REVOLUTE, np.array(HINGE_AXES[hinge]), np.array((x + side * radius, y, z0 + thick)), 0.0,
        math.radians(spread(draw, 130.0)),
    )  # fmt: skip
    link = b.link(
        "door",
        rim,
        f"The round {rim.words} door of a washing machine with a {glass.words} porthole, hinged on the {hinge}.",
        0,
        joint,
    )
    inner = radius * draw.uniform(0.66, 0.8)
    b.cylinder(link, rim, (x, y, z0 + thick / 2), "z", radius, thick, inner=inner)
    b.cylinder(link, glass, (x, y, z0 + thick * 0.4), "z", inner * 1.04, thick * 0.6)
    if draw.chance(0.5):
        b.cylinder(link, plain(shell), (x, y, z0 + thick + 0.003), "z", radius * 0.97, 0.006, inner=radius * 0.9)
    hinge_x = x + side * radius * 0.93
    b.box(
        link,
        rim,
        (hinge_x - 0.02, y - 0.25 * radius, z0 + 0.2 * thick),
        (hinge_x + 0.02, y + 0.25 * radius, z0 + thick),
    )
    grip = Handle(draw.pool(("lip", "bar", "slot", "bow"), HELD_OUT[:2]), metal)
    middle = (radius + inner) / 2
    handle(b, link, grip, x - side * middle, y, z0 + thick, radius * 0.4, upright=True)


def _strip(
    b: Builder,
    draw: Draw,
    layout: dict[str, Any],
    shell: Look,
    metal: Look,
    panel: Look,
    width: float,
    ys: tuple[float, float],
    depth: float,
    wall: float,
) -> None:
    """The control strip above a front loader's door, and the detergent drawer beside it."""
    y0, y1 = ys
    place = layout["detergent"]
    share = 0.3 * width if place != "none" else 0.0
    x0, x1 = (share, width) if place == "left" else (0.0, width - share)
    face = depth + 0.006
    b.box(0, panel, (x0 + GAP, y0, depth - wall), (x1 - GAP, y1 - wall * 0.5, face))
    longest = max(width, y1 + (0.32 if layout["base"] == "drawer" else 0.0))
    control_row(
        b,
        draw,
        Panel(panel, (x0 + 0.02, x1 - 0.02), (y0, y1 - wall), face, longest, "washing machine"),
        layout["knobs"],
        layout["buttons"],
    )
    if place == "none":
        return
    low_x, high_x = (0.0, share) if place == "left" else (width - share, width)
    low_x, high_x = max(low_x, wall) + 0.006, min(high_x, width - wall) - 0.006
    low, high = (low_x, y0 + 0.008, depth + GAP - wall), (high_x, y1 - wall - 0.006, depth + 0.012)
    reach = depth * 0.4
    middle = ((low_x + high_x) / 2, (y0 + y1) / 2, depth)
    link = b.link(
        "drawer",
        shell,
        f"The {shell.words} detergent drawer of a washing machine.",
        0,
        slide((0.0, 0.0, 1.0), middle, reach * 0.75),
    )
    b.box(link, shell, low, high)
    inner = 0.02
    (tx0, tx1), (ty0, ty1), back = (low[0] + inner, high[0] - inner), (low[1] + 0.01, high[1] - 0.03), low[2] - reach
    b.box(link, panel, (tx0, ty0, back), (tx1, ty0 + 0.006, low[2] + 0.01))
    b.box(link, panel, (tx0, ty0, back), (tx0 + 0.006, ty1, low[2] + 0.01))
    b.box(link, panel, (tx1 - 0.006, ty0, back), (tx1, ty1, low[2] + 0.01))
    b.box(link, panel, (tx0, ty0, back), (tx1, ty1, back + 0.006))
    b.box(link, metal, (low[0] + 0.02, low[1] + 0.01, high[2]), (high[0] - 0.02, low[1] + 0.025, high[2] + 0.012))


def _top_loader(
    b: Builder,
    draw: Draw,
    layout: dict[str, Any],
    shell: Look,
    metal: Look,
    panel: Look,
    size: Corner,
) -> None:
    width, height, depth = size
    wall = 0.025
    slim = width < SLIM
    console = depth * (0.16 if slim else draw.uniform(0.2, 0.28))
    rise = 0.1 if slim else draw.uniform(0.12, 0.18)
    tub(b, 0, shell, (0, 0, 0), (width, height, depth), wall)
    b.box(0, shell, (0, height - wall, 0), (width, height + rise, console))
    middle = console + (depth - console) / 2
    radius = 0.42 * min(width, depth - console)
    b.cylinder(0, DRUM, (width / 2, height * 0.52, middle), "y", radius, height * 0.8, inner=radius * 0.95)
    b.cylinder(0, DRUM, (width / 2, height * 0.14, middle), "y", radius * 0.98, 0.02)
    b.box(
        0,
        panel,
        (0.03 * width, height + 0.12 * rise, console - 0.01),
        (0.97 * width, height + 0.92 * rise, console + 0.004),
    )
    control_row(
        b,
        draw,
        Panel(
            panel,
            (0.05 * width, 0.95 * width),
            (height + 0.12 * rise, height + 0.92 * rise),
            console + 0.004,
            max(height + rise, depth),
            "washing machine",
        ),
        layout["knobs"],
        layout["buttons"],
    )
    low, high = (
        (0.012, height + GAP, console + 0.05),
        (width - 0.012, height + GAP + draw.uniform(0.018, 0.03), depth - 0.005),
    )
    lid_look = finish(draw, GLASS) if draw.chance(0.4) else shell
    joint = Joint(
        JointType.REVOLUTE,
        np.array(HINGE_AXES["top"]),
        np.array((width / 2, high[1], low[2])),
        0.0,
        math.radians(spread(draw, 80.0)),
    )
    link = b.link(
        "lid", lid_look, f"The {lid_look.words} lid on top of a washing machine, hinged at its rear.", 0, joint
    )
    if lid_look is shell or draw.chance(0.3):
        b.box(link, lid_look, low, high)
    else:
        f = 0.035
        b.box(link, shell, low, (low[0] + f, high[1], high[2]))
        b.box(link, shell, (high[0] - f, low[1], low[2]), high)
        b.box(link, shell, (low[0] + f - BITE, low[1], low[2]), (high[0] - f + BITE, high[1], low[2] + f))
        b.box(link, shell, (low[0] + f - BITE, low[1], high[2] - f), (high[0] - f + BITE, high[1], high[2]))
        b.box(
            link,
            lid_look,
            (low[0] + f - BITE, low[1] + 0.004, low[2] + f - BITE),
            (high[0] - f + BITE, high[1] - 0.004, high[2] - f + BITE),
        )
    b.box(link, metal, (width * 0.38, low[1] + 0.004, depth - 0.01), (width * 0.62, high[1] - 0.003, depth + 0.014))
