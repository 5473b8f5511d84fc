"""What the shape stage gets in service, made from the truth: pictures drawn by an editor, boxes planned by a VLM."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from services.part_dit.box_frame import MIN_HALF

MAX_PIXEL_NOISE = 0.1
"""Largest deviation of the noise on pixels in [-1, 1]."""

MAX_SHIFT, MAX_ZOOM = 0.02, 0.04
"""Deviation of a picture's place, as a fraction of its half side, and of its scale: a camera not quite the object's."""

WRONG_PART, MIRRORED, UNSEEN = 0.03, 0.02, 0.03
"""Shares of part pictures that show another part of the object, are turned round, or are empty."""

MAX_BOX_ERROR = 0.08
"""Largest deviation of a planned box's centre [model units]; an object's own is this times a square of chance."""

LOST_BOX, LOST_BOX_ERROR = 0.03, 0.15
"""Share of boxes that are far off, and their deviation."""

SIDE_ERROR = 2.0
"""Deviation of the logarithm of a half extent over that of a centre."""


def scale(images: Tensor) -> Tensor:
    """(..., S, S, 3) uint8 -> (N, 3, S, S) in [-1, 1], as the shipped feature extractor does."""
    return images.flatten(0, -4).permute(0, 3, 1, 2).float() / 127.5 - 1


def draw_again(pixels: Tensor) -> Tensor:
    """(N, 3, S, S) pictures -> softer, noisier and a little elsewhere: what an editor draws is no render."""
    count, device = len(pixels), pixels.device
    place = torch.eye(2, 3, device=device).repeat(count, 1, 1)
    place[:, :, :2] *= 1 + MAX_ZOOM * torch.randn(count, 1, 1, device=device)
    place[:, :, 2] = MAX_SHIFT * torch.randn(count, 2, device=device)
    place = torch.where((torch.rand(count, 1, 1, device=device) < 0.5), place, torch.eye(2, 3, device=device))
    grid = functional.affine_grid(place, list(pixels.shape), align_corners=False)
    moved = functional.grid_sample(pixels - 1, grid, mode="bilinear", align_corners=False) + 1
    strength = torch.rand(3, count, 1, 1, 1, device=device)
    for factor, share in ((2, strength[0]), (4, strength[1] ** 3)):
        small = functional.avg_pool2d(moved, factor)
        moved = moved.lerp(functional.interpolate(small, scale_factor=float(factor), mode="bilinear"), share)
    return moved + MAX_PIXEL_NOISE * strength[2] * torch.randn_like(moved)


def mistake_parts(images: Tensor) -> Tensor:
    """(B, K, S, S, 3) uint8 part pictures, some of them of another part, mirrored or empty."""
    batch, count = images.shape[:2]
    device = images.device
    own = torch.arange(count, device=device).expand(batch, count)
    other = torch.randint(count, (batch, count), device=device)
    chance = torch.rand(batch, count, device=device)
    shown = torch.where(chance < WRONG_PART, other, own)
    images = images.take_along_dim(shown[..., None, None, None], 1)
    mirrored = (chance > 1 - MIRRORED)[..., None, None, None]
    unseen = ((chance > 0.5) & (chance < 0.5 + UNSEEN))[..., None, None, None]
    return torch.where(mirrored, images.flip(3), images).masked_fill(unseen, 255)


def plan_errors(boxes: Tensor) -> Tensor:
    """(B, K, 6) true boxes -> as planned: moved, resized and, over the object, stretched; some far off."""
    batch, count = boxes.shape[:2]
    device = boxes.device
    error = MAX_BOX_ERROR * torch.rand(batch, 1, 1, device=device) ** 2
    lost = LOST_BOX_ERROR * (torch.rand(batch, count, 1, device=device) < LOST_BOX)
    stretch = (error * torch.randn(batch, 1, 3, device=device)).exp()
    center = boxes[..., :3] * stretch + torch.maximum(error, lost) * torch.randn(batch, count, 3, device=device)
    growth = (SIDE_ERROR * error * torch.randn(batch, count, 3, device=device)).exp()
    return torch.cat([center, (boxes[..., 3:] * stretch * growth).clamp(min=MIN_HALF)], dim=-1)
