"""Rays against boxes and cylinders: nearest hit and occlusion, batched over images, one primitive slot at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

FAR = 1e9


@dataclass(frozen=True, eq=False)
class Solids:
    """Primitives as placed in the world for each image.

    Attributes:
        rotation: (B, P, 3, 3) columns are the primitive's axes.
        center: (B, P, 3).
        extent: (B, P, 3) sizes as `training.primitives.Shape` says.
        shown: (B, P) bool; a hidden primitive is hit by no ray.
        num_boxes: slots below hold boxes, the others cylinders.
    """

    rotation: Tensor
    center: Tensor
    extent: Tensor
    shown: Tensor
    num_boxes: int


def nearest(solids: Solids, origin: Tensor, direction: Tensor, compiled: bool = False) -> tuple[Tensor, Tensor]:
    """First hit of each ray.

    Args:
        origin: (B, 1, 3) or (B, R, 3).
        direction: (B, 1, 3) or (B, R, 3); distances count in its length.

    Returns:
        distance (B, R), `FAR` on a miss, and slot (B, R) int64, -1 on a miss.
    """
    count, rays = len(origin), max(origin.shape[1], direction.shape[1])
    origin, direction = origin.permute(2, 0, 1).contiguous(), direction.permute(2, 0, 1).contiguous()
    distance = torch.full((count, rays), FAR, device=origin.device)
    slot = torch.full((count, rays), -1, device=origin.device, dtype=torch.int64)
    box, cylinder = _steps(compiled)
    for index in range(solids.center.shape[1]):
        step = box if index < solids.num_boxes else cylinder
        number = torch.full((), index, device=origin.device, dtype=torch.int64)
        distance, slot = step(
            distance, slot, number, origin, direction, solids.rotation[:, index], solids.center[:, index],
            solids.extent[:, index], solids.shown[:, index],
        )  # fmt: skip
    return distance, slot


@cache
def _steps(compiled: bool) -> tuple[Callable[..., tuple[Tensor, Tensor]], Callable[..., tuple[Tensor, Tensor]]]:
    if compiled:
        return torch.compile(_box_step, dynamic=True), torch.compile(_cylinder_step, dynamic=True)
    return _box_step, _cylinder_step


Step = tuple[Tensor, Tensor]


def _box_step(
    distance: Tensor, slot: Tensor, number: Tensor, origin: Tensor, direction: Tensor, rotation: Tensor, center: Tensor,
    extent: Tensor, shown: Tensor,
) -> Step:  # fmt: skip
    """Update the nearest hit with one box an image."""
    near = far = None
    for axis in range(3):
        p, d = _local(axis, origin, direction, rotation, center)
        inverse = 1 / torch.where(d.abs() < 1e-9, 1e-9, d)
        middle, reach = -p * inverse, extent[:, axis, None] * inverse.abs()
        low, high = middle - reach, middle + reach
        near = low if near is None else torch.maximum(near, low)
        far = high if far is None else torch.minimum(far, high)
    assert near is not None and far is not None
    hit = (near < far) & (near > 0) & (near < distance) & shown[:, None]
    return torch.where(hit, near, distance), torch.where(hit, number, slot)


def _cylinder_step(
    distance: Tensor, slot: Tensor, number: Tensor, origin: Tensor, direction: Tensor, rotation: Tensor, center: Tensor,
    extent: Tensor, shown: Tensor,
) -> Step:  # fmt: skip
    """Update the nearest hit with one cylinder or ring an image."""
    (px, dx), (py, dy), (pz, dz) = (_local(axis, origin, direction, rotation, center) for axis in range(3))
    outer, height, inner = extent[:, 0, None], extent[:, 1, None], extent[:, 2, None]
    a = (dx * dx + dz * dz).clamp(min=1e-12)
    b = (px * dx + pz * dz) / a
    c = (px * px + pz * pz) / a
    outer_root = b * b - c + outer * outer / a
    inner_root = b * b - c + inner * inner / a
    safe_dy = torch.where(dy.abs() < 1e-9, 1e-9, dy)
    for t, valid in (
        (-b - outer_root.clamp(min=0).sqrt(), outer_root > 0),
        (-b + inner_root.clamp(min=0).sqrt(), (inner_root > 0) & (inner > 0)),
    ):
        hit = valid & ((py + t * dy).abs() <= height) & (t > 0) & (t < distance) & shown[:, None]
        distance, slot = torch.where(hit, t, distance), torch.where(hit, number, slot)
    t = (-safe_dy.sign() * height - py) / safe_dy
    radius = (px + t * dx) ** 2 + (pz + t * dz) ** 2
    hit = (radius <= outer * outer) & (radius >= inner * inner) & (t > 0) & (t < distance) & shown[:, None]
    return torch.where(hit, t, distance), torch.where(hit, number, slot)


def _local(axis: int, origin: Tensor, direction: Tensor, rotation: Tensor, center: Tensor) -> Step:
    """One coordinate of the rays (3, B, R or 1) in the primitive's frame: (B, R or 1) origin and direction."""
    column = rotation[:, :, axis, None]
    x, y, z = column.unbind(1)
    start = (
        (origin[0] - center[:, 0, None]) * x
        + (origin[1] - center[:, 1, None]) * y
        + (origin[2] - center[:, 2, None]) * z
    )
    return start, direction[0] * x + direction[1] * y + direction[2] * z
