"""Held-out colour error of the texture network beside two baselines, for seen and hidden points apart."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from services.texture.model import TextureModel
from services.texture.observation import IN_VIEW, View, observe
from training.texture_data import TextureData
from training.texture_jitter import spoil_surface, spoil_view

CONTEXT = slice(0, 256)
QUERIES = slice(256, 768)
BATCH = 64

Colorist = Callable[[View, Tensor, Tensor, Tensor, Tensor], Tensor]
"""View, points (B, N, 3), normals, context points (B, M, 3), context normals: colours (B, N, 3)."""


def nearest_visible(view: View, points: Tensor, normals: Tensor, context: Tensor, context_normals: Tensor) -> Tensor:
    """Baseline: the photograph's pixel at the nearest surface point that the camera sees."""
    candidates, candidate_normals = torch.cat([points, context], 1), torch.cat([normals, context_normals], 1)
    seen = observe(view, candidates, candidate_normals)
    trusted = seen.cues[..., IN_VIEW] > 0
    distance = torch.cdist(points, candidates).masked_fill(~trusted[:, None], torch.inf)
    chosen = distance.argmin(-1)
    return seen.colors[:, :, 0].take_along_dim(chosen[..., None], 1)


def mean_part_color(view: View, points: Tensor, normals: Tensor, context: Tensor, context_normals: Tensor) -> Tensor:
    """Baseline: one colour a part, the mean of its reference picture where the part is drawn."""
    mask = view.part_depth.isfinite()[:, None].float()
    mean = (view.part_image * mask).sum((2, 3)) / mask.sum((2, 3)).clamp(min=1)
    return mean[:, None].expand_as(points)


def colorists(model: TextureModel) -> dict[str, Colorist]:
    """The network and the baselines, by name."""
    return {"model": model, "nearest_visible": nearest_visible, "mean_part_color": mean_part_color}


def evaluate(methods: dict[str, Colorist], data: TextureData, spoiled: bool, seed: int = 0) -> dict[str, float]:
    """PSNR [dB] of base colours, sRGB, over all points of all parts.

    Args:
        methods: by name, as `colorists`.
        spoiled: add the mistakes of the stages before to surfaces, and to pictures that nobody painted.

    Returns:
        e.g. {"model_seen": 30.1, "model_hidden": ..., "nearest_visible_seen": ..., "mean_part_color_hidden": ...}
    """
    device = data.owner.device
    generator = torch.Generator(device).manual_seed(seed)
    totals = {name: torch.zeros(2, 2, device=device) for name in methods}
    with torch.inference_mode():
        for start in range(0, len(data), BATCH):
            index = torch.arange(start, min(start + BATCH, len(data)), device=device)
            view = data.view(index)
            context, context_normals, _, _ = data.surface(index, CONTEXT)
            points, normals, albedo, seen = data.surface(index, QUERIES)
            if spoiled:
                view = spoil_view(view, data.painted[data.owner[index]], generator)
                surfaces = [(points, normals), (context, context_normals)]
                view, ((points, normals), (context, context_normals)) = spoil_surface(view, surfaces, generator)
            groups = torch.stack([seen, ~seen], -1).float()
            for name, method in methods.items():
                colors = method(view, points, normals, context, context_normals).clamp(0, 1)
                error = (colors - albedo).square().mean(-1, keepdim=True)
                totals[name] += torch.stack([(error * groups).sum((0, 1)), groups.sum((0, 1))])
    return {
        f"{name}_{group}": float(-10 * torch.log10(total[0, column] / total[1, column].clamp(min=1)))
        for name, total in totals.items()
        for column, group in enumerate(("seen", "hidden"))
    }
