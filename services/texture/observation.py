"""What the pictures say about a surface point: the colours at its pixel and the cues that tell whether to trust them.

Training and baking call the same two functions, so that the network meets one distribution of inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as fn
from torch import Tensor

from services.texture.projection import behind, facing, project, to_camera_axes

MAP_CHANNELS = 9
CUE_CHANNELS = 19
DEPTH_SCALE = 0.05
"""Depth difference, in model units, that a cue reports as 1."""


@dataclass(frozen=True)
class View:
    """B parts, each as its object's camera sees it.

    Attributes:
        object_image: (B, 3, H, W) sRGB in [0, 1], the closed object alone on white.
        part_image: (B, 3, H, W) likewise, the part alone, complete.
        object_depth: (B, S, S) depth map of all parts' meshes, infinite where empty.
        part_depth: (B, S, S) of the part's mesh alone.
        camera: (B, 6).
        box: (B, 6) centre and half extent of the part's mesh.
    """

    object_image: Tensor
    part_image: Tensor
    object_depth: Tensor
    part_depth: Tensor
    camera: Tensor
    box: Tensor


@dataclass(frozen=True)
class Observation:
    """Surface points through a view.

    Attributes:
        image: (B, N, 2) picture coordinates.
        colors: (B, N, 2, 3) object image and part image at the point's pixel.
        cues: (B, N, CUE_CHANNELS) geometry and visibility.
    """

    image: Tensor
    colors: Tensor
    cues: Tensor


def maps(view: View) -> Tensor:
    """(B, MAP_CHANNELS, S, S) the encoder's picture: both images, three masks, at the depth maps' size."""
    size = view.object_depth.shape[-1]
    covered, part = view.object_depth.isfinite(), view.part_depth.isfinite()
    in_front = part & (view.part_depth <= view.object_depth + DEPTH_SCALE)
    masks = torch.stack([covered, part, in_front], 1).to(view.object_image.dtype)
    images = [_resize(image, size) * 2 - 1 for image in (view.object_image, view.part_image)]
    return torch.cat([*images, masks], 1)


def observe(view: View, points: Tensor, normals: Tensor) -> Observation:
    """Look surface points up in the view.

    Args:
        view: B parts.
        points: (B, N, 3) on the part's surface, model space.
        normals: (B, N, 3) outward, unit.
    """
    image, depth = project(points, view.camera)
    colors = torch.stack([sample(view.object_image, image), sample(view.part_image, image)], 2)
    gaps = torch.stack([behind(image, depth, view.object_depth), behind(image, depth, view.part_depth)], -1)
    gaps = (gaps / DEPTH_SCALE).clamp(-3, 3)
    center, half = view.box[:, None].split(3, -1)
    cues = [
        points,
        (points - center) / half.clamp(min=1e-3),
        half.expand_as(points),
        normals,
        to_camera_axes(normals, view.camera),
        facing(points, normals, view.camera)[..., None],
        gaps,
        (gaps[..., :1] < 0.5) & (gaps[..., :1] > -2),
    ]
    return Observation(image, colors, torch.cat([cue.to(points.dtype) for cue in cues], -1))


def sample(picture: Tensor, image: Tensor) -> Tensor:
    """(B, N, C) of a (B, C, H, W) picture at (B, N, 2) picture coordinates, bilinear, the border repeated."""
    values = fn.grid_sample(
        picture.float(), image[:, :, None], mode="bilinear", padding_mode="border", align_corners=False
    )
    return values[..., 0].transpose(1, 2)


def _resize(images: Tensor, size: int) -> Tensor:
    if images.shape[-1] == size:
        return images
    return fn.interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=True)
