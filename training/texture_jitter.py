"""The mistakes of the stages before: soft, shifted, dull or tinted pictures, misplaced and bumpy meshes."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as fn
from torch import Tensor

from services.texture.observation import View

BLUR_RADIUS = 4
"""Reach of the blur kernel [pixel]."""

MAX_BLUR = 2.5
"""Largest standard deviation of a picture's blur [pixel]."""

AFFECTED = 0.5
"""Share of parts that each kind of mistake befalls, but for blur and tint, which all have more or less of."""

# The tint's sizes were measured on 14 validation objects: an editor's pictures against the true ones, over the pixels
# that both cover. It leaves in some of the photograph's light, takes out too much, or takes paint for light.

GAIN = 0.12
"""Standard deviation of the logarithm of a picture's brightness; objects 0.08, parts 0.14."""

CAST = 0.08
"""Standard deviation of the logarithm of one channel's brightness beside the others'; 0.02 to 0.1, blue the most."""

DULLNESS = 0.4
"""Loss of saturation, half normal; seven tenths of it remain on average, in the dullest tenth about a third."""

ALIKE = 0.6
"""How far an object's tint correlates with its parts', which have the same light; 0.4 for green to 0.8 for blue."""


def spoil_view(view: View, painted: Tensor, generator: torch.Generator) -> View:
    """Tint, blur, shift and add noise, for object image and part image separately; the photograph is the user's.

    Args:
        painted: (B,) bool, the parts whose pictures come from the image editor; its mistakes are on them already.
    """
    batch, device = len(painted), painted.device
    alike, *apart = torch.randn(3, batch, 5, generator=generator, device=device)
    object_tint, part_tint = (ALIKE**0.5 * alike + (1 - ALIKE) ** 0.5 * own for own in apart)
    kept = painted[:, None, None, None]
    object_image = _spoil(_tinted(view.object_image, object_tint), 0.01, generator)
    part_image = _spoil(_tinted(view.part_image, part_tint), 0.03, generator)
    return replace(
        view,
        object_image=torch.where(kept, view.object_image, object_image),
        part_image=torch.where(kept, view.part_image, part_image),
    )


def spoil_surface(
    view: View, surfaces: list[tuple[Tensor, Tensor]], generator: torch.Generator
) -> tuple[View, list[tuple[Tensor, Tensor]]]:
    """Misplace and rescale parts, and roughen their normals, as predicted meshes are.

    Args:
        view: B parts; the box follows the points.
        surfaces: points (B, N, 3) and normals (B, N, 3), any number of samples of the same parts.
    """
    batch = len(view.box)
    device = view.box.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=device)

    affected = _some(batch, generator, device)[:, None]
    scale, shift = 1 + 0.03 * normal(batch, 3) * affected, 0.02 * normal(batch, 3) * affected
    rough = 0.15 * _some(batch, generator, device)[:, None, None]
    center, half = view.box.split(3, -1)
    moved = []
    for points, normals in surfaces:
        placed = (points - center[:, None]) * scale[:, None] + (center + shift)[:, None]
        moved.append((placed, fn.normalize(normals + rough * normal(*normals.shape), dim=-1)))
    return replace(view, box=torch.cat([center + shift, half * scale], -1)), moved


def _tinted(images: Tensor, tint: Tensor) -> Tensor:
    """(B, 3, S, S) in [0, 1], in wrong colours where something is drawn; the white around it stays.

    Args:
        tint: (B, 5) standard normal: brightness, red, green, blue, dullness.
    """
    gain, cast, dullness = tint[:, :, None, None].split([1, 3, 1], 1)
    grey = images.mean(1, keepdim=True)
    colours = grey + (images - grey) * (1 - DULLNESS * dullness.abs()).clamp(min=0)
    drawn = (images < 1).any(1, keepdim=True)
    return torch.where(drawn, colours * (GAIN * gain + CAST * cast).exp(), images).clamp(0, 1)


def _spoil(images: Tensor, shift: float, generator: torch.Generator) -> Tensor:
    """(B, 3, S, S) in [0, 1], each part with its own mistakes; `shift` in halves of the picture."""
    batch, device = len(images), images.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=device)

    affected = _some(batch, generator, device)
    theta = torch.eye(2, 3, device=device).repeat(batch, 1, 1)
    theta[:, :, 2] = shift * normal(batch, 2) * affected[:, None]
    theta[:, 0, 0] += shift * normal(batch) * affected
    theta[:, 1, 1] += shift * normal(batch) * affected
    grid = fn.affine_grid(theta, list(images.shape), align_corners=False)
    images = fn.grid_sample(images, grid, padding_mode="border", align_corners=False)
    images = _blur(images, MAX_BLUR * torch.rand(batch, generator=generator, device=device))
    noise = 0.02 * normal(*images.shape) * _some(batch, generator, device)[:, None, None, None]
    return (images + noise).clamp(0, 1)


def _blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur with a standard deviation (B,) [pixel] for every picture."""
    batch, channels = images.shape[:2]
    reach = torch.arange(-BLUR_RADIUS, BLUR_RADIUS + 1, device=images.device)
    kernel = (-(reach**2) / (2 * sigma.clamp(min=0.05)[:, None] ** 2)).softmax(-1)
    kernel = kernel[:, None].expand(-1, channels, -1).reshape(batch * channels, 1, 1, -1)
    stacked = images.reshape(1, batch * channels, *images.shape[2:])
    for turned in (kernel, kernel.transpose(2, 3)):
        pad = (BLUR_RADIUS, BLUR_RADIUS, 0, 0) if turned.shape[-1] > 1 else (0, 0, BLUR_RADIUS, BLUR_RADIUS)
        stacked = fn.conv2d(fn.pad(stacked, pad, mode="replicate"), turned, groups=batch * channels)
    return stacked.view_as(images)


def _some(batch: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """(B,) 1 for a random AFFECTED of the parts, else 0."""
    return (torch.rand(batch, generator=generator, device=device) < AFFECTED).float()
