"""Rays against boxes and cylinders: the nearest hit, batched over images."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

FAR = 1e9


class Solids(NamedTuple):
    """Primitives as placed in the world for each image.

    Attributes:
        rotation: (B, P, 3, 3) columns are the primitive's axes.
        center: (B, P, 3).
        extent: (B, P, 3) sizes as `training.primitives.Shape` says.
        num_boxes: slots below hold boxes, the others cylinders.
    """

    rotation: Tensor
    center: Tensor
    extent: Tensor
    num_boxes: int


def nearest(
    solids: Solids,
    shown: Tensor,
    origin: Tensor,
    direction: Tensor,
    limit: float = FAR,
    *,
    width: int = 0,
    fused: bool = False,
) -> tuple[Tensor, Tensor]:
    """First hit of each ray from outside of a solid; one that starts inside does not see it.

    Args:
        shown: (B, P) bool, the primitives that rays can hit.
        origin: (B, 1, 3) or (B, R, 3).
        direction: (B, 1, 3) or (B, R, 3); distances count in its length.
        limit: hits this far away or farther count as misses.
        width: rays in a row of the picture that the rays make up; the fused kernel works on square tiles of it.
        fused: use the kernel of `training.raycast_triton`.

    Returns:
        distance (B, R), `FAR` on a miss, and slot (B, R) int32, -1 on a miss.
    """
    if fused:
        from training.raycast_triton import nearest_fused

        return nearest_fused(solids, shown, origin, direction, limit, width)
    count, rays = len(origin), max(origin.shape[1], direction.shape[1])
    origin, direction = (x.permute(2, 0, 1).expand(3, count, rays) for x in (origin, direction))
    distance = torch.full((count * rays,), limit, device=origin.device)
    slot = torch.full((count * rays,), -1, device=origin.device, dtype=torch.int32)
    for index in shown.any(0).nonzero()[:, 0].tolist():
        rotation, center, extent = (x[:, index] for x in (solids.rotation, solids.center, solids.extent))
        is_box = index < solids.num_boxes
        at = (_passes(origin, direction, center, extent, is_box) & shown[:, index, None]).flatten().nonzero()[:, 0]
        image = at // rays
        start, toward = (x[:, image, at - image * rays, None] for x in (origin, direction))
        meet = _meet_box if is_box else _meet_cylinder
        met = meet(start, toward, rotation[image], center[image], extent[image])[:, 0]
        closer = met < distance[at]
        at = at[closer]
        distance[at], slot[at] = met[closer], index
    return torch.where(slot < 0, FAR, distance).view(count, rays), slot.view(count, rays)


def _passes(origin: Tensor, direction: Tensor, center: Tensor, extent: Tensor, is_box: bool) -> Tensor:
    """(B, R) bool: rays that come within the ball about one solid an image; few do, and only they are worth a test."""
    ball = extent[:, : 3 if is_box else 2].square().sum(-1, keepdim=True) * 1.0001 + 1e-9
    x, y, z = (origin[axis] - center[:, axis, None] for axis in range(3))
    u, v, w = direction
    square, ahead = x * x + y * y + z * z, -(x * u + y * v + z * w)
    apart: Tensor = square - ahead.clamp(min=0).square() / (u * u + v * v + w * w)
    return apart < ball


def _meet_box(origin: Tensor, direction: Tensor, rotation: Tensor, center: Tensor, extent: Tensor) -> Tensor:
    """(B, R) distance at which rays enter one box an image."""
    near = far = None
    for axis in range(3):
        p, d = _local(axis, origin, direction, rotation, center)
        inverse = 1 / torch.where(d.abs() < 1e-9, 1e-9, d)
        middle, reach = -p * inverse, extent[:, axis, None] * inverse.abs()
        low, high = middle - reach, middle + reach
        near = low if near is None else torch.maximum(near, low)
        far = high if far is None else torch.minimum(far, high)
    assert near is not None and far is not None
    return torch.where((near < far) & (near > 0), near, FAR)


def _meet_cylinder(origin: Tensor, direction: Tensor, rotation: Tensor, center: Tensor, extent: Tensor) -> Tensor:
    """(B, R) distance at which rays enter one cylinder or ring an image."""
    (px, dx), (py, dy), (pz, dz) = (_local(axis, origin, direction, rotation, center) for axis in range(3))
    outer, height, inner = extent[:, 0, None], extent[:, 1, None], extent[:, 2, None]
    a = (dx * dx + dz * dz).clamp(min=1e-12)
    b = (px * dx + pz * dz) / a
    c = (px * px + pz * pz) / a
    outer_root = b * b - c + outer * outer / a
    inner_root = b * b - c + inner * inner / a
    safe_dy = torch.where(dy.abs() < 1e-9, 1e-9, dy)
    best = torch.full_like(b, FAR)
    for t, valid in (
        (-b - outer_root.clamp(min=0).sqrt(), outer_root > 0),
        (-b + inner_root.clamp(min=0).sqrt(), (inner_root > 0) & (inner > 0)),
    ):
        hit = valid & ((py + t * dy).abs() <= height) & (t > 0)
        best = torch.where(hit, torch.minimum(t, best), best)
    t = (-safe_dy.sign() * height - py) / safe_dy
    radius = (px + t * dx) ** 2 + (pz + t * dz) ** 2
    hit = (radius <= outer * outer) & (radius >= inner * inner) & (t > 0)
    return torch.where(hit, torch.minimum(t, best), best)


def _local(axis: int, origin: Tensor, direction: Tensor, rotation: Tensor, center: Tensor) -> tuple[Tensor, Tensor]:
    """One coordinate of the rays (3, B, R or 1) in the primitive's frame: (B, R or 1) origin and direction."""
    x, y, z = rotation[:, :, axis, None].unbind(1)
    start = (
        (origin[0] - center[:, 0, None]) * x
        + (origin[1] - center[:, 1, None]) * y
        + (origin[2] - center[:, 2, None]) * z
    )
    return start, direction[0] * x + direction[1] * y + direction[2] * z
