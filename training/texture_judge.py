"""Whole unlit pictures of the coloured object from views in which it was not photographed, against the truth."""

from __future__ import annotations

import torch
from torch import Tensor

from training.library import Library
from training.render import render
from training.texture_data import TextureData
from training.texture_evaluate import CONTEXT, Colorist

TURNS = (torch.pi / 2, torch.pi, -torch.pi / 2)
"""How far the judge walks around the object from where it was photographed [rad]."""

ELEVATION = 0.35
"""From where the judge looks [rad]."""


def unseen_views(cameras: Tensor) -> Tensor:
    """(V, N, 6) the judge's cameras for objects photographed by (N, 6)."""
    views = cameras.repeat(len(TURNS), 1, 1)
    views[..., 0] += views.new_tensor(TURNS)[:, None]
    views[..., 1] = ELEVATION
    views[..., 4:] = 0.0
    return views


def unseen_psnr(colorist: Colorist, library: Library, rows: Tensor, data: TextureData, size: int) -> float:
    """PSNR [dB] of base colour over the object's pixels in unseen views, the mean over objects.

    Args:
        rows: (N,) objects in the library.
        data: pictures of them, and maybe of more objects after them.
        size: of the judge's pictures.
    """
    scene = library.scene(rows)
    closed = torch.zeros_like(scene.joint_upper)
    views = unseen_views(data.camera[: len(rows)])
    truths = [render(scene, cameras, closed, scene.link_valid, size) for cameras in views]
    link, position, normal, albedo = (
        torch.stack([getattr(truth, name) for truth in truths], 1) for name in ("link", "position", "normal", "albedo")
    )
    found = []
    with torch.inference_mode():
        for row in range(len(scene)):
            parts = (data.owner == row).nonzero()[:, 0]
            context, context_normals, _, _ = data.surface(parts, CONTEXT)
            shown = link[row] >= 0
            points, normals = (x[row][shown].expand(len(parts), -1, -1) for x in (position, normal))
            colors = colorist(data.view(parts), points, normals, context, context_normals).clamp(0, 1)
            own = colors.gather(0, link[row][shown][None, :, None].expand(1, -1, 3))[0]
            found.append(-10 * (own - albedo[row][shown]).square().mean().clamp(min=1e-6).log10())
    return float(torch.stack(found).mean())
