"""Microwave ovens: a cavity, a windowed door, and a control panel with knobs and buttons beside, above or below it."""

from __future__ import annotations

from training.builder import Builder
from training.controls import Panel, control_column, control_row
from training.draw import Draw
from training.fittings import GAP, Fronts, door, hollow, spread
from training.handles import LONG_HELD_OUT, LONG_SEEN, draw_handle
from training.leaves import Leaf
from training.palettes import APPLIANCE, CAVITY, FITTING, GLASS, PANEL, contrasting, finish, plain
from training.spec import ObjectSpec
from training.supports import feet

LAYOUT = {
    "panel": ("right", "top", "bottom"),
    "hinge": ("left", "bottom"),
    "knobs": (0, 1, 2),
    "buttons": (0, 1, 2, 3, 4, 6, 8),
    "window": ("wide", "narrow", "all glass"),
    "feet": (False, True),
}


def build(draw: Draw) -> ObjectSpec:
    layout = draw.layout(
        LAYOUT, lambda x: x["knobs"] + x["buttons"] <= 8 and (x["panel"] == "right" or x["buttons"] <= 4)
    )
    shell, controls, glass = (finish(draw, family) for family in (APPLIANCE, PANEL, GLASS))
    front = shell if draw.chance(0.5) else finish(draw, APPLIANCE)
    metal = contrasting(draw, FITTING, front)
    grip = draw_handle(draw, LONG_SEEN, LONG_HELD_OUT, metal)
    width, height, depth = draw.uniform(0.42, 0.62), draw.uniform(0.25, 0.36), draw.uniform(0.30, 0.46)
    if layout["panel"] != "right":
        height += 0.07
    wall, thick = draw.uniform(0.012, 0.022), draw.uniform(0.02, 0.035)
    beside = layout["panel"] == "right"
    strip = width * draw.uniform(0.2, 0.28) if beside else draw.uniform(0.08, 0.1)
    x1 = width - strip if beside else width
    y0, y1 = (strip if layout["panel"] == "bottom" else 0.0), (height - strip if layout["panel"] == "top" else height)

    b = Builder(draw.rng)
    b.link("body", shell, f"The {shell.words} body of a microwave oven with a {controls.words} control panel.")
    hollow(b, 0, shell, (0, y0, 0), (x1, y1, depth), wall, inside=CAVITY)
    face = depth + thick * 0.8
    if beside:
        low, high = (x1 + GAP, 0.0), (width, height)
        b.box(0, shell, (x1 - wall, 0, 0), (width, height, depth - wall / 2))
    else:
        low, high = (
            (0.0, 0.0 if layout["panel"] == "bottom" else y1 + GAP),
            (width, y0 - GAP if layout["panel"] == "bottom" else height),
        )
        b.box(
            0,
            shell,
            (0, 0 if layout["panel"] == "bottom" else y1 - wall, 0),
            (width, y0 + wall if layout["panel"] == "bottom" else height, depth - wall / 2),
        )
    if layout["knobs"] + layout["buttons"]:
        controls = plain(controls)
    b.box(0, controls, (*low, depth - wall), (*high, face))
    b.cylinder(0, glass, (x1 / 2, y0 + wall + 0.008, depth / 2), "y", 0.38 * min(x1, depth), 0.012)
    if layout["feet"]:
        feet(b, (0, 0, 0), (width, 0, depth), 0.014)

    frame = {"wide": 0.045, "narrow": 0.075, "all glass": 0.014}[layout["window"]]
    fronts = Fronts(
        Leaf("glass", front, glass, frame),
        grip,
        CAVITY,
        spread(draw, 92.0 if layout["hinge"] == "bottom" else 105.0),
        draw.uniform(0.55, 0.8),
    )
    caption = (
        f"The {front.words} door of a microwave oven with a {glass.words} window, hinged on the {layout['hinge']},"
    )
    door(
        b,
        fronts,
        (0.0, y0 + GAP / 2, depth + GAP),
        (x1 - GAP / 2, y1 - GAP / 2, depth + GAP + thick),
        layout["hinge"],
        caption,
    )
    place = control_column if beside else control_row
    panel = Panel(controls, (low[0], high[0]), (low[1], high[1]), face, width, "microwave oven")
    place(b, draw, panel, layout["knobs"], layout["buttons"])
    return b.finish("microwave", draw.style(layout))
