"""White bars, as the gateway adds them to a picture that is not square."""

from __future__ import annotations

import torch
from torch import Tensor

SHARE = 0.25
"""Of pictures that get bars; most photographs of users are 4 to 3 or 3 to 2."""
WIDEST = 0.22
"""Of the side, for one bar: a photograph of 16 to 9."""
LANDSCAPE = 0.65
"""Share of bars above and below; the others are left and right."""


def letterbox(pictures: Tensor, free: Tensor, generator: torch.Generator) -> Tensor:
    """Some of the pictures with two equal bars; the camera stays what it was.

    Args:
        pictures: (B, S, S, 3) sRGB in [0, 1].
        free: (B, S, S) bool, what bars may cover.
        generator: on the pictures' device.
    """
    count, size = free.shape[:2]
    device = pictures.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator, device=device)

    ticks = torch.arange(size, device=device)
    edge = torch.minimum(ticks, size - 1 - ticks)
    lying = uniform(1) < LANDSCAPE
    taken = ~torch.where(lying, free.all(2), free.all(1))
    room = torch.where(taken, edge, size).amin(1, keepdim=True).clamp(max=int(WIDEST * size))
    bar = room * (0.3 + 0.7 * uniform(1)) * (uniform(1) < SHARE)
    covered = edge < bar
    white = torch.where(lying[..., None], covered[:, :, None], covered[:, None])
    return torch.where(white[..., None], 1.0, pictures)
