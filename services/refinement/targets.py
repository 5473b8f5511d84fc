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

MASK_SIZE = 256
"""Side of masks of parts once they are cut [px]."""

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
        masks: (M, M) bytes, 255 where the image shows a part, by part, of parts of which it is known.
        order: pairs of parts, the first of which is in front of the second wherever lines of sight meet both.
    """

    image: ImageArray
    masks: Mapping[int, ImageArray] = field(default_factory=dict)
    order: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Target:
    """One picture of the object on white, and what else is known of it.

    Attributes:
        rgba: (4, S, S) colour in [0, 1], composited on white, and coverage in [0, 1].
        masks: (R, R) share in [0, 1] of each pixel that shows a part, by part, of parts of which it is known.
        order: as of `Opened`.
    """

    rgba: Tensor
    masks: Mapping[int, Tensor] = field(default_factory=dict)
    order: tuple[tuple[int, int], ...] = ()

    def at(self, size: int) -> Tensor:
        """(size, size, 4 + M) area average of colour, coverage and masks."""
        layers = [self.rgba, *(mask[None] for mask in self.masks.values())]
        return torch.cat([F.adaptive_avg_pool2d(layer, size) for layer in layers]).permute(1, 2, 0)


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
    pictures = [closed, *(resized(state.image, size) for state in opened)]
    coverages = [soft_silhouette(picture / 255) for picture in pictures]
    rows, columns = np.nonzero(np.max(coverages, axis=0) > 0.5)
    if len(rows) == 0:
        rows = columns = np.array([0, size - 1])
    middle = np.array([columns.min() + columns.max() + 1, rows.min() + rows.max() + 1]) / 2
    reach = max(np.ptp(rows), np.ptp(columns)) + 1
    side = int(min(np.ceil(reach * (1 + MARGIN)), size))
    left, top = (np.floor(np.clip(middle - side / 2, 0, size - side))).astype(int)

    def cut(rgb: ImageArray, coverage: Array) -> Tensor:
        rgba = np.concatenate([rgb / 255, coverage[..., None]], -1)[top : top + side, left : left + side]
        return torch.as_tensor(rgba, device=device, dtype=dtype).permute(2, 0, 1)

    def cut_mask(mask: ImageArray) -> Tensor:
        box = np.array([left, top, left + side, top + side]) * len(mask) / size
        shares = Image.fromarray(mask).resize((MASK_SIZE, MASK_SIZE), Image.Resampling.BOX, tuple(box))
        return torch.as_tensor(np.asarray(shares) / 255, device=device, dtype=dtype)

    center = torch.tensor([left + side / 2, top + side / 2], device=device, dtype=dtype) / size * 2 - 1
    open_targets = tuple(
        Target(cut(rgb, coverage), {part: cut_mask(mask) for part, mask in state.masks.items()}, state.order)
        for state, rgb, coverage in zip(opened, pictures[1:], coverages[1:], strict=True)
    )
    return Target(cut(pictures[0], coverages[0])), open_targets, Window(center, side / size)


def resized(picture: ImageArray, size: int) -> ImageArray:
    """A square picture with another side [px], by area average."""
    if len(picture) == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BOX))


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
