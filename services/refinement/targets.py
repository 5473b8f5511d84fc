"""Target images as tensors: colour on white and a soft silhouette."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from articulation.typing import Array, ImageArray

BACKGROUND_BELOW = 0.03
FOREGROUND_ABOVE = 0.12
"""Distances from white between which coverage goes from 0 to 1."""

MARGIN = 0.3
"""Room around the object, as a part of its extent: hypotheses reach beyond it."""


@dataclass(frozen=True)
class Window:
    """A square of the picture around the object, closed and opened: small objects deserve all pixels.

    Attributes:
        center: (2,) in normalised image coordinates.
        half: half of its side, in half image heights.
    """

    center: Tensor
    half: float


@dataclass(frozen=True)
class Target:
    """One picture of the object on white.

    Attributes:
        rgba: (4, S, S) colour in [0, 1], composited on white, and coverage in [0, 1].
    """

    rgba: Tensor

    def at(self, size: int) -> Tensor:
        """(size, size, 4) area average."""
        return F.adaptive_avg_pool2d(self.rgba, size).permute(1, 2, 0)


def targets(
    closed: ImageArray, opened: ImageArray, device: torch.device, dtype: torch.dtype = torch.float32
) -> tuple[Target, Target, Window]:
    """Cut both pictures to one window around what they show.

    Args:
        closed: (S, S, 3) sRGB on white.
        opened: (R, R, 3) sRGB on white, of the same view.
        device: where the tensors live.
        dtype: their floating-point type.
    """
    size = len(closed)
    if len(opened) != size:
        opened = np.asarray(Image.fromarray(opened).resize((size, size), Image.Resampling.BOX))
    pictures = [picture.astype(np.float64) / 255 for picture in (closed, opened)]
    coverages = [soft_silhouette(picture) for picture in pictures]
    rows, columns = np.nonzero(np.maximum(*coverages) > 0.5)
    if len(rows) == 0:
        rows = columns = np.array([0, size - 1])
    middle = np.array([columns.min() + columns.max() + 1, rows.min() + rows.max() + 1]) / 2
    reach = max(np.ptp(rows), np.ptp(columns)) + 1
    side = int(min(np.ceil(reach * (1 + MARGIN)), size))
    left, top = (np.floor(np.clip(middle - side / 2, 0, size - side))).astype(int)

    def cut(rgb: Array, coverage: Array) -> Target:
        rgba = np.concatenate([rgb, coverage[..., None]], -1)[top : top + side, left : left + side]
        return Target(torch.as_tensor(rgba, device=device, dtype=dtype).permute(2, 0, 1))

    center = torch.tensor([left + side / 2, top + side / 2], device=device, dtype=dtype) / size * 2 - 1
    one, two = (cut(rgb, coverage) for rgb, coverage in zip(pictures, coverages, strict=True))
    return one, two, Window(center, side / size)


def soft_silhouette(rgb: Array) -> Array:
    """Coverage of the object in a picture on white.

    A pixel's distance from white is that of its farthest channel. Enclosed bright regions, e.g. highlights and white
    panels, count as object.

    Args:
        rgb: (H, W, 3) in [0, 1].

    Returns:
        (H, W) in [0, 1].
    """
    distance = 1 - rgb.min(-1)
    soft = np.clip((distance - BACKGROUND_BELOW) / (FOREGROUND_ABOVE - BACKGROUND_BELOW), 0, 1)
    solid = ndimage.binary_fill_holes(soft > 0.5)
    return np.where(ndimage.binary_erosion(solid), 1.0, soft)
