"""What is known of the pictures as tensors: colour on white, a soft silhouette, and where parts are seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
class Opened:
    """What is known of one state in which the object is open.

    Attributes:
        image: (R, R, 3) sRGB on white, of the closed image's view.
        masks: (M, M) share in [0, 1] of each pixel that shows a part, by part, of parts of which it is known.
        order: pairs of parts, the first of which is in front of the second wherever lines of sight meet both.
    """

    image: ImageArray
    masks: Mapping[int, Array] = field(default_factory=dict)
    order: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Target:
    """One picture of the object on white, and what else is known of it.

    Attributes:
        layers: (4 + M, S, S) colour in [0, 1], composited on white, coverage in [0, 1], and the same of `masked`.
        masked: M parts of which it is known where the picture shows them.
        order: as of `Opened`.
    """

    layers: Tensor
    masked: tuple[int, ...] = ()
    order: tuple[tuple[int, int], ...] = ()

    def at(self, size: int) -> Tensor:
        """(size, size, 4 + M) area average."""
        return F.adaptive_avg_pool2d(self.layers, size).permute(1, 2, 0)


def targets(
    closed: ImageArray, opened: Sequence[Opened], device: torch.device, dtype: torch.dtype = torch.float32
) -> tuple[Target, tuple[Target, ...], Window]:
    """Cut all pictures to one window around what they show.

    Args:
        closed: (S, S, 3) sRGB on white.
        opened: the open states.
        device: where the tensors live.
        dtype: their floating-point type.
    """
    size = len(closed)
    images = [Image.fromarray(picture) for picture in (closed, *(state.image for state in opened))]
    pictures = [np.asarray(resized(image, size), dtype=np.float64) / 255 for image in images]
    coverages = [soft_silhouette(picture) for picture in pictures]
    rows, columns = np.nonzero(np.max(coverages, axis=0) > 0.5)
    if len(rows) == 0:
        rows = columns = np.array([0, size - 1])
    middle = np.array([columns.min() + columns.max() + 1, rows.min() + rows.max() + 1]) / 2
    reach = max(np.ptp(rows), np.ptp(columns)) + 1
    side = int(min(np.ceil(reach * (1 + MARGIN)), size))
    left, top = (np.floor(np.clip(middle - side / 2, 0, size - side))).astype(int)

    def cut(*layers: Array) -> Tensor:
        whole = np.dstack(layers)[top : top + side, left : left + side]
        return torch.as_tensor(whole, device=device, dtype=dtype).permute(2, 0, 1)

    center = torch.tensor([left + side / 2, top + side / 2], device=device, dtype=dtype) / size * 2 - 1
    found = []
    for state, rgb, coverage in zip(opened, pictures[1:], coverages[1:], strict=True):
        masks = [np.asarray(resized(Image.fromarray(mask.astype(np.float32)), size)) for mask in state.masks.values()]
        found.append(Target(cut(rgb, coverage, *masks), tuple(state.masks), state.order))
    return Target(cut(pictures[0], coverages[0])), tuple(found), Window(center, side / size)


def resized(image: Image.Image, size: int) -> Image.Image:
    """A square picture with another side [px], by area average."""
    return image if image.width == size else image.resize((size, size), Image.Resampling.BOX)


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
