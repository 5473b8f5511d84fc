"""Things that stand about in a room: simple furniture, plants and lamps, behind and beside the object."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from training.chance import Chance
from training.pose import rotation_about
from training.primitives import Pattern

BOXES, TUBES = 6, 2
"""Solids a thing."""
_Solid = tuple[float, ...]


class Props(NamedTuple):
    """N solids an image that belong to no link; fields as in `training.scene.Scene`.

    Attributes:
        rotation: (B, N, 3, 3).
        center: (B, N, 3).
        extent: (B, N, 3).
        look: (B, N, 11).
        shown: (B, N) bool.
        casts: (B, N) bool, those that throw shadows.
    """

    rotation: Tensor
    center: Tensor
    extent: Tensor
    look: Tensor
    shown: Tensor
    casts: Tensor


class Kind(NamedTuple):
    """A thing in a space of [-1, 1] cubed.

    Attributes:
        low, high: range of its half sides (width, height, depth) [model units].
        boxes: (centre (3), half sides (3), tilt about z [rad], 1 in the second colour) each.
        tubes: (centre (3), radius, half height, inner radius, 1 in the second colour) each, all upright.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    boxes: tuple[_Solid, ...]
    tubes: tuple[_Solid, ...] = ()


KINDS = (
    Kind(  # cartons
        (0.2, 0.2, 0.2), (0.5, 0.6, 0.5),
        ((0, -0.5, 0, 0.95, 0.5, 0.9, 0, 0), (-0.2, 0.2, 0.1, 0.6, 0.2, 0.7, 0, 1),
            (-0.1, 0.6, 0, 0.4, 0.2, 0.4, 0, 0)),
    ),
    Kind(  # a chest of drawers
        (0.35, 0.3, 0.25), (0.8, 0.9, 0.5),
        (
            (0, 0, -0.05, 1, 1, 0.93, 0, 0), (0, 0.66, 0.9, 0.94, 0.28, 0.05, 0, 1),
            (0, 0, 0.9, 0.94, 0.28, 0.05, 0, 1),
            (0, -0.66, 0.9, 0.94, 0.28, 0.05, 0, 1), (0, 0.66, 0.97, 0.2, 0.03, 0.03, 0, 0),
            (0, 0, 0.97, 0.2, 0.03, 0.03, 0, 0),
        ),
    ),
    Kind(  # a plant
        (0.25, 0.4, 0.25), (0.45, 0.9, 0.45),
        (
            (0.05, -0.1, 0, 0.03, 0.5, 0.03, 0.05, 1), (-0.3, 0.4, 0.1, 0.09, 0.5, 0.3, 0.6, 1),
            (0.35, 0.35, -0.1, 0.09, 0.55, 0.3, -0.7, 1), (0.1, 0.55, 0.3, 0.3, 0.4, 0.06, -0.2, 1),
            (-0.1, 0.5, -0.3, 0.3, 0.45, 0.06, 0.3, 1), (0, 0.75, 0, 0.12, 0.25, 0.3, 0.1, 1),
        ),
        ((0, -0.75, 0, 0.5, 0.25, 0, 0),),
    ),
    Kind(  # a lamp
        (0.2, 0.5, 0.2), (0.35, 1.2, 0.35), ((0, -0.97, 0, 0.6, 0.03, 0.6, 0, 0),),
        ((0, 0, 0, 0.06, 0.97, 0, 0), (0, 0.7, 0, 0.9, 0.3, 0.85, 1)),
    ),
    Kind(  # a rack
        (0.35, 0.5, 0.15), (0.8, 1.2, 0.35),
        (
            (-0.96, 0, 0, 0.04, 1, 1, 0, 0), (0.96, 0, 0, 0.04, 1, 1, 0, 0), (0, -0.9, 0, 0.95, 0.03, 1, 0, 0),
            (0, 0.05, 0, 0.95, 0.03, 1, 0, 0), (0, 0.9, 0, 0.95, 0.03, 1, 0, 0),
            (-0.3, 0.35, 0, 0.4, 0.27, 0.6, 0.1, 1),
        ),
        ((0.5, -0.6, 0, 0.3, 0.27, 0, 1),),
    ),
    Kind(  # a chair
        (0.22, 0.45, 0.22), (0.4, 0.7, 0.4),
        (
            (0, 0, 0, 1, 0.07, 1, 0, 1), (0, 0.65, -0.9, 0.95, 0.35, 0.08, 0, 1),
            (-0.9, -0.5, -0.9, 0.08, 0.5, 0.08, 0, 0),
            (0.9, -0.5, -0.9, 0.08, 0.5, 0.08, 0, 0), (-0.9, -0.5, 0.9, 0.08, 0.5, 0.08, 0, 0),
            (0.9, -0.5, 0.9, 0.08, 0.5, 0.08, 0, 0),
        ),
    ),
    Kind((0.08, 0.1, 0.08), (0.25, 0.35, 0.25), (), ((0, 0, 0, 1, 1, 0.8, 0), (0, -0.1, 0, 0.75, 0.8, 0, 1))),  # a pot
)  # fmt: skip


def _table(rows: tuple[tuple[_Solid, ...], ...], slots: int, width: int) -> list[list[tuple[float, ...]]]:
    """Rows of solids, padded to `slots`; a column in front says which exist."""
    blank = (0.0,) * (width + 1)
    return [[(1.0, *solid) for solid in row] + [blank] * (slots - len(row)) for row in rows]


_BOX_TABLE = _table(tuple(kind.boxes for kind in KINDS), BOXES, 8)
_TUBE_TABLE = _table(tuple(kind.tubes for kind in KINDS), TUBES, 7)


def things(
    chance: Chance, count: int, spot: Tensor, shown: Tensor, kind: Tensor, half: Tensor, device: torch.device
) -> tuple[Props, Props]:
    """Boxes and cylinders of things.

    Args:
        count: things T an image.
        spot: (B, T, 3) middle of each thing's underside.
        shown: (B, T) bool.
        kind: (B, T) int64 index into `KINDS`.
        half: (B, T, 3) half sides.
    """
    yaw = chance.uniform(-1.2, 1.2, count)
    up = torch.tensor([0.0, 1.0, 0.0], device=device)
    turn = rotation_about(up.expand(*yaw.shape, 3), yaw)
    middle = spot + up * half[..., 1:2]
    looks = _looks(chance, count, kind)
    boxes = torch.tensor(_BOX_TABLE, device=device)[kind]
    tubes = torch.tensor(_TUBE_TABLE, device=device)[kind]

    tilt = rotation_about(torch.tensor([0.0, 0.0, 1.0], device=device).expand(*boxes.shape[:3], 3), boxes[..., 7])
    box_extent = boxes[..., 4:7] * half[:, :, None]
    slim = torch.minimum(half[..., 0], half[..., 2])[:, :, None]
    tube_extent = torch.stack([tubes[..., 4] * slim, tubes[..., 5] * half[:, :, None, 1], tubes[..., 6] * slim], -1)
    solids = []
    for table, local, extent in ((boxes, tilt, box_extent), (tubes, None, tube_extent)):
        offset = table[..., 1:4] * half[:, :, None]
        center = middle[:, :, None] + (turn[:, :, None] @ offset[..., None])[..., 0]
        rotation = turn[:, :, None].expand(*table.shape[:3], 3, 3)
        rotation = rotation if local is None else rotation @ local
        look = torch.lerp(looks[:, :, None, 0], looks[:, :, None, 1], table[..., -1:])
        exists = (table[..., 0] > 0) & shown[..., None]
        solids.append(Props(*(x.flatten(1, 2) for x in (rotation, center, extent, look, exists, exists))))
    return solids[0], solids[1]


def half_sides(chance: Chance, count: int, kind: Tensor) -> Tensor:
    """(B, T, 3) half sides of things of some kind (B, T)."""
    low, high = (torch.tensor([getattr(x, end) for x in KINDS], device=kind.device)[kind] for end in ("low", "high"))
    return low + (high - low) * chance.uniform(0, 1, count, 3)


def _looks(chance: Chance, count: int, kind: Tensor) -> Tensor:
    """(B, T, 2, 11) a first and a second finish of every thing; those of a plant are green."""
    warm = chance.color((0.0, 1.0), (0.15, 0.95), 0.12, count, 2)
    green = torch.tensor([0.55, 1.0, 0.45], device=kind.device) * chance.uniform(0.25, 0.6, count, 1, 1)
    leaf = (kind == 2)[..., None, None] & (torch.arange(2, device=kind.device) == 1)[:, None]
    base = torch.where(leaf, green, warm)
    accent = base * chance.uniform(0.7, 1.0, count, 2, 1)
    pattern = chance.pattern({Pattern.PAINT: 0.6, Pattern.WOOD: 0.4}, count, 1).expand(*base.shape[:3])
    phase = chance.uniform(0, 6.28, count, 1).expand_as(pattern)
    scale, axis, gloss = (torch.full_like(pattern, value) for value in (14.0, 0.0, 0.15))
    return torch.cat([base, accent, torch.stack([pattern, scale, phase, axis, gloss], -1)], -1)
