"""Light: a key and a fill light, the surroundings as an environment, and the way from radiance to a picture."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

SPOTS = 4
"""Soft boxes, windows or lamps in the environment."""
STUDIO_KEY = (0.35, 0.75, 0.9)
"""Direction towards the studio's key light: above, in front, a little to the right."""
STUDIO_FILL = (-0.8, 0.25, 0.6)


class Lights(NamedTuple):
    """Light of B pictures; colours are linear RGB unless said otherwise.

    Attributes:
        direction: (B, 3) unit, towards the key light, which casts shadows.
        spread: (B,) tangent of the key light's angular radius: how soft its shadows are.
        key, fill: (B, 3).
        fill_direction: (B, 3) unit, towards the fill light.
        low, high: (B, 3) of the environment below and above.
        spots: (B, SPOTS, 7) direction, colour and sharpness of bright places in the environment.
        shade: (B,) key light that remains in shadow, in [0, 1].
        dust: (B,) share of dust on what faces up.
        wallpaper: (B, 3) sRGB where no solid is hit.
        seamless: (B,) 1 where floor and wallpaper are one sheet that takes nothing but shadows, else 0.
        exposure: (B,) factor of radiance.
        film: (B,) 0 clips radiance, 1 rolls it off as film does.
    """

    direction: Tensor
    spread: Tensor
    key: Tensor
    fill: Tensor
    fill_direction: Tensor
    low: Tensor
    high: Tensor
    spots: Tensor
    shade: Tensor
    dust: Tensor
    wallpaper: Tensor
    seamless: Tensor
    exposure: Tensor
    film: Tensor


def studio(count: int, device: torch.device) -> Lights:
    """The same light for every object, on white: hard shadows, no chance."""

    def rows(*values: float) -> Tensor:
        return torch.tensor(values, device=device).repeat(count, 1)

    zero, one = rows(0.0)[:, 0], rows(1.0)[:, 0]
    boxes = torch.tensor(
        [
            (-0.9, 0.5, 0.5, 1.0, 1.0, 1.0, 9.0),
            (0.9, 0.35, 0.4, 0.9, 0.9, 0.9, 14.0),
            (0, 1, 0, 0.9, 0.9, 0.9, 4.0),
            (0, 1, 0, 0.0, 0.0, 0.0, 1.0),  # dark: there are always `SPOTS`
        ],
        device=device,
    )
    boxes = torch.cat([normalize(boxes[:, :3], dim=-1), boxes[:, 3:]], 1)
    return Lights(
        direction=normalize(rows(*STUDIO_KEY), dim=-1),
        spread=zero,
        key=rows(0.56, 0.55, 0.54),
        fill=rows(0.16, 0.17, 0.18),
        fill_direction=normalize(rows(*STUDIO_FILL), dim=-1),
        low=rows(0.3, 0.3, 0.3),
        high=rows(0.48, 0.49, 0.5),
        spots=boxes.repeat(count, 1, 1),
        shade=rows(0.3)[:, 0],
        dust=zero,
        wallpaper=rows(1.0, 1.0, 1.0),
        seamless=one,
        exposure=one,
        film=zero,
    )


def environment(lights: Lights, direction: Tensor, roughness: Tensor) -> Tensor:
    """(B, R, 3) radiance from directions (B, R, 3), blurred by roughness (B, R) in [0, 1]."""
    up = (direction[..., 1:2] * 1.2 + 0.5).clamp(0, 1)
    color = torch.lerp(lights.low[:, None], lights.high[:, None], up)
    for index in range(lights.spots.shape[1]):
        spot = lights.spots[:, None, index]
        toward, paint, sharpness = spot[..., 0:3], spot[..., 3:6], spot[..., 6]
        blurred = sharpness / (1 + sharpness * roughness)
        near = (((direction * toward).sum(-1) - 1) * blurred).exp() * (blurred / sharpness).sqrt()
        color = color + paint * near[..., None]
    return color


def developed(lights: Lights, radiance: Tensor) -> Tensor:
    """(B, R, 3) sRGB in [0, 1] of linear radiance (B, R, 3): exposure, the film's curve and gamma."""
    x = radiance * lights.exposure[:, None, None]
    # A rational fit of film's response by K. Narkowicz, scaled so that mid tones stay where clipping leaves them.
    y = 0.7 * x
    curve = y * (2.51 * y + 0.03) / (y * (2.43 * y + 0.59) + 0.14)
    mapped = torch.lerp(x.clamp(max=1), curve, lights.film[:, None, None])
    return mapped.clamp(1e-6, 1) ** (1 / 2.2)
