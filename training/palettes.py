"""Finishes by family. Each family has entries that training draws and entries that only the test split draws."""

from __future__ import annotations

from dataclasses import dataclass, replace

from articulation.typing import Array
from training.draw import Draw
from training.primitives import Look, Pattern

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Family:
    """Looks that may stand in for each other: `seen` in every split but test, `held_out` in test."""

    seen: tuple[Look, ...]
    held_out: tuple[Look, ...]


def _wood(words: str, base: Color, accent: Color) -> Look:
    return Look("wood", words, Pattern.WOOD, base, accent, scale=22.0, gloss=0.12)


def _paint(words: str, base: Color, material: str = "metal", gloss: float = 0.35) -> Look:
    accent = (base[0] * 0.93, base[1] * 0.93, base[2] * 0.93)
    return Look(material, words, Pattern.PAINT, base, accent, scale=6.0, gloss=gloss)


def _plastic(words: str, base: Color, gloss: float = 0.35) -> Look:
    accent = (base[0] * 0.9, base[1] * 0.9, base[2] * 0.9)
    return Look("plastic", words, Pattern.PLASTIC, base, accent, scale=200.0, gloss=gloss)


def _stone(words: str, pattern: Pattern, base: Color, accent: Color, scale: float) -> Look:
    return Look("stone", words, pattern, base, accent, scale, gloss=0.5)


def _brushed(words: str, base: Color) -> Look:
    accent = (base[0] * 0.8, base[1] * 0.8, base[2] * 0.8)
    return Look("metal", words, Pattern.BRUSHED, base, accent, scale=90.0, gloss=0.6)


def _glass(words: str, base: Color, accent: Color) -> Look:
    return Look("glass", words, Pattern.GLASS, base, accent, scale=3.0, gloss=0.9)


WOOD = Family(
    seen=(
        _wood("oak", (0.72, 0.54, 0.34), (0.60, 0.42, 0.24)),
        _wood("walnut", (0.42, 0.28, 0.19), (0.30, 0.19, 0.12)),
        _wood("pine", (0.86, 0.70, 0.48), (0.76, 0.57, 0.35)),
        _wood("beech", (0.80, 0.62, 0.45), (0.73, 0.54, 0.37)),
        _wood("mahogany", (0.48, 0.22, 0.14), (0.36, 0.14, 0.09)),
        _wood("grey ash", (0.62, 0.58, 0.53), (0.52, 0.48, 0.43)),
        _paint("white lacquered", (0.93, 0.93, 0.91), "wood"),
        _paint("sage green", (0.62, 0.69, 0.58), "wood", 0.15),
        _paint("navy blue", (0.16, 0.21, 0.34), "wood", 0.15),
        _paint("cream", (0.90, 0.85, 0.74), "wood", 0.15),
        _paint("charcoal", (0.20, 0.20, 0.21), "wood", 0.15),
    ),
    held_out=(
        _wood("cherry", (0.66, 0.36, 0.22), (0.55, 0.27, 0.15)),
        _wood("ebony", (0.24, 0.18, 0.15), (0.15, 0.11, 0.09)),
        _wood("birch", (0.90, 0.80, 0.64), (0.83, 0.71, 0.53)),
        _paint("terracotta", (0.73, 0.41, 0.31), "wood", 0.15),
        _paint("dusty blue", (0.51, 0.61, 0.70), "wood", 0.15),
    ),
)

STEEL = Family(
    seen=(
        _paint("grey steel", (0.55, 0.57, 0.58), gloss=0.3),
        _paint("black steel", (0.13, 0.13, 0.14), gloss=0.35),
        _paint("white steel", (0.90, 0.90, 0.89), gloss=0.3),
        _paint("red steel", (0.68, 0.12, 0.11), gloss=0.45),
        _paint("blue steel", (0.13, 0.27, 0.52), gloss=0.4),
        _brushed("stainless steel", (0.70, 0.71, 0.72)),
    ),
    held_out=(
        _paint("green steel", (0.25, 0.42, 0.31), gloss=0.3),
        _paint("orange steel", (0.85, 0.43, 0.12), gloss=0.4),
        _paint("sand steel", (0.78, 0.71, 0.58), gloss=0.3),
    ),
)
"""Lockers, filing and tool cabinets."""

APPLIANCE = Family(
    seen=(
        _paint("white", (0.94, 0.94, 0.94)),
        _paint("black", (0.10, 0.10, 0.11), gloss=0.5),
        _paint("cream", (0.91, 0.86, 0.75)),
        _paint("red", (0.66, 0.12, 0.12), gloss=0.5),
        _paint("mint", (0.63, 0.80, 0.72), gloss=0.4),
        _brushed("stainless steel", (0.72, 0.72, 0.72)),
        _brushed("dark steel", (0.38, 0.39, 0.40)),
        _paint("silver", (0.75, 0.76, 0.78), gloss=0.5),
    ),
    held_out=(
        _brushed("champagne steel", (0.76, 0.69, 0.58)),
        _paint("powder blue", (0.62, 0.74, 0.86), gloss=0.4),
        _paint("yellow", (0.89, 0.72, 0.25), gloss=0.4),
        _paint("graphite", (0.27, 0.29, 0.31), gloss=0.4),
    ),
)

SAFE = Family(
    seen=(
        _paint("black", (0.11, 0.11, 0.12), gloss=0.2),
        _paint("grey", (0.45, 0.46, 0.47), gloss=0.2),
        _paint("dark green", (0.17, 0.27, 0.21), gloss=0.2),
        _paint("beige", (0.75, 0.70, 0.60), gloss=0.2),
        _paint("blue-grey", (0.34, 0.40, 0.47), gloss=0.2),
        _paint("white", (0.88, 0.88, 0.87), gloss=0.2),
    ),
    held_out=(
        _paint("burgundy", (0.36, 0.11, 0.14), gloss=0.2),
        _paint("olive", (0.38, 0.38, 0.24), gloss=0.2),
        _paint("bronze", (0.50, 0.38, 0.24), gloss=0.4),
    ),
)

FITTING = Family(
    seen=(
        _brushed("steel", (0.74, 0.74, 0.75)),
        _paint("black", (0.08, 0.08, 0.09), gloss=0.4),
        _brushed("brass", (0.74, 0.58, 0.30)),
        Look("metal", "chrome", Pattern.POLISHED, (0.86, 0.87, 0.89), (0.6, 0.61, 0.63), 6.0, 0.95),
    ),
    held_out=(
        _brushed("copper", (0.75, 0.45, 0.32)),
        _brushed("gunmetal", (0.31, 0.32, 0.34)),
        Look("metal", "pewter", Pattern.POLISHED, (0.60, 0.59, 0.57), (0.45, 0.44, 0.42), 6.0, 0.8),
    ),
)

GLASS = Family(
    seen=(
        _glass("dark glass", (0.09, 0.10, 0.12), (0.20, 0.22, 0.25)),
        _glass("smoked glass", (0.20, 0.19, 0.18), (0.33, 0.32, 0.31)),
        _glass("pale glass", (0.62, 0.72, 0.74), (0.78, 0.86, 0.88)),
    ),
    held_out=(
        _glass("green glass", (0.32, 0.45, 0.40), (0.48, 0.60, 0.55)),
        _glass("blue glass", (0.20, 0.30, 0.42), (0.34, 0.45, 0.57)),
    ),
)

PANEL = Family(
    seen=(
        Look("plastic", "black", Pattern.KEYPAD, (0.09, 0.09, 0.10), (0.72, 0.74, 0.76), gloss=0.4),
        Look("plastic", "grey", Pattern.KEYPAD, (0.52, 0.53, 0.54), (0.88, 0.88, 0.88), gloss=0.3),
        Look("plastic", "white", Pattern.KEYPAD, (0.90, 0.90, 0.89), (0.35, 0.37, 0.40), gloss=0.3),
    ),
    held_out=(
        Look("plastic", "navy", Pattern.KEYPAD, (0.12, 0.16, 0.26), (0.80, 0.74, 0.55), gloss=0.4),
        Look("plastic", "sand", Pattern.KEYPAD, (0.76, 0.71, 0.62), (0.30, 0.26, 0.22), gloss=0.3),
    ),
)

CERAMIC = Family(
    seen=(
        _paint("white ceramic", (0.94, 0.94, 0.93), "ceramic", 0.7),
        _paint("ivory ceramic", (0.91, 0.88, 0.79), "ceramic", 0.7),
        _paint("grey ceramic", (0.70, 0.71, 0.72), "ceramic", 0.6),
        _paint("black ceramic", (0.10, 0.10, 0.11), "ceramic", 0.7),
    ),
    held_out=(
        _paint("pink ceramic", (0.86, 0.68, 0.66), "ceramic", 0.7),
        _paint("pale green ceramic", (0.70, 0.80, 0.70), "ceramic", 0.7),
    ),
)

SHELL = Family(
    seen=(
        _brushed("aluminium", (0.74, 0.75, 0.77)),
        _brushed("space grey", (0.36, 0.37, 0.39)),
        _plastic("black", (0.09, 0.09, 0.10), 0.25),
        _plastic("white", (0.91, 0.91, 0.91), 0.35),
        _plastic("dark blue", (0.12, 0.19, 0.36), 0.3),
        _plastic("red", (0.62, 0.11, 0.13), 0.4),
    ),
    held_out=(
        _brushed("rose gold", (0.80, 0.62, 0.56)),
        _plastic("teal", (0.10, 0.42, 0.43), 0.3),
        _plastic("mustard", (0.78, 0.60, 0.20), 0.3),
    ),
)
"""Cases of laptops and tool boxes."""

CARD = Family(
    seen=(
        _paint("cardboard", (0.70, 0.54, 0.37), "wood", 0.02),
        _paint("white card", (0.90, 0.89, 0.86), "wood", 0.05),
        _paint("grey card", (0.52, 0.51, 0.49), "wood", 0.03),
    ),
    held_out=(
        _paint("red card", (0.66, 0.20, 0.17), "wood", 0.05),
        _paint("green card", (0.32, 0.48, 0.36), "wood", 0.05),
    ),
)

TOP = Family(
    seen=(
        _stone("white marble", Pattern.MARBLE, (0.92, 0.91, 0.89), (0.55, 0.55, 0.56), 3.0),
        _stone("black granite", Pattern.STONE, (0.12, 0.12, 0.13), (0.42, 0.42, 0.43), 40.0),
        _stone("grey stone", Pattern.STONE, (0.58, 0.57, 0.55), (0.38, 0.37, 0.36), 40.0),
        _stone("concrete", Pattern.CONCRETE, (0.62, 0.61, 0.59), (0.50, 0.49, 0.48), 4.0),
    ),
    held_out=(
        _stone("green marble", Pattern.MARBLE, (0.20, 0.34, 0.28), (0.72, 0.78, 0.73), 3.0),
        _stone("red granite", Pattern.STONE, (0.46, 0.27, 0.23), (0.70, 0.56, 0.50), 40.0),
    ),
)
"""Worktops and table tops."""

CONTRAST = 0.15
"""Difference of brightness that is enough to see a handle."""

LINER = _plastic("white", (0.90, 0.91, 0.91), 0.25)
"""Interiors of appliances."""
CAVITY = _paint("grey", (0.63, 0.63, 0.62), "metal", 0.3)
"""Interiors of ovens and safes."""
RUBBER = Look("rubber", "black", Pattern.PAINT, (0.13, 0.13, 0.14), (0.11, 0.11, 0.12), 6.0, 0.05)
DRUM = Look("metal", "steel", Pattern.SLATS, (0.70, 0.71, 0.72), (0.55, 0.56, 0.57), 40.0, 0.6)


def finish(draw: Draw, family: Family) -> Look:
    """One look of the family, its colours and scale slightly varied."""
    look = draw.pool(family.seen, family.held_out)
    shift = draw.rng.normal(0.0, 0.02, 3) + draw.rng.normal(0.0, 0.03)
    return replace(
        look,
        base=_shifted(look.base, shift),
        accent=_shifted(look.accent, shift),
        scale=look.scale * draw.uniform(0.7, 1.4),
    )


def contrasting(draw: Draw, family: Family, behind: Look) -> Look:
    """One look of the family that stands out against what lies behind it, where the family has one."""
    level = _brightness(behind)
    return max((finish(draw, family) for _ in range(2)), key=lambda x: min(abs(_brightness(x) - level), CONTRAST))


def _brightness(look: Look) -> float:
    red, green, blue = look.base
    return 0.3 * red + 0.6 * green + 0.1 * blue


def plain(look: Look) -> Look:
    """The look without a pattern, e.g. a control panel without printed keys."""
    return replace(look, pattern=Pattern.PAINT, accent=look.base)


def _shifted(color: Color, shift: Array) -> Color:
    red, green, blue = (min(max(c + float(s), 0.02), 0.98) for c, s in zip(color, shift, strict=True))
    return red, green, blue
