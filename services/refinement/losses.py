"""What the optimiser minimises: distance between pictures, one number a hypothesis.

Every term is compared on an image pyramid: coarse levels feel an outline that is many pixels away.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

SMOOTH = 0.03
"""Differences far below this count squared, far above it linearly [of the colour range]."""


@dataclass(frozen=True)
class Weights:
    """Share of each term in the loss.

    Attributes:
        silhouette: squared difference of coverage, over the target's covered area.
        colour: robust difference of colour on white.
        edges: robust difference of the pictures' gradients; blind to a change of brightness.
    """

    silhouette: float = 1.0
    colour: float = 1.0
    edges: float = 0.5


def picture_loss(rgba: Tensor, target: Tensor, weights: Weights, levels: int = 4) -> Tensor:
    """Distance of rendered pictures from a target.

    Args:
        rgba: (B, S, S, 4) colour times coverage, and coverage.
        target: (S, S, 4) colour on white, and coverage.
        weights: shares of the terms.
        levels: pyramid levels, each half as wide as the one before.

    Returns:
        (B,) loss.
    """
    coverage, wanted = rgba[..., 3:], target[None, ..., 3:]
    colour = rgba[..., :3] + 1 - coverage
    area = wanted.mean().clamp(min=1e-3)
    ours = torch.cat([colour, coverage], -1).permute(0, 3, 1, 2)
    theirs = target[None].permute(0, 3, 1, 2)
    total = torch.zeros(len(rgba), device=rgba.device, dtype=rgba.dtype)
    for level in range(levels):
        if level:
            ours, theirs = F.avg_pool2d(ours, 2), F.avg_pool2d(theirs, 2)
        total = total + weights.silhouette * (ours[:, 3:] - theirs[:, 3:]).square().mean((1, 2, 3))
        total = total + weights.colour * robust(ours[:, :3] - theirs[:, :3]).mean((1, 2, 3))
        if weights.edges and level < 2:
            for dim in (2, 3):
                difference = ours[:, :3].diff(dim=dim) - theirs[:, :3].diff(dim=dim)
                total = total + weights.edges * robust(difference).mean((1, 2, 3))
    return total / (levels * area)


def robust(difference: Tensor) -> Tensor:
    """Charbonnier penalty: |x| rounded off at 0, 0 at 0."""
    return (difference.square() + SMOOTH**2).sqrt() - SMOOTH
