"""Knobs and buttons on the control panel of an appliance."""

from __future__ import annotations

from dataclasses import dataclass, replace

from training.builder import Builder
from training.draw import Draw
from training.fittings import LEAST_SEEN, button, knob
from training.palettes import APPLIANCE, FITTING, contrasting, plain
from training.primitives import Look

KNOB_STYLES = ("plain", "skirt", "wing")


@dataclass(frozen=True)
class Panel:
    """The face that carries the controls.

    Attributes:
        look: its finish, against which the controls stand out.
        xs, ys: its sides [m].
        z: its depth [m].
        longest: longest side of the whole object, by which the smallest size that is seen goes.
        what: the object, for captions.
        parent: the link that it is a part of.
        largest: radius of the largest knob [m].
    """

    look: Look
    xs: tuple[float, float]
    ys: tuple[float, float]
    z: float
    longest: float
    what: str
    parent: int = 0
    largest: float = 0.04

    @property
    def least(self) -> float:
        """Smallest half size of a control."""
        return LEAST_SEEN * self.longest / 2


@dataclass(frozen=True)
class _Kit:
    """How the controls of one panel look."""

    knob: Look
    mark: Look
    key: Look
    style: str
    round_keys: bool

    @classmethod
    def draw(cls, draw: Draw, panel: Panel) -> _Kit:
        metal, key = contrasting(draw, FITTING, panel.look), plain(contrasting(draw, APPLIANCE, panel.look))
        level = 0.08 if sum(metal.base) > 1.2 else 0.92
        mark = replace(plain(metal), base=(level,) * 3, accent=(level,) * 3)
        return cls(metal, mark, key, draw.pick(KNOB_STYLES), draw.chance(0.4))


def control_row(b: Builder, draw: Draw, panel: Panel, knobs: int, buttons: int) -> None:
    """Knobs and buttons side by side."""
    total = knobs + buttons
    if not total:
        return
    kit = _Kit.draw(draw, panel)
    (x0, x1), (y0, y1) = panel.xs, panel.ys
    middle, step = (y0 + y1) / 2, (x1 - x0) / total
    pitch = min(step, 3.4 * panel.largest) if draw.chance(0.5) else step
    radius = max(panel.least, min(panel.largest, 0.36 * (y1 - y0), 0.36 * pitch))
    knobs_first = draw.chance(0.7)
    start = (x0 + x1) / 2 - pitch * total / 2
    for index in range(total):
        x = start + pitch * (index + 0.5)
        if (index < knobs) if knobs_first else (index >= buttons):
            _knob(b, panel, kit, (x, middle), radius)
            continue
        dx = max(panel.least, min(0.34 * pitch, 0.032))
        dy = dx if kit.round_keys else max(panel.least, min(0.6 * dx, 0.3 * (y1 - y0)))
        _key(b, panel, kit, (x, middle), (dx, dy))


def control_column(b: Builder, draw: Draw, panel: Panel, knobs: int, buttons: int) -> None:
    """Knobs above buttons, the latter in up to two columns."""
    if not knobs + buttons:
        return
    kit = replace(_Kit.draw(draw, panel), round_keys=False)
    (x0, x1), (y0, y1) = panel.xs, panel.ys
    columns = 2 if buttons in (2, 4, 6, 8) else 1
    rows = -(-buttons // columns)
    free = (y1 - y0) * (0.74 if knobs + rows < 4 else 0.92)
    step = free / max(knobs + 0.6 * rows, 1.6)
    radius = max(panel.least, min(0.3 * (x1 - x0), 0.38 * step))
    middle = (x0 + x1) / 2
    for i in range(knobs):
        _knob(b, panel, kit, (middle, y0 + free - step * (i + 0.5)), radius)
    cell = 0.8 * (x1 - x0) / columns, 0.6 * step
    half = max(panel.least, min(0.38 * cell[0], 0.035)), max(panel.least, min(0.36 * cell[1], 0.02))
    for i in range(buttons):
        x = middle + (i % columns - (columns - 1) / 2) * cell[0]
        _key(b, panel, kit, (x, y0 + free - knobs * step - (i // columns + 0.5) * cell[1]), half)


def _knob(b: Builder, panel: Panel, kit: _Kit, at: tuple[float, float], radius: float) -> None:
    caption = f"A round {kit.knob.words} knob of a {panel.what}."
    knob(b, kit.knob, kit.mark, *at, panel.z, radius, 0.72 * radius, caption, parent=panel.parent, style=kit.style)


def _key(b: Builder, panel: Panel, kit: _Kit, at: tuple[float, float], half: tuple[float, float]) -> None:
    (x, y), (dx, dy) = at, half
    button(
        b, kit.key, (x - dx, y - dy, panel.z), (x + dx, y + dy, panel.z), panel.longest,
        f"A {kit.key.words} button of a {panel.what}.", parent=panel.parent, bezel=kit.knob if kit.round_keys else None,
    )  # fmt: skip
