"""Target images as tensors: colour on white and a soft silhouette."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from articulation.typing import Array, ImageArray

BACKGROUND_BELOW = 0.03
FOREGROUND_ABOVE = 0.12


@dataclass(frozen=True)
class Target:
    """One picture of the object on white.

    Attributes:
        rgba: (4, H, W) colour in [0, 1], composited on white, and coverage in [0, 1].
    """

    rgba: Tensor

    @classmethod
    def of(cls, image: ImageArray, device: torch.device, dtype: torch.dtype = torch.float32) -> Target:
        """From an (H, W, 3) sRGB picture on white; coverage is the soft distance from white, holes filled."""
        rgb = image.astype(np.float64) / 255
        coverage = soft_silhouette(rgb)
        rgba = np.concatenate([rgb, coverage[..., None]], -1)
        return cls(torch.as_tensor(rgba, device=device, dtype=dtype).permute(2, 0, 1))

    def at(self, size: int) -> Tensor:
        """(S, S, 4) area average."""
        return F.adaptive_avg_pool2d(self.rgba, size).permute(1, 2, 0)


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
