"""Procedural colour: a pure function of a point in a primitive's own frame, so that it sticks to the surface."""

from __future__ import annotations

import torch
from torch import Tensor

from training.primitives import Pattern


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
    pattern, scale, phase, axis = look[..., 6], look[..., 7], look[..., 8], look[..., 9]
    x, y, z = local.unbind(-1)
    along = torch.where(axis == 0, x, torch.where(axis == 1, y, z)) * scale
    across = torch.where(axis == 0, y, torch.where(axis == 1, z, x)) * scale
    third = torch.where(axis == 0, z, torch.where(axis == 1, x, y)) * scale

    wave = (1.3 * across + 0.17 * along + phase).sin() * (1.1 * third - 0.23 * along + 2 * phase).sin()
    rings = (across + 0.7 * third + 2.2 * (0.11 * along + phase).sin() + wave).sin()
    fibre = (9.0 * across + 7.0 * third + 1.5 * (0.5 * along + phase).sin()).sin()
    wood = 0.5 + 0.33 * rings + 0.17 * fibre
    streak = (11.0 * across + 9.0 * third + phase).sin() + (17.3 * across - 13.0 * third).sin()
    brushed = 0.5 + 0.25 * streak
    paint = 0.5 + 0.5 * wave
    sheen = ((x + y) * scale + phase).sin()
    glass = ((sheen - 0.3) * 4).clamp(0, 1)
    slats = ((along * 6.2832).sin() * 6).clamp(-1, 1) * 0.5 + 0.5
    stone = (0.5 + 0.5 * (3 * wave + rings).sin()) ** 2

    mix = paint
    for kind, value in (
        (Pattern.WOOD, wood),
        (Pattern.BRUSHED, brushed),
        (Pattern.GLASS, glass),
        (Pattern.STONE, stone),
        (Pattern.SLATS, slats),
        (Pattern.KEYPAD, _keypad(x, y, extent)),
    ):
        mix = torch.where(pattern == kind, value, mix)
    return torch.lerp(base, accent, mix[..., None])


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
