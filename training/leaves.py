"""Leaves: what a door or a drawer's front is made of, from a plain slab to louvres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from training.builder import Builder
from training.primitives import Look, Pattern

Corner = tuple[float, float, float]


@dataclass(frozen=True)
class Leaf:
    """How the leaves of one object look.

    Attributes:
        style: a key of `STYLES`.
        look: of the leaf and its rails.
        inset: of what the rails hold: a panel, glass, slats.
        frame: width of the rails [m].
    """

    style: str
    look: Look
    inset: Look
    frame: float = 0.06

    def words(self) -> str:
        return f"{self.look.words} {NAMES[self.style]}".strip()


NAMES = {
    "slab": "", "soft": "rounded", "shaker": "framed", "raised": "panelled", "planks": "planked", "louvre": "louvred",
    "glass": "glazed", "muntin": "glazed", "mesh": "meshed", "inlay": "inlaid", "double": "two-panelled",
}  # fmt: skip
BITE = 0.002
"""How far [m] solids of a part reach into each other, so that no face lies between them."""


def leaf(b: Builder, link: int, kind: Leaf, low: Corner, high: Corner) -> None:
    """A leaf between two corners; +z is its front."""
    small = min(high[0] - low[0], high[1] - low[1])
    frame = min(kind.frame, 0.28 * small)
    STYLES[kind.style](b, link, replace(kind, frame=frame), low, high)


def _rails(b: Builder, link: int, kind: Leaf, low: Corner, high: Corner) -> tuple[Corner, Corner]:
    """Four rails around the leaf; returns the corners of what they hold, which reaches into them."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    f = kind.frame
    b.box(link, kind.look, low, (x0 + f, y1, z1))
    b.box(link, kind.look, (x1 - f, y0, z0), high)
    b.box(link, kind.look, (x0 + f - BITE, y0, z0), (x1 - f + BITE, y0 + f, z1))
    b.box(link, kind.look, (x0 + f - BITE, y1 - f, z0), (x1 - f + BITE, y1, z1))
    depth, bite = (z1 - z0) * 0.3, f * 0.3
    return (x0 + f - bite, y0 + f - bite, z0 + depth), (x1 - f + bite, y1 - f + bite, z1 - depth)


def _slab(b: Builder, link: int, kind: Leaf, low: Corner, high: Corner) -> None:
    b.box(link, kind.look, low, high)


def _soft(b: Builder, link: int, kind: Leaf, low: Corner, high: Corner) -> None:
    """A slab whose two upright front edges are round."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    r = min(0.49 * (z1 - z0), 0.2 * (x1 - x0))
    b.box(link, kind.look, low, (x1, y1, z1 - r))
    b.box(link, kind.look, (x0 + r, y0, z0), (x1 - r, y1, z1))
    for x in (x0 + r, x1 - r):
        b.cylinder(link, kind.look, (x, (y0 + y1) / 2, z1 - r), "y", r, y1 - y0)


def _framed(b: Builder, link: int, kind: Leaf, low: Corner, high: Corner) -> None:
    b.box(link, kind.inset, *_rails(b, link, kind, low, high))


def _raised(b: Builder, link: int, kind: Leaf, low: Corner, high: Corner) -> None:
    _framed(b, link, kind, low, high)
    m = kind.frame * 1.55
    (x0, y0, z0), (x1, y1, z1) = low, high
    if min(x1 - x0, y1 - y0) > 2.6 * m:
        b.box(link, kind.inset, (x0 + m, y0 + m, (z0 + z1) / 2), (x1 - m, y1 - m, z1))


def _double(b: Builder, link: int, kind: Leaf, low: Corner, high: Corner) -> None:
    _framed(b, link, kind, low, high)
    (x0, y0, z0), (x1, y1, z1) = low, high
    f, y = kind.frame, y0 + 0.42 * (y1 - y0)
    b.box(link, kind.look, (x0 + f - BITE, y - f / 2, z0), (x1 - f + BITE, y + f / 2, z1))


def _muntin(b: Builder, link: int, kind: Leaf, low: Corner, high: Corner) -> None:
    _framed(b, link, kind, low, high)
    (x0, y0, z0), (x1, y1, z1) = low, high
    f, t = kind.frame, 0.16 * kind.frame + 0.002
    rows = 3 if y1 - y0 > 1.6 * (x1 - x0) else 2
    b.box(link, kind.look, ((x0 + x1) / 2 - t, y0 + f - BITE, z0), ((x0 + x1) / 2 + t, y1 - f + BITE, z1))
    for i in range(1, rows):
        y = y0 + (y1 - y0) * i / rows
        b.box(link, kind.look, (x0 + f - BITE, y - t, z0), (x1 - f + BITE, y + t, z1))


def _planks(b: Builder, link: int, kind: Leaf, low: Corner, high: Corner) -> None:
    """Upright boards with grooves between them."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    count = max(2, min(6, round((x1 - x0) / 0.11)))
    step, groove = (x1 - x0) / count, min(0.006, 0.05 * (x1 - x0) / count)
    b.box(link, kind.inset, low, (x1, y1, z1 - 0.3 * (z1 - z0)))
    for i in range(count):
        b.box(link, kind.look, (x0 + i * step + groove * (i > 0), y0, z0), (x0 + (i + 1) * step - groove, y1, z1))


def _louvre(b: Builder, link: int, kind: Leaf, low: Corner, high: Corner) -> None:
    """Slanting slats in a frame, in front of a thin back that keeps the picture closed."""
    (x0, y0, z0), (x1, y1, z1) = _rails(b, link, kind, low, high)
    b.box(link, kind.inset, (x0, y0, z0), (x1, y1, (z0 + z1) / 2))
    count = max(3, min(7, round((y1 - y0) / 0.06)))
    step = (y1 - y0) / count
    for i in range(count):
        y = y0 + (i + 0.5) * step
        b.box(link, kind.look, (x0, y - 0.42 * step, z1 - 0.001), (x1, y + 0.42 * step, z1 + 0.0015), ("x", 0.07))


def _inlay(b: Builder, link: int, kind: Leaf, low: Corner, high: Corner) -> None:
    b.box(link, kind.look, low, high)
    f = kind.frame
    (x0, y0, _), (x1, y1, z1) = low, high
    b.box(link, kind.inset, (x0 + f, y0 + f, z1 - 0.004), (x1 - f, y1 - f, z1 + 0.002))


STYLES: dict[str, Callable[[Builder, int, Leaf, Corner, Corner], None]] = {
    "slab": _slab, "soft": _soft, "shaker": _framed, "raised": _raised, "planks": _planks, "louvre": _louvre,
    "glass": _framed, "muntin": _muntin, "mesh": _framed, "inlay": _inlay, "double": _double,
}  # fmt: skip


def wire(look: Look) -> Look:
    """The look of a mesh made of `look`."""
    dark = (0.16, 0.16, 0.17)
    return replace(look, words=f"{look.words} mesh", pattern=Pattern.SLATS, accent=dark, scale=70.0)
