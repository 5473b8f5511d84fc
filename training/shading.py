"""How surfaces answer light: diffuse and mirror-like parts by material, and glass that one sees through."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from training.lights import Lights, environment
from training.noise import vector_noise
from training.primitives import LOOK_CHANNELS, Pattern
from training.raycast import FAR
from training.texture import albedo, among, constants, grain_frame, rows_of

BEVEL = 0.012
"""Width [model units] over which shading rounds a box's edges."""
_FINISHES = rows_of(
    {
        Pattern.PAINT: (0.0, 0.9, 0.85, 0.04, 30.0, 30.0, 0.02),
        Pattern.PLASTIC: (0.0, 0.9, 0.85, 0.04, 90.0, 90.0, 0.05),
        Pattern.WOOD: (0.0, 0.9, 0.85, 0.04, 60.0, 6.0, 0.05),
        Pattern.PLANKS: (0.0, 0.9, 0.85, 0.04, 60.0, 6.0, 0.04),
        Pattern.BRUSHED: (0.85, 0.45, 0.2, 0.04, 120.0, 3.0, 0.16),
        Pattern.POLISHED: (1.0, 0.06, 0.0, 0.04, 30.0, 30.0, 0.0),
        Pattern.FABRIC: (0.0, 1.0, 0.5, 0.03, 90.0, 90.0, 0.5),
        Pattern.CONCRETE: (0.0, 1.0, 0.7, 0.03, 30.0, 30.0, 0.15),
        Pattern.TILE: (0.0, 0.7, 0.9, 0.04, 10.0, 10.0, 0.02),
    }
)
"""Metal, roughness without gloss and its fall with gloss, mirror-like share, cells a model unit across and along the
grain of the unevenness of normals, and its height."""


class Surface(NamedTuple):
    """Where R rays an image meet a primitive; values of a ray that misses mean nothing.

    Attributes:
        local: (B, R, 3) in the frame of the primitive.
        turn: (B, R, 3, 3) the primitive's axes in the world are its columns.
        extent: (B, R, 3).
        face: (B, R, 3) normal of the face, in the frame of the primitive.
        round: (B, R, 3) the same, rounded near edges, for shading.
        look: (B, R, 11).
    """

    local: Tensor
    turn: Tensor
    extent: Tensor
    face: Tensor
    round: Tensor
    look: Tensor

    def albedo(self) -> Tensor:
        """(B, R, 3) sRGB."""
        return albedo(self.look, self.local, self.extent)


class Reflection(NamedTuple):
    """Mirror-like answer of R rays' surfaces.

    Attributes:
        direction: (B, R, 3) unit.
        strength: (B, R, 3).
        roughness: (B, R) in [0, 1].
        normal: (B, R, 3) in the world, uneven as the material is.
        metal: (B, R) share that is bare metal, which has no colour but its reflection's.
    """

    direction: Tensor
    strength: Tensor
    roughness: Tensor
    normal: Tensor
    metal: Tensor


def pick(value: Tensor, slot: Tensor) -> Tensor:
    """(B, R, C) the rows of `value` (B, P, C) at `slot` (B, R) int32; row 0 for -1."""
    return value.gather(1, slot.clamp(min=0).long()[..., None].expand(-1, -1, value.shape[-1]))


def normals(local: Tensor, extent: Tensor, is_box: Tensor) -> tuple[Tensor, Tensor]:
    """Local normals (..., 3) of surface points: the face's own, and one rounded near a box's edges for shading."""
    depth = local.abs() - extent
    flat = (depth >= depth.amax(-1, keepdim=True)) * local.sign()
    width = torch.minimum(extent * 0.5, extent.new_tensor(BEVEL))
    rounded = normalize(((depth / width + 1).clamp(min=0) ** 2 + 1e-6) * local.sign(), dim=-1)

    x, y, z = local.unbind(-1)
    outer, height, inner = extent.unbind(-1)
    radius = (x * x + z * z).sqrt().clamp(min=1e-9)
    side, hole, cap = (radius - outer).abs(), (radius - inner).abs() + (inner <= 0) * FAR, (y.abs() - height).abs()
    on_cap = (cap < side) & (cap < hole)
    inward = torch.where(hole < side, -1.0, 1.0)
    radial = torch.stack([x / radius, torch.zeros_like(x), z / radius], -1) * inward[..., None]
    axial = torch.stack([torch.zeros_like(x), y.sign(), torch.zeros_like(x)], -1)
    tube = torch.where(on_cap[..., None], axial, radial)
    box = is_box[..., None]
    return torch.where(box, flat, tube), torch.where(box, rounded, tube)


def to_world(surface: Surface, vector: Tensor) -> Tensor:
    """(B, R, 3) directions of the primitives' frames in the world."""
    return (surface.turn * vector[..., None, :]).sum(-1)


def reflection(surface: Surface, color: Tensor, ray: Tensor) -> Reflection:
    """The mirror-like part of what a surface of linear `color` (B, R, 3) sends against the `ray` (B, R, 3)."""
    gloss = surface.look[..., 10]
    metal, matt, falling, plain, _, _, _ = constants(surface.look[..., 6], _FINISHES)
    rough = (matt - falling * gloss).clamp(0.02, 1)
    normal = _uneven(surface)
    cosine = -(normal * ray).sum(-1)
    direction = ray + 2 * cosine[..., None] * normal
    base = torch.lerp((plain + 0.04 * gloss)[..., None].expand_as(color), color * 0.9 + 0.1, metal[..., None])
    # Schlick's approximation of Fresnel's law, weaker on rough surfaces.
    rim = (1 - cosine.clamp(0, 1)) ** 5 * (1 - rough) * 0.8
    strength = (base + (1 - base) * rim[..., None]) * (1 - 0.5 * rough * (1 - metal))[..., None]
    return Reflection(direction, strength, rough, normal, metal)


def shine(surface: Surface, ray: Tensor, lit: Tensor, open_sky: Tensor, lights: Lights) -> Tensor:
    """Radiance (B, R, 3) of opaque surfaces.

    Args:
        ray: (B, R, 3) unit view directions.
        lit: (B, R) share of the key light that arrives.
        open_sky: (B, R) share of the environment that is not hidden by what is near.
    """
    base = surface.albedo() ** 2.2
    mirror, facing = reflection(surface, base, ray), to_world(surface, surface.face)
    sun, side = lights.direction[:, None], lights.fill_direction[:, None]
    toward = ((mirror.normal * sun).sum(-1) * ((facing * sun).sum(-1) > 0)).clamp(min=0) * lit
    aside = (0.25 + 0.75 * (mirror.normal * side).sum(-1)).clamp(min=0) * open_sky
    above = (0.5 + 0.5 * mirror.normal[..., 1:2]).clamp(0, 1)
    around = torch.lerp(lights.low[:, None], lights.high[:, None], above) * open_sky[..., None]
    light = around + lights.key[:, None] * toward[..., None] + lights.fill[:, None] * aside[..., None]

    dust = lights.dust[:, None] * facing[..., 1].clamp(min=0) ** 3
    color = torch.lerp(base, base.new_full((), 0.45), dust[..., None])
    diffuse = color * light * (1 - mirror.metal)[..., None]
    gloss = 2 / (mirror.roughness**2 + 1e-3)
    half = normalize(sun - ray, dim=-1)
    spark = (mirror.normal * half).sum(-1).clamp(min=0) ** gloss * (gloss + 8) / 40
    seen = environment(lights, mirror.direction, mirror.roughness) * (0.25 + 0.75 * open_sky)[..., None]
    mirrored = mirror.strength * (seen + lights.key[:, None] * (spark * toward).clamp(max=8)[..., None])
    lamp = among(surface.look[..., 6], Pattern.LAMP)[..., None]
    return torch.where(lamp, base * 2.5, diffuse + mirrored * (1 - 0.7 * dust)[..., None])


def through_glass(color: Tensor, normal: Tensor, ray: Tensor, behind: Tensor, lights: Lights) -> Tensor:
    """Radiance (B, R, 3) of panes in front of radiance `behind`: tinted, with the environment mirrored on top.

    Args:
        color: (B, R, 3) sRGB of the glass.
        normal: (B, R, 3) in the world.
        ray: (B, R, 3) unit view directions.
    """
    cosine = -(normal * ray).sum(-1, keepdim=True)
    strength = 0.05 + 0.8 * (1 - cosine.clamp(0, 1)) ** 5
    glare = environment(lights, ray + 2 * cosine * normal, torch.full_like(cosine[..., 0], 0.02))
    return behind * (0.2 + 0.75 * color) * (1 - strength) + 0.05 * color**2.2 + strength * glare


def _uneven(surface: Surface) -> Tensor:
    """(B, R, 3) world normals, disturbed as the material is: orange peel of paint, hairlines of metal, threads."""
    look = surface.look
    along, across, third = grain_frame(surface.local, look[..., 9])
    *_, cells, lengthwise, height = constants(look[..., 6], _FINISHES)
    x, y, z = vector_noise(along * lengthwise + look[..., 8], across * cells, third * cells)
    bump = (torch.stack([x, y, z], -1) - 0.5) * height[..., None]
    return normalize(to_world(surface, surface.round + bump), dim=-1)


def table_of(rotation: Tensor, center: Tensor, extent: Tensor, is_box: Tensor, look: Tensor) -> Tensor:
    """(B, P, C) what `surfaces` reads of primitives; fields as in `training.raycast.Solids`, `is_box` (B, P)."""
    return torch.cat([rotation.flatten(2), center, extent, is_box[..., None].float(), look], -1)


def surfaces(table: Tensor, slot: Tensor, point: Tensor) -> Surface:
    """What lies at world points (B, R, 3) of the primitives `slot` (B, R), described by `table_of`."""
    turn, center, extent, is_box, look = pick(table, slot).split([9, 3, 3, 1, LOOK_CHANNELS], -1)
    turn = turn.unflatten(-1, (3, 3))
    local = ((point - center)[..., None] * turn).sum(-2)
    face, rounded = normals(local, extent, is_box[..., 0] > 0)
    return Surface(local, turn, extent, face, rounded, look)
