"""What a camera and a file do to a picture: blur, colour cast, vignette, noise, lost resolution and compression."""

from __future__ import annotations

import torch
from torch import Tensor

from training.chance import Chance
from training.jpeg import compressed

DRAWS = 32
"""Random numbers an image that its development may take."""


def developed(rgb: Tensor, coverage: Tensor, table: Tensor, grain: Tensor) -> Tensor:
    """Photographs (B, S, S, 3) sRGB in [0, 1].

    Args:
        rgb: (B, S, S, 3) what the lens sees, sRGB in [0, 1].
        coverage: (B, S, S) share of each pixel that the object takes; the lens focuses on it.
        table: (B, `DRAWS`) uniform random numbers.
        grain: (B, S, S, 3) normal random numbers.
    """
    chance, size = Chance(table), rgb.shape[1]
    scale = size / 256
    defocus = chance.uniform(0.0, 3.0) * chance.likely(0.5) * scale
    rgb = _behind_blurred(rgb, coverage[..., None], _lens(size, defocus, torch.ones_like(defocus)))
    soft = chance.uniform(0.0, 0.9) * scale
    shake = chance.uniform(0.8, 1.6) * chance.likely(0.12) * scale
    sideways = chance.likely(0.5)
    detail = torch.where(chance.likely(0.25), chance.uniform(0.5, 0.95), 1.0)
    rows, columns = (
        _lens(size, (soft**2 + (shake * blurred) ** 2).sqrt(), detail) for blurred in (~sideways, sideways)
    )
    rgb = _through(rgb, rows, columns)

    ticks = torch.linspace(-1, 1, size, device=rgb.device)
    radius = (ticks[:, None] ** 2 + ticks[None, :] ** 2)[..., None]
    rgb = rgb * (1 - chance.uniform(0.0, 0.15, 1, 1, 1) * chance.likely(0.6)[:, None, None, None] * radius)
    ramp = torch.tensor([1.0, 0.0, -1.0], device=rgb.device)
    cast = 1 + chance.uniform(-0.07, 0.07, 1, 1, 1) * ramp + chance.uniform(-0.02, 0.02, 1, 1, 3)
    rgb = rgb * cast * chance.uniform(0.85, 1.12, 1, 1, 1)
    grey = rgb.mean(-1, keepdim=True)
    rgb = torch.lerp(grey, rgb, chance.uniform(0.7, 1.25, 1, 1, 1)).clamp(0, 1)
    curve = rgb * rgb * (3 - 2 * rgb)
    rgb = torch.lerp(rgb, curve, chance.uniform(-0.3, 0.5, 1, 1, 1))
    sensor, shot = chance.uniform(0.0, 0.015, 1, 1, 1), chance.uniform(0.0, 0.02, 1, 1, 1)
    rgb = rgb + grain * (sensor**2 + shot**2 * rgb.clamp(min=0)).sqrt()
    quality = torch.where(chance.likely(0.7), chance.uniform(40, 98), 100.0)
    return compressed(rgb.clamp(0, 1), quality)


def _behind_blurred(rgb: Tensor, coverage: Tensor, lens: Tensor) -> Tensor:
    """Blur what the object does not cover, without letting the object bleed into it."""
    behind = torch.cat([rgb * (1 - coverage), 1 - coverage], -1)
    blurred = _through(behind, lens, lens)
    filled = blurred[..., :3] / blurred[..., 3:].clamp(min=1e-4)
    return torch.lerp(filled, rgb, coverage)


def _through(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(B, S, S, C) image whose rows and columns are mixed by (B, S, S) matrices."""
    count, size = image.shape[:2]
    mixed = rows @ image.reshape(count, size, -1)
    mixed = columns @ mixed.reshape(count, size, size, -1).transpose(1, 2).reshape(count, size, -1)
    return mixed.reshape(count, size, size, -1).transpose(1, 2)


def _lens(size: int, sigma: Tensor, detail: Tensor) -> Tensor:
    """(B, S, S) rows of weights: Gaussian blur by sigma (B,) [pixel], then `detail` (B,) of the pixels are kept."""
    index = torch.arange(size, device=sigma.device, dtype=sigma.dtype)
    apart = (index[:, None] - index) / sigma.clamp(min=0.05)[:, None, None]
    blur = (-0.5 * apart * apart).exp()
    detail = detail[:, None, None]
    place = (index[:, None] + 0.5) * detail - 0.5
    last = (size * detail).round() - 1
    up = (1 - (torch.minimum(place.clamp(min=0), last) - index).abs()).clamp(min=0)
    low, high = index[:, None] / detail, (index[:, None] + 1) / detail
    down = (torch.minimum(high, index + 1) - torch.maximum(low, index)).clamp(min=0)
    mixed = up @ (down @ blur)
    return mixed / mixed.sum(-1, keepdim=True).clamp(min=1e-6)
