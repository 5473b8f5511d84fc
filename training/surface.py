"""Signed distance and surface samples of single links, batched, at the closed state."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from training.scene import Scene
from training.texture import albedo

OVERSAMPLING = 3
BURIED = 1e-5
"""A sample deeper than this inside another solid of its link is not on the surface."""


def signed_distance(scene: Scene, link: Tensor, points: Tensor) -> Tensor:
    """Distance to one link of each object, negative inside.

    Exact outside; inside, where solids of the link overlap, its magnitude is a lower bound.

    Args:
        link: (B,) int64.
        points: (B, N, 3).

    Returns:
        (B, N).
    """
    own = scene.owner == link[:, None]
    best = torch.full(points.shape[:2], torch.inf, device=points.device)
    for slot in range(scene.owner.shape[1]):
        distance = _solid_distance(scene, slot, points)
        best = torch.where(own[:, slot, None], torch.minimum(best, distance), best)
    return best


def sample_surface(
    scene: Scene, link: Tensor, count: int, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Points spread evenly over the outer surface of one link of each object.

    Args:
        link: (B,) int64 valid link.
        count: N.
        generator: on the scene's device.

    Returns:
        points (B, N, 3), outward unit normals (B, N, 3), base colours (B, N, 3) sRGB in [0, 1].
    """
    own = scene.owner == link[:, None]
    is_box = torch.arange(own.shape[1], device=scene.device) < scene.num_boxes
    faces = torch.where(is_box[:, None], _box_faces(scene.extent), _cylinder_faces(scene.extent))
    weights = (faces * own[..., None]).flatten(1)
    drawn = torch.multinomial(weights, count * OVERSAMPLING, replacement=True, generator=generator)
    slot, face = drawn // faces.shape[-1], drawn % faces.shape[-1]
    extent = scene.extent.take_along_dim(slot[..., None], 1)
    uniform = torch.rand(*slot.shape, 3, generator=generator, device=scene.device)
    box, box_normal = _on_box(face, extent, uniform)
    tube, tube_normal = _on_cylinder(face, extent, uniform)
    boxed = is_box[slot][..., None]
    local, normal = torch.where(boxed, box, tube), torch.where(boxed, box_normal, tube_normal)

    rotation = scene.rotation.flatten(2).take_along_dim(slot[..., None], 1).unflatten(-1, (3, 3))
    points = (rotation @ local[..., None])[..., 0] + scene.center.take_along_dim(slot[..., None], 1)
    kept = torch.ones_like(slot, dtype=torch.bool)
    for other in range(own.shape[1]):
        distance = _solid_distance(scene, other, points)
        hidden = (distance < -BURIED) | ((distance < BURIED) & (other < slot))
        kept &= ~(own[:, other, None] & (slot != other) & hidden)

    order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)
    usable = kept.sum(1, keepdim=True).clamp(min=1)
    order = order.take_along_dim(torch.arange(count, device=scene.device)[None] % usable, 1)
    color = albedo(scene.look.take_along_dim(slot[..., None], 1), local, extent)
    normal = normalize((rotation @ normal[..., None])[..., 0], dim=-1)
    points, normal, color = (x.take_along_dim(order[..., None], 1) for x in (points, normal, color))
    return points, normal, color


def _solid_distance(scene: Scene, slot: int, points: Tensor) -> Tensor:
    """(B, N) signed distance of points (B, N, 3) to one primitive slot."""
    local: Tensor = (points - scene.center[:, slot, None]) @ scene.rotation[:, slot]
    extent = scene.extent[:, slot, None]
    if slot < scene.num_boxes:
        outside = local.abs() - extent
    else:
        outer, height, inner = extent.unbind(-1)
        radius = (local[..., 0] ** 2 + local[..., 2] ** 2).sqrt()
        ring = (radius - (outer + inner) / 2).abs() - (outer - inner) / 2
        radial = torch.where(inner > 0, ring, radius - outer)
        outside = torch.stack([radial, local[..., 1].abs() - height], -1)
    distance: Tensor = outside.clamp(min=0).square().sum(-1).sqrt() + outside.amax(-1).clamp(max=0)
    return distance


def _box_faces(extent: Tensor) -> Tensor:
    """(B, P, 3) areas of the face pairs across x, y, z."""
    x, y, z = extent.unbind(-1)
    return torch.stack([y * z, z * x, x * y], -1) * 8


def _cylinder_faces(extent: Tensor) -> Tensor:
    """(B, P, 3) areas of the outer side, the inner side and the two caps."""
    outer, height, inner = extent.unbind(-1)
    return torch.stack([outer * height * 2, inner * height * 2, outer**2 - inner**2], -1) * (2 * torch.pi)


def _on_box(face: Tensor, extent: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    signed = uniform * 2 - 1
    across = torch.nn.functional.one_hot(face, 3).to(signed.dtype)
    normal = across * signed.sign()
    return torch.where(across > 0, normal, signed) * extent, normal


def _on_cylinder(face: Tensor, extent: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    outer, height, inner = extent.unbind(-1)
    angle = uniform[..., 0] * (2 * torch.pi)
    cap = face == 2
    radius = torch.where(face == 0, outer, inner)
    radius = torch.where(cap, (inner**2 + uniform[..., 1] * (outer**2 - inner**2)).sqrt(), radius)
    sign = torch.where(uniform[..., 2] < 0.5, -1.0, 1.0)
    y = torch.where(cap, sign * height, (uniform[..., 1] * 2 - 1) * height)
    c, s, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    radial = torch.stack([c, zero, s], -1) * torch.where(face == 1, -1.0, 1.0)[..., None]
    axial = torch.stack([zero, sign, zero], -1)
    return torch.stack([radius * c, y, radius * s], -1), torch.where(cap[..., None], axial, radial)
