"""What surrounds the object in a photograph: a sheet of paper or a room, its light and what stands about in it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from training.chance import Chance
from training.clutter import KINDS, Props, half_sides, things
from training.lights import SPOTS, Lights
from training.pose import rotation_about
from training.primitives import Pattern
from training.texture import among, constants, rows_of

DRAWS = 256
"""Random numbers an image that its surroundings may take."""
THINGS = 3
PLAIN, OPEN = 0.3, 0.12
"""Share of pictures on a seamless sheet, as of products, and of those without walls."""
FLOOR = 0
"""Slot of the floor among the props."""
_FLOORS = {
    Pattern.PLANKS: 0.38, Pattern.TILE: 0.2, Pattern.FABRIC: 0.2, Pattern.CONCRETE: 0.1, Pattern.STONE: 0.06,
    Pattern.MARBLE: 0.06,
}  # fmt: skip
_TOPS = {Pattern.WOOD: 0.4, Pattern.STONE: 0.25, Pattern.MARBLE: 0.15, Pattern.PAINT: 0.2}
_WALLS = {
    Pattern.PAINT: 0.55, Pattern.CONCRETE: 0.15, Pattern.TILE: 0.12, Pattern.FABRIC: 0.12, Pattern.SLATS: 0.06,
}  # fmt: skip
_HUNG = {Pattern.LAMP: 0.35, Pattern.PAINT: 0.4, Pattern.MARBLE: 0.25}
_SCALES = rows_of({
    Pattern.PAINT: (1.5,), Pattern.PLANKS: (5.0,), Pattern.TILE: (2.8,), Pattern.FABRIC: (35.0,),
    Pattern.CONCRETE: (2.0,), Pattern.STONE: (18.0,), Pattern.MARBLE: (2.0,), Pattern.WOOD: (10.0,),
    Pattern.SLATS: (2.5,),
})  # fmt: skip
"""Repeats a model unit."""


def surroundings(low: Tensor, cameras: Tensor, table: Tensor) -> tuple[Lights, Props, Props]:
    """Light, boxes and cylinders about each object, none of which hides it from its camera.

    Args:
        low: (B, 3) lowest corner of the closed object.
        cameras: (B, 6).
        table: (B, `DRAWS`) uniform random numbers.
    """
    chance = Chance(table)
    eye = cameras[:, 2] * cameras[:, 1].sin()
    above = eye > low[:, 1] + 0.15
    setting = chance.uniform(0, 1)
    seamless, room = setting < PLAIN, (setting > PLAIN + OPEN) & above
    lights = _lights(chance, cameras, seamless, low.device)
    shell, wall_z, wall_x = _shell(chance, cameras, low, seamless, room, above)
    boxes, tubes = _things(chance, cameras, low, wall_z, wall_x, above & ~seamless)
    joined = Props(*(torch.cat(pair, 1) for pair in zip(shell, boxes, strict=True)))
    return lights, joined, tubes


def _lights(chance: Chance, cameras: Tensor, seamless: Tensor, device: torch.device) -> Lights:
    side = cameras[:, 0] + chance.uniform(-1.3, 1.3)
    height = chance.uniform(0.3, 1.25)
    direction = torch.stack([side.sin() * height.cos(), height.sin(), side.cos() * height.cos()], -1)
    other = cameras[:, 0] - (side - cameras[:, 0]).sign() * chance.uniform(0.3, 1.6)
    rise = chance.uniform(-0.1, 0.8)
    opposite = torch.stack([other.sin() * rise.cos(), rise.sin(), other.cos() * rise.cos()], -1)
    ramp = torch.tensor([1.0, 0.0, -1.0], device=device)
    warmth = chance.uniform(-0.12, 0.12, 1) * ramp
    soft = chance.uniform(0, 1)
    key = chance.uniform(0.3, 0.95, 1) * (1 + warmth)
    high = chance.uniform(0.22, 0.62, 1) * (1 - 0.6 * warmth) * (1 + chance.uniform(-0.06, 0.06, 1) * ramp)
    toward = normalize(chance.uniform(-1, 1, SPOTS, 3) + torch.tensor([0.0, 0.5, 0.4], device=device), dim=-1)
    paint = chance.uniform(0.2, 2.5, SPOTS, 1) * (1 + chance.uniform(-0.15, 0.15, SPOTS, 1) * ramp)
    sheet = chance.color((-0.1, 0.3), (0.75, 0.97), 0.04)
    white = chance.likely(0.6)[:, None]
    return Lights(
        direction=direction,
        spread=0.02 + 0.25 * soft * soft,
        key=key,
        fill=chance.uniform(0.0, 0.35, 1) * (1 + chance.uniform(-0.1, 0.1, 1) * ramp),
        fill_direction=opposite,
        low=high * chance.uniform(0.35, 0.9, 1) * (1 + chance.uniform(-0.02, 0.12, 1) * ramp),
        high=high,
        spots=torch.cat([toward, paint, chance.uniform(6, 90, SPOTS, 1)], -1),
        shade=chance.uniform(0.0, 0.35),
        dust=chance.uniform(0.0, 0.25) * chance.likely(0.4),
        wallpaper=torch.where(white, torch.ones_like(sheet), sheet),
        seamless=seamless.float(),
        exposure=1.05 / (high.mean(-1) + 0.55 * key.mean(-1)) ** 0.7 * chance.uniform(0.8, 1.1),
        film=chance.uniform(0.3, 1.0),
    )


def _shell(
    chance: Chance, cameras: Tensor, low: Tensor, seamless: Tensor, room: Tensor, above: Tensor
) -> tuple[Props, Tensor, Tensor]:
    """Floor, counter, rug, walls, skirting, two things on the wall; and where the walls are, (B,) z and signed x."""
    ground, zero = low[:, 1], torch.zeros_like(low[:, 1])
    counter = room & chance.likely(0.25)
    rug = room & ~counter & chance.likely(0.15)
    drop = torch.where(counter, chance.uniform(0.6, 2.0), torch.where(rug, 0.012, 0.0))
    near = chance.likely(0.6)
    wall_z = low[:, 2] - torch.where(near, chance.uniform(0.01, 0.25), chance.uniform(0.25, 3.0))
    away = -torch.where(cameras[:, 0] < 0, -1.0, 1.0)
    wall_x = away * (-low[:, 0] + chance.uniform(0.05, 2.5))
    side = room & chance.likely(0.3)
    front = -low[:, 2] + chance.uniform(0.03, 0.5)
    skirt = chance.uniform(0.04, 0.1)
    sheet_x, sheet_y = chance.uniform(-1.8, 1.8, 2), chance.uniform(0.4, 1.6, 2)
    sheet = chance.uniform(0.15, 0.7, 2, 2)

    def solid(*values: Tensor) -> Tensor:
        return torch.stack(values, -1)

    far = torch.full_like(zero, 40.0)
    one = torch.ones_like(zero)
    thin = torch.full_like(zero, 0.02)
    center = torch.stack(
        [
            solid(zero, ground - drop - 1, zero),
            solid(zero, ground - 0.05, front - 20),
            solid(zero, ground - 0.005, zero),
            solid(zero, zero, wall_z - 1),
            solid(wall_x + away, zero, zero),
            solid(zero, ground - drop + skirt, wall_z),
            solid(sheet_x[:, 0], sheet_y[:, 0], wall_z),
            solid(sheet_x[:, 1], sheet_y[:, 1], wall_z),
        ],
        1,
    )
    extent = torch.stack(
        [
            solid(far, one, far),
            solid(far, one * 0.05, one * 20),
            solid(0.4 - low[:, 0] + skirt * 6, one * 0.005, 0.3 - low[:, 2] + skirt * 4),
            solid(far, far, one),
            solid(one, far, far),
            solid(far, skirt, thin),
            solid(sheet[:, 0, 0], sheet[:, 0, 1], thin),
            solid(sheet[:, 1, 0], sheet[:, 1, 1], thin),
        ],
        1,
    )
    hung = chance.likely(0.35, 2) & room[:, None]
    shown = torch.stack(
        [
            above & (seamless | room | chance.likely(0.6)), counter, rug, room, side,
            room & chance.likely(0.5), hung[:, 0], hung[:, 1],
        ],
        1,
    )  # fmt: skip
    casts = torch.zeros_like(shown)
    casts[:, 5:] = shown[:, 5:]
    turn = rotation_about(
        torch.tensor([0.0, 1.0, 0.0], device=low.device).expand_as(center), torch.zeros_like(center[..., 0])
    )
    return Props(turn, center, extent, _shell_looks(chance), shown, casts), wall_z, torch.where(side, wall_x, away * 99)


def _shell_looks(chance: Chance) -> Tensor:
    """(B, 8, 11) finishes of what `_shell` builds."""
    floor = chance.pattern(_FLOORS)
    wall = chance.pattern(_WALLS)
    wooden = among(floor, Pattern.PLANKS)[:, None]
    boards = chance.color((0.3, 1.1), (0.3, 0.9), 0.03)
    plain = chance.color((-0.1, 0.4), (0.2, 0.9), 0.06)
    painted = chance.color((-0.15, 0.35), (0.45, 0.95), 0.05)
    bold = chance.color((-0.8, 1.2), (0.25, 0.8), 0.25)
    painted = torch.where(chance.likely(0.2)[:, None], bold, painted)
    other = chance.color((-0.3, 1.0), (0.1, 0.95), 0.15, 4)
    base = torch.stack(
        [
            torch.where(wooden, boards, plain), other[:, 0], other[:, 1], painted, painted * 0.97,
            torch.lerp(painted, torch.ones_like(painted), 0.5), other[:, 2], other[:, 3],
        ],
        1,
    )  # fmt: skip
    accent = base * chance.uniform(0.6, 0.95, 8, 1)
    flat = torch.zeros_like(floor)
    hung = chance.pattern(_HUNG, 2)
    fabric = flat + Pattern.FABRIC.value
    pattern = torch.stack([floor, chance.pattern(_TOPS), fabric, wall, wall, flat, hung[:, 0], hung[:, 1]], 1)
    (scale,) = constants(pattern, _SCALES)
    scale = scale * chance.uniform(0.7, 1.5, 8)
    grain = torch.where(chance.likely(0.5, 1), 0.0, 2.0).expand_as(scale)
    gloss = chance.uniform(0, 0.35, 8) * torch.tensor([1.0, 1, 0, 0.3, 0.3, 1, 0.3, 0.3], device=base.device)
    fields = torch.stack([pattern, scale, chance.uniform(0, 6.28, 8), grain, gloss], -1)
    return torch.cat([base, accent, fields], -1)


def _things(
    chance: Chance, cameras: Tensor, low: Tensor, wall_z: Tensor, wall_x: Tensor, allowed: Tensor
) -> tuple[Props, Props]:
    """Clutter farther from the camera than the object, or beside all of it, so that it hides nothing of it."""
    kind = (chance.uniform(0, 1, THINGS) * len(KINDS)).long().clamp(max=len(KINDS) - 1)
    half = half_sides(chance, THINGS, kind)
    reach = half[..., [0, 2]].square().sum(-1).sqrt() * 1.05
    sine, cosine = cameras[:, :1].sin(), cameras[:, :1].cos()
    object_depth = -(sine.abs() * low[:, :1] + cosine * low[:, 2:])
    object_side = -(cosine * low[:, :1] + sine.abs() * low[:, 2:])
    lateral = chance.uniform(-1, 1, THINGS) * (object_side + 2.2)
    beside = lateral.abs() - reach > object_side + 0.02
    back = torch.where(
        beside,
        -object_depth * chance.uniform(-0.6, 1.0, THINGS) - chance.uniform(0, 1.0, THINGS),
        -object_depth - reach - chance.uniform(0.05, 2.0, THINGS),
    )
    x, z = lateral * cosine + back * sine, -lateral * sine + back * cosine
    fits = (z - reach > wall_z[:, None]) & ((x - wall_x[:, None]) * wall_x[:, None].sign() + reach < 0)
    shown = fits & allowed[:, None] & chance.likely(0.6, THINGS)
    spot = torch.stack([x, low[:, 1:2].expand_as(x), z], -1)
    return things(chance, THINGS, spot, shown, kind, half, low.device)
