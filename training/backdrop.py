"""What surrounds the object in a picture: lights, sky, floor, wall and clutter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from training.pose import rotation_about
from training.primitives import LOOK_CHANNELS, Pattern
from training.scene import Scene

CLUTTER = 3
_Uniform = Callable[..., Tensor]
STUDIO_KEY = (0.35, 0.75, 0.9)
"""Direction towards the studio's key light: above, in front, a little to the right."""


@dataclass(frozen=True, eq=False)
class Lights:
    """One directional key light over an ambient hemisphere, and the sky where no solid is hit.

    Attributes:
        direction: (B, 3) unit, towards the key light.
        key, ambient: (B, 3) linear RGB.
        shade: (B,) key light that remains in shadow, in [0, 1].
        sky_low, sky_high: (B, 3) sRGB below and above.
        blobs: (B, N, 7) direction, sRGB, and sharpness of soft spots in the sky.
    """

    direction: Tensor
    key: Tensor
    ambient: Tensor
    shade: Tensor
    sky_low: Tensor
    sky_high: Tensor
    blobs: Tensor

    def shine(self, albedo: Tensor, normal: Tensor, face: Tensor, ray: Tensor, lit: Tensor, gloss: Tensor) -> Tensor:
        """Shade surface points.

        Args:
            albedo: (B, R, 3) sRGB.
            normal, face: (B, R, 3) shading and face normals.
            ray: (B, R, 3) unit view directions.
            lit: (B, R) share of the key light that arrives.
            gloss: (B, R).

        Returns:
            (B, R, 3) sRGB in [0, 1].
        """
        sun = self.direction[:, None]
        toward = ((normal * sun).sum(-1) * ((face * sun).sum(-1) > 0)).clamp(min=0) * lit
        sky = 0.75 + 0.25 * normal[..., 1]
        head = 0.2 * (normal * ray).sum(-1).abs()
        half = normalize(sun - ray, dim=-1)
        shiny = (normal * half).sum(-1).clamp(min=0) ** 40 * gloss * lit * 0.5
        light = self.ambient[:, None] * (sky + head)[..., None] + self.key[:, None] * toward[..., None]
        return (albedo**2.2 * light + shiny[..., None]).clamp(1e-6, 1) ** (1 / 2.2)

    def sky(self, ray: Tensor) -> Tensor:
        """(B, R, 3) sRGB in the directions (B, R, 3)."""
        color = torch.lerp(self.sky_low[:, None], self.sky_high[:, None], (ray[..., 1:2] * 1.5 + 0.5).clamp(0, 1))
        for direction, paint, sharpness in zip(
            self.blobs[..., 0:3].unbind(1), self.blobs[..., 3:6].unbind(1), self.blobs[..., 6:7].unbind(1), strict=True
        ):
            near = (((ray * direction[:, None]).sum(-1) - 1) * sharpness).exp()
            color = torch.lerp(color, paint[:, None].expand_as(color), near[..., None])
        return color


@dataclass(frozen=True, eq=False)
class Props:
    """N box solids an image that belong to no link; fields as in `raycast.Solids` and `Scene`."""

    rotation: Tensor
    center: Tensor
    extent: Tensor
    shown: Tensor
    casts: Tensor
    look: Tensor


def studio(count: int, device: torch.device) -> Lights:
    """The same soft light for every object, on white."""

    def rows(*values: float) -> Tensor:
        return torch.tensor(values, device=device).expand(count, len(values))

    white = rows(1.0, 1.0, 1.0)
    return Lights(
        normalize(rows(*STUDIO_KEY), dim=-1), rows(0.62, 0.61, 0.6), rows(0.42, 0.43, 0.45), rows(0.35)[:, 0],
        white, white, torch.zeros(count, 0, 7, device=device),
    )  # fmt: skip


def random(scene: Scene, cameras: Tensor, generator: torch.Generator | None) -> tuple[Lights, Props]:
    """Any plausible surroundings of each object, seen by `cameras` (B, 6)."""
    count, device = len(scene), scene.device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator, device=device)

    def color(*shape: int) -> Tensor:
        return (uniform(0.15, 0.95, *shape, 1) + uniform(-0.15, 0.15, *shape, 3)).clamp(0.02, 0.98)

    side = cameras[:, 0] + uniform(-1.2, 1.2)
    height = uniform(0.25, 1.1)
    direction = torch.stack([side.sin() * height.cos(), height.sin(), side.cos() * height.cos()], -1)
    power = uniform(0.5, 1.0, 1)
    warmth = uniform(-0.08, 0.08, 1) * torch.tensor([1.0, 0.0, -1.0], device=device)
    lights = Lights(
        direction=direction,
        key=power * uniform(0.5, 1.1, 1) * (1 + warmth),
        ambient=power * uniform(0.35, 0.8, 1) * (1 - 0.5 * warmth),
        shade=uniform(0.1, 0.7),
        sky_low=color(),
        sky_high=color(),
        blobs=torch.cat(
            [
                normalize(uniform(-1, 1, 3, 3) - torch.tensor([0, 0, 0.8], device=device), dim=-1),
                color(3),
                uniform(3, 60, 3, 1),
            ],
            -1,
        ),
    )
    return lights, _props(scene, cameras, uniform, color)


def _props(scene: Scene, cameras: Tensor, uniform: _Uniform, color: _Uniform) -> Props:
    """Floor, wall and clutter boxes behind the object."""
    count, device = len(scene), scene.device
    total = 2 + CLUTTER
    low = torch.where(scene.link_valid[..., None], scene.boxes[..., :3] - scene.boxes[..., 3:], 9.0).amin(1)
    ground = low[:, 1]
    eye = cameras[:, 2] * cameras[:, 1].sin()

    away = cameras[:, :1] + torch.pi + uniform(-0.9, 0.9, CLUTTER)
    half = torch.stack([uniform(0.1, 0.6, CLUTTER), uniform(0.1, 1.0, CLUTTER), uniform(0.1, 0.6, CLUTTER)], -1)
    range_ = 1.8 + half.amax(-1) * 1.2 + uniform(0, 2.0, CLUTTER)
    clutter = torch.stack([away.sin() * range_, ground[:, None] + half[..., 1], away.cos() * range_], -1)

    wall_z = low[:, 2] - uniform(0.02, 4.0)
    zero = torch.zeros_like(ground)
    center = torch.cat(
        [
            torch.stack([torch.stack([zero, ground - 1.0, zero], -1), torch.stack([zero, zero, wall_z - 1.0], -1)], 1),
            clutter,
        ],
        1,
    )
    plates = torch.tensor([[40.0, 1.0, 40.0], [40.0, 40.0, 1.0]], device=device).expand(count, 2, 3)
    extent = torch.cat([plates, half], 1)
    angle = torch.cat([torch.zeros(count, 2, device=device), uniform(-1.5, 1.5, CLUTTER)], 1)
    rotation = rotation_about(torch.tensor([0.0, 1.0, 0.0], device=device).expand(count, total, 3), angle)

    has_floor = (uniform(0, 1) < 0.75) & (eye > ground + 0.15)
    has_wall = has_floor & (uniform(0, 1) < 0.7)
    behind = clutter[..., 2] - half.amax(-1) * 1.5 > wall_z[:, None]
    has_clutter = (uniform(0, 1, CLUTTER) < 0.5) & has_floor[:, None] & (behind | ~has_wall[:, None])
    shown = torch.cat([has_floor[:, None], has_wall[:, None], has_clutter], 1)
    casts = shown.clone()
    casts[:, :2] = False

    patterns = torch.tensor([Pattern.PAINT, Pattern.WOOD, Pattern.STONE, Pattern.SLATS, Pattern.PAINT], device=device)
    kind = patterns[(uniform(0, 1, total) * len(patterns)).long().clamp(max=len(patterns) - 1)]
    base = color(total)
    accent = (base + uniform(-0.12, 0.12, total, 1)).clamp(0.02, 0.98)
    grain = (uniform(0, 1, total) * 2).long() * 2
    look = torch.cat(
        [
            base,
            accent,
            torch.stack([kind, uniform(0.8, 9.0, total), uniform(0, 6.28, total), grain, uniform(0, 0.3, total)], -1),
        ],
        -1,
    )
    assert look.shape[-1] == LOOK_CHANNELS
    return Props(rotation, center, extent, shown, casts, look)
