"""Procedural colour: a pure function of a point in a primitive's own frame, so that it sticks to the surface.

A pattern mixes a look's `base` and `accent`. Its coordinates run along the grain, across it and through it, counted in
`Look.scale` repeats a metre: year rings for WOOD, strips for SLATS, boards for PLANKS, squares for TILE, threads for
FABRIC, veins for MARBLE, grains for the others.

| pattern | for | scale |
| --- | --- | --- |
| PAINT | lacquer, enamel, wall paint, rubber | 4-8 |
| PLASTIC | mouldings, buttons, knobs | 100-300 |
| WOOD | boards, veneer, tops | 20-30 |
| BRUSHED | steel, brass, copper fronts | 60-120 |
| POLISHED | chrome, mirror-like handles and taps | any |
| GLASS | panes; one sees through them | any |
| STONE, MARBLE, CONCRETE | tops, basins, floors | 20-60, 2-5, 2-5 |
| TILE, PLANKS, FABRIC | floors, walls, upholstery | 2-6, 6-12, 60-150 |
| SLATS, KEYPAD | grilles and drums, control panels | strips a metre, any |
| LAMP | windows of a room, lit panels | any |

Each solid is worn by its own share: paint and wood are rubbed off at edges and scratched.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from training.noise import vector_noise
from training.primitives import Pattern

_CELLS = {
    Pattern.PAINT: (0.6, 0.25, 2.0, 2.0),
    Pattern.WOOD: (0.08, 0.25, 0.24, 4.0),
    Pattern.BRUSHED: (0.6, 0.25, 0.12, 2.0),
    Pattern.STONE: (1.0, 1.0, 2.0, 2.0),
    Pattern.MARBLE: (0.6, 0.6, 2.2, 2.2),
    Pattern.TILE: (0.6, 1.0, 12.0, 12.0),
    Pattern.PLANKS: (0.35, 0.6, 0.84, 14.0),
}
"""Cells of coarse noise along and across the grain, and of fine noise, a repeat; the others are as PAINT."""
_WORN = (Pattern.WOOD, Pattern.PAINT, Pattern.PLASTIC)
EDGE = 0.01
"""Width [model units] of a worn edge."""


def albedo(look: Tensor, local: Tensor, extent: Tensor) -> Tensor:
    """Base colour of surface points.

    Args:
        look: (..., 11) as `training.primitives.LOOK_CHANNELS` says.
        local: (..., 3) points in their primitive's frame.
        extent: (..., 3) the primitive's size.

    Returns:
        (..., 3) sRGB in [0, 1].
    """
    base, accent = look[..., 0:3], look[..., 3:6]
    pattern, phase = look[..., 6], look[..., 8]
    along, across, third = (value * look[..., 7] for value in grain_frame(local, look[..., 9]))
    along, across, third = along + 3.7 * phase, across + 7.9 * phase, third + 5.3 * phase

    depth = local.abs() - extent
    free = grain_frame((depth < depth.amax(-1, keepdim=True)).to(local.dtype), look[..., 9])
    board = among(pattern, Pattern.PLANKS)
    row, column = across.floor(), third.floor()
    shift = (row * 0.618 + column * 0.414) * board
    coarse_along, coarse_across, fine_along, fine_across = constants(pattern, _CELL_ROWS)
    coarse, blotch, _ = vector_noise(
        along * coarse_along + 31 * shift, across * coarse_across + 17 * shift, third * coarse_across
    )
    fine, grit, tone = vector_noise(along * fine_along + 13 * shift, across * fine_across, third * fine_across)

    zoom = 1 + 4.0 * board
    wood = _wood(along, across * zoom, third * zoom, coarse, fine, phase + shift * 40) * (1 - 0.3 * board)
    mix = choose(
        pattern,
        coarse,
        {
            Pattern.WOOD: wood,
            Pattern.PLANKS: 0.6 * wood + 0.5 * _fraction(7.13 * (row + 3 * column) + 0.37 * phase),
            Pattern.BRUSHED: 0.25 + 0.5 * fine,
            Pattern.POLISHED: 0.1 * coarse,
            Pattern.GLASS: 0.3 * coarse,
            Pattern.PLASTIC: 0.5 * fine + 0.2 * coarse,
            Pattern.STONE: ((fine * 1.6 - 0.5).clamp(0, 1) * 0.7 + coarse * 0.5) * (0.6 + 0.8 * (grit > 0.7)),
            Pattern.MARBLE: (1 - (2 * (0.75 * coarse + 0.25 * fine) - 1).abs() * 5).clamp(0, 1) * (0.3 + 0.7 * blotch)
            + 0.15 * blotch,
            Pattern.SLATS: ((along * 6.2832).sin() * 6).clamp(-1, 1) * 0.5 + 0.5,
            Pattern.TILE: 0.35 * fine * coarse + 0.25 * _fraction(3.71 * along.floor() + 5.97 * row + 1.7 * column),
            Pattern.FABRIC: 0.5
            + 0.25 * (along * 6.2832).sin() * ((across + third) * 6.2832).sin()
            + 0.5 * (grit - 0.5),
            Pattern.CONCRETE: 0.6 * coarse + 0.4 * blotch * fine,
            Pattern.KEYPAD: _keypad(local[..., 0], local[..., 1], extent),
        },
    )
    color = torch.lerp(base, accent, mix.clamp(0, 1)[..., None])
    color = color * (1 - 0.75 * _joints((along, across, third), free, pattern, shift)[..., None])
    return _worn(color, depth, tone, blotch, fine, pattern, phase).clamp(0, 1)


def grain_frame(vector: Tensor, axis: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Coordinates (...) of vectors (..., 3) along the grain axis (...) and along the next two axes."""
    x, y, z = vector.unbind(-1)
    first, second = axis == 0, axis == 1
    return (
        torch.where(first, x, torch.where(second, y, z)),
        torch.where(first, y, torch.where(second, z, x)),
        torch.where(first, z, torch.where(second, x, y)),
    )


def rows_of(values: Mapping[Pattern, tuple[float, ...]]) -> list[tuple[float, ...]]:
    """Constants of all patterns in turn; a pattern that has none takes those of PAINT."""
    return [values.get(kind, values[Pattern.PAINT]) for kind in Pattern]


def constants(pattern: Tensor, rows: list[tuple[float, ...]]) -> tuple[Tensor, ...]:
    """Constants (...) of each point's pattern (...), from `rows_of`."""
    return torch.tensor(rows, dtype=pattern.dtype, device=pattern.device)[pattern.long()].unbind(-1)


def choose(pattern: Tensor, default: Tensor, values: Mapping[Pattern, Tensor]) -> Tensor:
    """(...) the value of each point's pattern (...), `default` where none is given."""
    out = default
    for kind, value in values.items():
        out = torch.where(among(pattern, kind), value, out)
    return out


def among(pattern: Tensor, *kinds: Pattern) -> Tensor:
    """(...) bool, True where the pattern is one of `kinds`."""
    # A compiled comparison with an enumeration's member, not its value, is always False.
    out = pattern == kinds[0].value
    for kind in kinds[1:]:
        out = out | (pattern == kind.value)
    return out


def _fraction(value: Tensor) -> Tensor:
    return value - value.floor()


def _wood(along: Tensor, across: Tensor, third: Tensor, coarse: Tensor, fine: Tensor, phase: Tensor) -> Tensor:
    """Year rings about a pith beside the board, wavy along the grain, and fibres; 1 is dark late wood."""
    pith = 4 + 3 * (phase * 2.3).sin()
    radius = ((across % 40 - pith) ** 2 + (third % 40 - 2 * pith) ** 2 + 0.1).sqrt()
    ring = _fraction(0.7 * radius + 1.8 * coarse + 0.02 * along)
    late = ring * ring * ((1 - ring) * 7).clamp(max=1)
    return 0.75 * late + 0.5 * (fine - 0.5) + 0.25 * coarse


def _joints(grain: tuple[Tensor, Tensor, Tensor], free: tuple[Tensor, ...], pattern: Tensor, shift: Tensor) -> Tensor:
    """1 in the joints between boards and tiles."""
    dark = torch.zeros_like(pattern)
    tile, board = among(pattern, Pattern.TILE), among(pattern, Pattern.PLANKS)
    for index, (value, inside) in enumerate(zip(grain, free, strict=True)):
        value = torch.where(board, value * 0.12 + 7 * shift, value) if index == 0 else value
        gap = 0.5 - (_fraction(value) - 0.5).abs()
        width = torch.where(tile, 0.025, 0.0035 if index == 0 else 0.03)
        dark = torch.maximum(dark, (gap < width) * inside)
    return dark * torch.where(tile, 0.45, 0.7) * (tile | board)


def _worn(
    color: Tensor, depth: Tensor, tone: Tensor, blotch: Tensor, fine: Tensor, pattern: Tensor, phase: Tensor
) -> Tensor:
    """Rub paint off at edges and darken stains, more on some solids than on others."""
    age = _fraction(phase * 1.618) ** 3 * among(pattern, *_WORN)
    x, y, z = depth.abs().unbind(-1)
    second = torch.maximum(torch.minimum(x, y), torch.minimum(torch.maximum(x, y), z))
    edge = (-second / EDGE).exp() * (2 * tone - 0.5).clamp(0, 1)
    rubbed = torch.lerp(color, 0.45 * color + 0.42, (age * edge)[..., None])
    scratch = ((fine - 0.93) * 20).clamp(0, 1) * (blotch > 0.6) * 0.4
    stain = (blotch - 0.75).clamp(min=0) * 0.5
    return torch.lerp(rubbed * (1 - (age * stain)[..., None]), rubbed * 0.6 + 0.3, (age * scratch)[..., None])


def _keypad(x: Tensor, y: Tensor, extent: Tensor) -> Tensor:
    """1 on the display and the buttons of a control panel; a wide one is laid out from left to right."""
    wide = extent[..., 0] > 1.5 * extent[..., 1]
    x, y = x / extent[..., 0], y / extent[..., 1]
    u, v = torch.where(wide, y, x), torch.where(wide, -x, y)
    display = ((u.abs() < 0.75) & (v > 0.55) & (v < 0.85)).float() * 0.6
    column, row = (u + 0.9) / 0.6, (v + 0.9) / 0.26
    inside = (column >= 0) & (column < 3) & (row >= 0) & (row < 5)
    button = ((column - column.floor() - 0.5).abs() < 0.32) & ((row - row.floor() - 0.5).abs() < 0.32)
    return torch.maximum(display, (inside & button).float())


_CELL_ROWS = rows_of(_CELLS)
