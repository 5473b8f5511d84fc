"""What JPEG compression leaves of a picture, as a batch of matrix products."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), *((99,) * 8 for _ in range(4)),
)  # fmt: skip
"""Quantisation of the examples in ITU-T T.81, annex K."""
_YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))
_COSINES = tuple(
    tuple(math.sqrt((1 if k == 0 else 2) / 8) * math.cos(math.pi * (n + 0.5) * k / 8) for n in range(8))
    for k in range(8)
)


def compressed(rgb: Tensor, quality: Tensor) -> Tensor:
    """Pictures (B, S, S, 3) in [0, 1] after JPEG with colour at half resolution.

    Args:
        quality: (B,) in [1, 100], as libjpeg counts.
    """
    size, device = rgb.shape[1], rgb.device
    image = (rgb @ torch.tensor(_YCBCR, device=device).T).movedim(-1, 1) * 255
    image = pad(image, (0, -size % 16, 0, -size % 16), mode="replicate")
    luma = _quantised(image[:, :1] - 128, quality, _LUMA) + 128
    chroma = _quantised(avg_pool2d(image[:, 1:], 2), quality, _CHROMA)
    image = torch.cat([luma, interpolate(chroma, scale_factor=2, mode="bilinear")], 1)
    image = image[:, :, :size, :size].movedim(1, -1) / 255
    return (image @ torch.tensor(_RGB, device=device).T).clamp(0, 1)


def _quantised(planes: Tensor, quality: Tensor, table: tuple[tuple[int, ...], ...]) -> Tensor:
    """(B, C, H, W) planes after rounding the cosine coefficients of their 8 x 8 blocks; H and W divide by 8."""
    basis = torch.tensor(_COSINES, device=planes.device)
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality) / 100
    steps = (torch.tensor(table, device=planes.device) * scale[:, None, None]).round().clamp(min=1)
    steps = steps[:, None, None, :, None, :]
    blocks = planes.unflatten(-1, (-1, 8)).unflatten(-3, (-1, 8))
    spectrum = torch.einsum("ka,bhracs,ls->bhrkcl", basis, blocks, basis)
    rounded = (spectrum / steps).round() * steps
    return torch.einsum("ka,bhrkcl,ls->bhracs", basis, rounded, basis).flatten(-2).flatten(-3, -2)
