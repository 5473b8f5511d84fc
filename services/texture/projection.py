"""Where a camera sees surface points, and what stands in front of them. Model space; batched over objects.

A tensor twin of `articulation.camera.Camera`: the same six numbers, the same picture coordinates (u right, v down,
[-1, 1] over the square image). Depth is along the view direction.
"""

from __future__ import annotations

import torch
from torch import Tensor

from services.texture.raster import rasterize

NEAR = 1e-3
"""Faces with a corner nearer to the camera's plane than this are not drawn."""


def rotation(cameras: Tensor) -> Tensor:
    """(B, 3, 3) rows: right, up and backward of (B, 6) cameras."""
    azimuth, elevation = cameras[:, 0], cameras[:, 1]
    sa, ca, se, ce = azimuth.sin(), azimuth.cos(), elevation.sin(), elevation.cos()
    rows = [ca, torch.zeros_like(ca), -sa, -sa * se, ce, -ca * se, sa * ce, se, ca * ce]
    return torch.stack(rows, -1).view(-1, 3, 3)


def position(cameras: Tensor) -> Tensor:
    """(B, 3) centres of projection of (B, 6) cameras."""
    return cameras[:, 2:3] * rotation(cameras)[:, 2]


def to_camera_axes(vectors: Tensor, cameras: Tensor) -> Tensor:
    """(B, N, 3) vectors along the cameras' right, up and backward directions.

    Not a matrix product, which mixed precision would round to a few pixels.
    """
    return (vectors[:, :, None] * rotation(cameras)[:, None]).sum(-1)


def project(points: Tensor, cameras: Tensor) -> tuple[Tensor, Tensor]:
    """Project (B, N, 3) points through (B, 6) cameras.

    Returns:
        (B, N, 2) picture coordinates and (B, N) depth; meaningless where depth is not positive.
    """
    local = to_camera_axes(points - position(cameras)[:, None], cameras)
    depth = -local[..., 2]
    focal = 1.0 / torch.tan(cameras[:, 3] / 2)
    flat = focal[:, None, None] * local[..., :2] / depth.clamp(min=NEAR)[..., None]
    return flat * flat.new_tensor([1.0, -1.0]) + cameras[:, None, 4:6], depth


def depth_map(vertices: Tensor, faces: Tensor, camera: Tensor, size: int) -> Tensor:
    """Depth of the nearest surface at each pixel centre.

    Args:
        vertices: (V, 3).
        faces: (F, 3) int64.
        camera: (6,).
        size: side of the map.

    Returns:
        (size, size), infinite where nothing is seen.
    """
    image, depth = project(vertices[None], camera[None])
    corners, depth = ((image[0] + 1) * (size / 2))[faces], depth[0][faces]
    ahead = (depth > NEAR).all(1)
    corners, nearness = corners[ahead], 1.0 / depth[ahead]
    face, weights = rasterize(corners, size, nearness)
    seen = face >= 0
    out = vertices.new_full((size, size), torch.inf)
    out[seen] = 1.0 / (weights[seen] * nearness[face[seen]]).sum(-1)
    return out


def facing(points: Tensor, normals: Tensor, cameras: Tensor) -> Tensor:
    """(B, N) cosine between the outward normal and the direction to the camera."""
    to_camera = torch.nn.functional.normalize(position(cameras)[:, None] - points, dim=-1)
    return (normals * to_camera).sum(-1)


def behind(image: Tensor, depth: Tensor, depth_maps: Tensor) -> Tensor:
    """How far points lie behind the nearest drawn surface, in model units; about 0 on that surface itself.

    Args:
        image: (B, N, 2) picture coordinates.
        depth: (B, N).
        depth_maps: (B, S, S), infinite where empty.

    Returns:
        (B, N); -inf where nothing is drawn or the point falls outside the picture.
    """
    size = depth_maps.shape[-1]
    pixel = ((image + 1) * (size / 2)).floor()
    inside = ((pixel >= 0) & (pixel < size)).all(-1)
    column, row = pixel.clamp(0, size - 1).long().unbind(-1)
    nearest = depth_maps.flatten(1).gather(1, row * size + column)
    return torch.where(inside, depth - nearest, -torch.inf)


def visible(points: Tensor, normals: Tensor, cameras: Tensor, depth_maps: Tensor, tolerance: float = 0.01) -> Tensor:
    """(B, N) whether the camera sees a surface point: it faces the camera and nothing drawn stands before it.

    Args:
        points: (B, N, 3).
        normals: (B, N, 3), unit.
        cameras: (B, 6).
        depth_maps: (B, S, S) of the whole object.
        tolerance: depth allowed behind the drawn surface, in model units, for a surface that faces the camera; a pixel
            of a slanted surface spans more, and gets more.
    """
    image, depth = project(points, cameras)
    cosine = facing(points, normals, cameras)
    pixel = 2 * depth * torch.tan(cameras[:, 3:4] / 2) / depth_maps.shape[-1]
    slope = (1 - cosine**2).clamp(min=0).sqrt() / cosine.clamp(min=0.05)
    return (cosine > 0) & (behind(image, depth, depth_maps) <= tolerance + pixel * slope)
