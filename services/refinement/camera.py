"""The camera of `articulation.camera` in torch: the same six numbers and conventions, differentiable and batched."""

from __future__ import annotations

import torch
from torch import Tensor


def rotation(camera: Tensor) -> Tensor:
    """(..., 6) camera -> (..., 3, 3) rows: right, up and backward directions in model space."""
    azimuth, elevation = camera[..., 0], camera[..., 1]
    sa, ca, se, ce = azimuth.sin(), azimuth.cos(), elevation.sin(), elevation.cos()
    zero = torch.zeros_like(sa)
    rows = [ca, zero, -sa, -sa * se, ce, -ca * se, sa * ce, se, ca * ce]
    matrix: Tensor = torch.stack(rows, -1).unflatten(-1, (3, 3))
    return matrix


def project(camera: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Project model-space points.

    Args:
        camera: (B, 6) azimuth, elevation [rad], distance [model units], fov [rad], shift u, shift v.
        points: (B, N, 3).

    Returns:
        (B, N, 2) normalised image coordinates (u right, v down), and (B, N) depth along the view direction.
    """
    axes = rotation(camera)
    local = points @ axes.transpose(-1, -2)
    depth = camera[:, None, 2] - local[..., 2]
    focal = 1 / torch.tan(camera[:, None, 3] / 2)
    u = focal * local[..., 0] / depth + camera[:, None, 4]
    v = -focal * local[..., 1] / depth + camera[:, None, 5]
    return torch.stack([u, v], -1), depth


def zoom(camera: Tensor, center: Tensor, half: float) -> Tensor:
    """The camera that sees a square window of the picture as its whole picture.

    Args:
        camera: (..., 6).
        center: (2,) middle of the window, normalised image coordinates.
        half: half of the window's side, in half image heights.

    Returns:
        (..., 6).
    """
    fov = 2 * torch.atan(half * torch.tan(camera[..., 3:4] / 2))
    return torch.cat([camera[..., :3], fov, (camera[..., 4:] - center) / half], -1)
