"""What the optimiser minimises: distance between pictures, one number a hypothesis.

Every term is compared on an image pyramid: coarse levels feel an outline that is many pixels away.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

ORDER_SCALE = 0.05
"""Depth by which a part is behind another one at which half of the order's loss is reached [model units]."""

SMOOTH = 0.03
"""Differences far below this count squared, far above it linearly [of the colour range]."""


@dataclass(frozen=True)
class Weights:
    """Share of each term in the loss.

    Attributes:
        silhouette: squared difference of coverage, over the target's covered area.
        colour: robust difference of colour on white.
        edges: robust difference of the pictures' gradients; blind to a change of brightness.
        masks: squared difference of the share of pixels that show a part, over the target's covered area, added up over
            parts.
        order: share of the covered area where a part is behind one that it should be in front of.
    """

    silhouette: float = 1.0
    colour: float = 1.0
    edges: float = 0.5
    masks: float = 1.0
    order: float = 1.0


def picture_loss(picture: Tensor, target: Tensor, weights: Weights, levels: int = 4) -> Tensor:
    """Distance of rendered pictures from a target.

    Args:
        picture: (B, S, S, 4 + M) colour times coverage, coverage, and the shares of M parts.
        target: (S, S, 4 + M) colour on white, coverage, and the shares of M parts.
        weights: shares of the terms.
        levels: pyramid levels, each half as wide as the one before.

    Returns:
        (B,) loss.
    """
    colour = picture[..., :3] + 1 - picture[..., 3:4]
    ours = torch.cat([colour, picture[..., 3:]], -1).permute(0, 3, 1, 2)
    theirs = target[None].permute(0, 3, 1, 2)
    total = torch.zeros(len(picture), device=picture.device, dtype=picture.dtype)
    for level in range(levels):
        if level:
            ours, theirs = F.avg_pool2d(ours, 2), F.avg_pool2d(theirs, 2)
        outside = (ours[:, 3:] - theirs[:, 3:]).square().mean((2, 3))
        total = total + weights.silhouette * outside[:, 0] + weights.masks * outside[:, 1:].sum(1)
        total = total + weights.colour * robust(ours[:, :3] - theirs[:, :3]).mean((1, 2, 3))
        if weights.edges and level < 2:
            for dim in (2, 3):
                difference = ours[:, :3].diff(dim=dim) - theirs[:, :3].diff(dim=dim)
                total = total + weights.edges * robust(difference).mean((1, 2, 3))
    return total / (levels * covered(target))


def order_loss(nearer: Tensor, farther: Tensor, target: Tensor) -> Tensor:
    """Share of the covered area where a part is behind one that it should be in front of.

    Args:
        nearer: (B, S, S, 2) depth times coverage of the part that should be in front, drawn alone, and its coverage.
        farther: the same of the other part.
        target: (S, S, 4 + M) as of `picture_loss`.

    Returns:
        (B,) loss, where parts are level 0; it saturates with the depth between the parts.
    """
    both = nearer[..., 1] * farther[..., 1]
    one, two = (part[..., 0] / part[..., 1].clamp(min=1e-6) for part in (nearer, farther))
    behind = (one - two).clamp(min=0)
    return (both * behind / (behind + ORDER_SCALE)).mean((1, 2)) / covered(target)


def covered(target: Tensor) -> Tensor:
    """() share of a target's pixels that show the object."""
    return target[..., 3].mean().clamp(min=1e-3)


def robust(difference: Tensor) -> Tensor:
    """Charbonnier penalty: |x| rounded off at 0, 0 at 0."""
    return (difference.square() + SMOOTH**2).sqrt() - SMOOTH
