"""Pictures back onto the surface that they show, and colours for what none of them shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn.functional import max_pool2d

from services.texture.observation import sample
from services.texture.projection import behind

MIN_COSINE = 0.2
"""A surface that faces a picture less than this is smeared over too few pixels to be read there."""

SHARPNESS = 3
"""Power of the cosine by which a picture that a surface faces outweighs others."""

EDGE = 5
"""Side, in pixels, of the window around a pixel in which the drawn surface may not end: there colours bleed."""

STEEP = 3**0.5
"""Slope from which on a surface counts as ending: 60 degrees; other views show it better."""

TOLERANCE = 0.01
"""Depth allowed behind the drawn surface, in model units, where it faces the picture."""

NEIGHBOURS = 8
NORMAL_WEIGHT = 2.0
"""Distance, in model units, that a normal turned by 60 degrees counts as: about as much as the object is long."""

MAX_KNOWN = 20_000
"""Points among which the nearest are looked for."""


@dataclass(frozen=True)
class Sight:
    """P pictures of N surface points.

    Attributes:
        pictures: (P, 3, H, W) in [0, 1].
        depth: (P, S, S) of the nearest surface at each pixel, infinite where empty.
        image: (P, N, 2) picture coordinates of the points.
        point_depth: (P, N).
        cosine: (P, N) between the outward normal and the direction to the viewer.
        pixel: (P, N) or (P, 1) side of a pixel of `depth` at the points, in model units.
    """

    pictures: Tensor
    depth: Tensor
    image: Tensor
    point_depth: Tensor
    cosine: Tensor
    pixel: Tensor

    def weights(self) -> Tensor:
        """(P, N) how much each picture knows of each point; 0 where it does not show it."""
        slope = (1 - self.cosine**2).clamp(min=0).sqrt() / self.cosine.clamp(min=MIN_COSINE)
        before = behind(self.image, self.point_depth, self.depth) <= TOLERANCE + self.pixel * slope
        shown = before & (self.image.abs() <= 1).all(-1) & (self.cosine >= MIN_COSINE)
        return torch.where(shown, self.cosine.clamp(min=0) ** SHARPNESS, 0.0)

    def colors(self) -> tuple[Tensor, Tensor]:
        """(N, 3) mean of what the pictures show, and (N,) whether any shows the point."""
        weights = self.weights()
        total = weights.sum(0)
        mean = (sample(self.pictures, self.image) * weights[..., None]).sum(0) / total.clamp(min=1e-9)[:, None]
        return mean, total > 0


def cleaned(pictures: Tensor, depth: Tensor, pixel: float) -> Tensor:
    """Pictures whose pixels at an outline of the drawn surface, and off it, take the colour of the nearest inside.

    A painted outline is soft and never quite where the mesh has it.

    Args:
        pictures: (P, 3, S, S).
        depth: (P, S, S) of the surface that they show, infinite where empty.
        pixel: side of a pixel in model units.
    """
    far = max_pool2d(depth[:, None], EDGE, 1, EDGE // 2)[:, 0]
    near = -max_pool2d(-depth[:, None], EDGE, 1, EDGE // 2)[:, 0]
    inside = depth.isfinite() & (far - near <= EDGE * pixel * STEEP)
    clean = pictures.clone()
    for own, trusted in zip(clean, inside, strict=True):
        if trusted.any():
            rows, columns = distance_transform_edt(~trusted.cpu().numpy(), return_distances=False, return_indices=True)
            own.copy_(own[:, torch.as_tensor(rows).to(own.device), torch.as_tensor(columns).to(own.device)])
    return clean


def colored(points: Tensor, normals: Tensor, sights: Sequence[Sight], spare: Tensor) -> Tensor:
    """Colours of a part's surface points: from the first sight that shows them, else from points nearby.

    Args:
        points: (N, 3).
        normals: (N, 3) outward, unit.
        sights: in order of trust.
        spare: (3,) colour where no point is shown at all.

    Returns:
        (N, 3).
    """
    colors = points.new_zeros(len(points), 3)
    known = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    for sight in sights:
        found, shown = sight.colors()
        fresh = shown & ~known
        colors[fresh] = found[fresh].to(colors)
        known |= shown
    if not known.any():
        return spare.to(colors).expand(len(points), 3)
    if not known.all():
        colors[~known] = _spread(points, normals, colors, known)
    return colors


def _spread(points: Tensor, normals: Tensor, colors: Tensor, known: Tensor) -> Tensor:
    """(M, 3) for the unknown points: mean of the nearest known ones that face the same way, by inverse distance."""
    keys = torch.cat([points, NORMAL_WEIGHT * normals], 1).cpu().numpy()
    chosen = known.nonzero()[:, 0]
    chosen = chosen[:: len(chosen) // MAX_KNOWN + 1]
    count = min(NEIGHBOURS, len(chosen))
    distance, index = cKDTree(keys[chosen.cpu().numpy()]).query(keys[~known.cpu().numpy()], k=count)
    share = 1 / np.maximum(distance.reshape(-1, count), 1e-6)
    share /= share.sum(1, keepdims=True)
    values = colors[chosen].cpu().numpy()[index.reshape(-1, count)]
    return torch.as_tensor((values * share[..., None]).sum(1)).to(colors)
