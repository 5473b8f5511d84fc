"""Knobs and buttons on the control panel of an appliance."""

from __future__ import annotations

from training.builder import Builder
from training.draw import Draw
from training.fittings import LEAST_SEEN, button, knob
from training.palettes import APPLIANCE, FITTING, finish, plain
from training.primitives import Look

KNOB_STYLES = ("plain", "skirt", "wing")


def control_row(
    b: Builder, draw: Draw, knobs: int, buttons: int, xs: tuple[float, float], ys: tuple[float, float], z: float,
    longest: float, what: str, *, parent: int = 0, largest: float = 0.04,
) -> None:  # fmt: skip
    """Knobs and buttons side by side on a strip of a front face at depth `z`.

    Args:
        xs, ys: the strip's sides.
        longest: longest side of the whole object, by which the smallest size that is seen goes.
        what: the object, for captions.
        largest: radius of the largest knob [m].
    """
    total = knobs + buttons
    if not total:
        return
    metal, mark, keys = _looks(draw)
    style = draw.pick(KNOB_STYLES)
    least = LEAST_SEEN * longest / 2
    middle, step = (ys[0] + ys[1]) / 2, (xs[1] - xs[0]) / total
    pitch = min(step, 3.4 * largest) if draw.chance(0.5) else step
    radius = max(least, min(largest, 0.36 * (ys[1] - ys[0]), 0.36 * pitch))
    knobs_first = draw.chance(0.7)
    start = (xs[0] + xs[1]) / 2 - pitch * total / 2
    round_keys = draw.chance(0.4)
    for index in range(total):
        x = start + pitch * (index + 0.5)
        if (index < knobs) if knobs_first else (index >= buttons):
            caption = f"A round {metal.words} knob of a {what}."
            knob(b, metal, mark, x, middle, z, radius, 0.75 * radius, caption, parent=parent, style=style)
            continue
        dx = max(least, min(0.34 * pitch, 0.032))
        dy = dx if round_keys else max(least, min(0.6 * dx, 0.3 * (ys[1] - ys[0])))
        _key(b, keys, metal if round_keys else None, (x, middle), (dx, dy), z, longest, what, parent)


def control_column(
    b: Builder, draw: Draw, knobs: int, buttons: int, xs: tuple[float, float], ys: tuple[float, float], z: float,
    longest: float, what: str,
) -> None:  # fmt: skip
    """Knobs above buttons, the latter in up to two columns, on an upright panel of the root."""
    metal, mark, keys = _looks(draw)
    style = draw.pick(KNOB_STYLES)
    least = LEAST_SEEN * longest / 2
    (x0, x1), (y0, y1) = xs, ys
    columns = 2 if buttons in (2, 4, 6, 8) else 1
    rows = -(-buttons // columns)
    free = (y1 - y0) * (0.74 if knobs + rows < 4 else 0.92)
    step = free / max(knobs + 0.6 * rows, 1.6)
    radius = max(least, min(0.3 * (x1 - x0), 0.38 * step))
    middle = (x0 + x1) / 2
    for i in range(knobs):
        y = y0 + free - step * (i + 0.5)
        caption = f"A round {metal.words} knob of a {what}."
        knob(b, metal, mark, middle, y, z, radius, 0.7 * radius, caption, parent=0, style=style)
    cell = 0.8 * (x1 - x0) / columns, 0.6 * step
    for i in range(buttons):
        x = middle + (i % columns - (columns - 1) / 2) * cell[0]
        y = y0 + free - knobs * step - (i // columns + 0.5) * cell[1]
        half = max(least, min(0.38 * cell[0], 0.035)), max(least, min(0.36 * cell[1], 0.02))
        _key(b, keys, None, (x, y), half, z, longest, what, 0)


def _key(
    b: Builder, look: Look, bezel: Look | None, at: tuple[float, float], half: tuple[float, float], z: float,
    longest: float, what: str, parent: int,
) -> None:  # fmt: skip
    (x, y), (dx, dy) = at, half
    button(
        b, look, (x - dx, y - dy, z), (x + dx, y + dy, z), longest, f"A {look.words} button of a {what}.",
        parent=parent, bezel=bezel,
    )  # fmt: skip


def _looks(draw: Draw) -> tuple[Look, Look, Look]:
    """Finishes of knobs, of their pointers, and of buttons."""
    knob_look, key = finish(draw, FITTING), plain(finish(draw, APPLIANCE))
    bright = sum(knob_look.base) > 1.2
    level = 0.08 if bright else 0.92
    mark = plain(knob_look)
    return knob_look, Look(mark.material, mark.words, mark.pattern, (level,) * 3, (level,) * 3, 6.0, 0.2), key
