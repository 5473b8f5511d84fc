"""What the pictures say about a surface point: the colours found for it and the cues that tell whether to trust them.

Training and baking call the same functions, so that the network meets one distribution of inputs.

A point is looked up in three pictures, and in the photograph also where its mirror images about the part's middle are:
the hidden side of a cabinet mostly looks like the side in view.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as fn
from torch import Tensor

from services.texture.projection import behind, facing, project, to_camera_axes

MIRRORS = ((-1.0, 1.0, 1.0), (1.0, 1.0, -1.0))
"""Left and right swapped, front and back swapped."""

SOURCES = 3 + len(MIRRORS)
"""Photograph, object image, part image, and the photograph at the mirrored points."""

MAP_CHANNELS = 12
CUE_CHANNELS = 19 + 3 * len(MIRRORS)
IN_VIEW = 18
"""The cue that is 1 where the camera sees the point."""

DEPTH_SCALE = 0.05
"""Depth difference, in model units, that a cue reports as 1."""

MAP_SIZE = 64
"""Side of the encoder's pictures."""

WINDOW_MARGIN = 1.2
"""A part's window is so many times larger than its box in the picture."""

SMALLEST_WINDOW = 0.12
"""Least half side of a window, in halves of the picture."""


@dataclass(frozen=True)
class View:
    """B parts, each as its object's camera sees it.

    Attributes:
        photograph: (B, 3, P, P) sRGB in [0, 1], the closed object as the user sent it.
        object_image: (B, 3, H, W) likewise, the closed object alone on white.
        part_image: (B, 3, H, W) likewise, the part alone, complete.
        object_depth: (B, S, S) depth map of all parts' meshes, infinite where empty.
        part_depth: (B, S, S) of the part's mesh alone.
        camera: (B, 6).
        box: (B, 6) centre and half extent of the part's mesh.
    """

    photograph: Tensor
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
        colors: (B, N, SOURCES, 3).
        cues: (B, N, CUE_CHANNELS) geometry and visibility.
    """

    image: Tensor
    colors: Tensor
    cues: Tensor


def window(view: View) -> Tensor:
    """(B, 3) centre u, v and half side of the square of the picture that shows the part, with a margin."""
    center, half = view.box[:, None].split(3, -1)
    ticks = half.new_tensor([-1.0, 1.0])
    image, _ = project(center + half * torch.cartesian_prod(ticks, ticks, ticks), view.camera)
    low, high = image.amin(1).clamp(-1, 1), image.amax(1).clamp(-1, 1)
    side = ((high - low).amax(-1, keepdim=True) / 2 * WINDOW_MARGIN).clamp(SMALLEST_WINDOW, 1)
    return torch.cat([(low + high) / 2, side], -1)


def maps(view: View, windows: Tensor) -> Tensor:
    """(B, W, MAP_CHANNELS, MAP_SIZE, MAP_SIZE) the encoder's pictures of windows: three pictures and three masks.

    Args:
        windows: (B, W, 3) as `window` gives, or (0, 0, 1) for the whole picture.
    """
    ticks = (torch.arange(MAP_SIZE, device=windows.device) + 0.5) / MAP_SIZE * 2 - 1
    grid = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), -1).flatten(0, 1)
    image = (windows[:, :, None, :2] + windows[:, :, None, 2:] * grid).flatten(1, 2)
    size = view.object_depth.shape[-1]
    pictures = [_shrink(picture, size) for picture in (view.photograph, view.object_image, view.part_image)]
    colors = torch.cat([sample(picture, image) for picture in pictures], -1) * 2 - 1
    whole, part = at_pixel(view.object_depth, image), at_pixel(view.part_depth, image)
    masks = torch.stack([whole.isfinite(), part.isfinite(), part.isfinite() & (part <= whole + DEPTH_SCALE)], -1)
    channels = torch.cat([colors, masks.to(colors.dtype)], -1)
    return channels.view(len(channels), -1, MAP_SIZE, MAP_SIZE, MAP_CHANNELS).permute(0, 1, 4, 2, 3)


def look_up(view: View, points: Tensor, image: Tensor) -> Tensor:
    """(B, N, SOURCES, 3) colours of the pictures for surface points (B, N, 3) at picture coordinates (B, N, 2)."""
    mirrored = [project(_mirror(view, points, signs), view.camera)[0] for signs in MIRRORS]
    count = points.shape[1]
    photograph = sample(view.photograph, torch.cat([image, *mirrored], 1)).split(count, 1)
    pictures = [sample(picture, image) for picture in (view.object_image, view.part_image)]
    return torch.stack([photograph[0], *pictures, *photograph[1:]], 2)


def observe(view: View, points: Tensor, normals: Tensor) -> Observation:
    """Look surface points up in the view.

    Args:
        view: B parts.
        points: (B, N, 3) on the part's surface, model space.
        normals: (B, N, 3) outward, unit.
    """
    image, depth = project(points, view.camera)
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
        _in_view(gaps[..., :1]),
    ]
    for signs in MIRRORS:
        other = _mirror(view, points, signs)
        gap = behind(*project(other, view.camera), view.object_depth)[..., None]
        gap = (gap / DEPTH_SCALE).clamp(-3, 3)
        cues += [facing(other, normals * normals.new_tensor(signs), view.camera)[..., None], gap, _in_view(gap)]
    return Observation(image, look_up(view, points, image), torch.cat([cue.to(points.dtype) for cue in cues], -1))


def sample(picture: Tensor, image: Tensor) -> Tensor:
    """(B, N, C) of a (B, C, H, W) picture at (B, N, 2) picture coordinates, bilinear, the border repeated."""
    values = fn.grid_sample(
        picture.float(), image[:, :, None], mode="bilinear", padding_mode="border", align_corners=False
    )
    return values[..., 0].transpose(1, 2)


def at_pixel(values: Tensor, image: Tensor) -> Tensor:
    """(B, N) of (B, S, S) at the pixels that hold picture coordinates (B, N, 2), the border repeated."""
    size = values.shape[-1]
    column, row = ((image + 1) * (size / 2)).floor().clamp(0, size - 1).long().unbind(-1)
    return values.flatten(1).gather(1, row * size + column)


def _in_view(gap: Tensor) -> Tensor:
    """Whether a scaled gap to the nearest drawn surface is that of a point on it."""
    return (gap < 0.5) & (gap > -2)


def _mirror(view: View, points: Tensor, signs: tuple[float, float, float]) -> Tensor:
    """(B, N, 3) points reflected about the middle of their part's box."""
    center = view.box[:, None, :3]
    return center + (points - center) * points.new_tensor(signs)


def _shrink(images: Tensor, size: int) -> Tensor:
    """Pictures no larger than `size`."""
    if images.shape[-1] <= size:
        return images
    return fn.interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=True)
