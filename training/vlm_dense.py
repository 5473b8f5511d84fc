"""What the vision tower also says while it learns: which part each spot of the picture shows, and how that part moves.

A document tells a picture's parts in one line of text; these targets tell them everywhere, so the tower learns to see
parts in a fraction of the steps. The head is left out of the shipped weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from articulation.joint import JointType
from services.vlm.vocabulary import MAX_PARTS
from training.scene import JOINT_TYPES, Scene
from training.vlm_model import ModelSize

SPOTS = 4
"""Of a patch, two by two."""
BACKGROUND, UNKNOWN = 0, 255
"""Codes of a spot that shows no part, and of one that nobody labelled; part i is i + 1."""
NUMBERS = 14
"""Box (centre, half extent), axis, origin, lower and upper limit; zero where the joint has none."""
PART_COLUMNS = 1 + NUMBERS
"""Index into `training.scene.JOINT_TYPES`, then the numbers."""


def dense_links(links: Tensor, size: ModelSize) -> Tensor:
    """Codes of the spots of each patch.

    Args:
        links: (B, S, S) int64 link at each pixel, -1 where there is none.

    Returns:
        (B, N, SPOTS) uint8, patches in the order of `training.vlm_model.patches`.
    """
    step, grid = size.patch // 2, size.grid
    codes = (links[:, step // 2 :: step, step // 2 :: step] + 1).to(torch.uint8)
    tiles = codes.reshape(len(codes), grid, 2, 2, grid, 2, 2).permute(0, 1, 4, 2, 5, 3, 6)
    return tiles.reshape(len(codes), 4 * grid * grid, SPOTS)


def part_table(scene: Scene) -> Tensor:
    """(B, MAX_PARTS, PART_COLUMNS) float16: what the spots of each part are to say."""
    kind = scene.joint_type[..., None]
    moves = kind != JOINT_TYPES.index(JointType.FIXED)
    turns = (kind == JOINT_TYPES.index(JointType.REVOLUTE)) | (kind == JOINT_TYPES.index(JointType.CONTINUOUS))
    columns = (
        kind,
        scene.boxes,
        scene.joint_axis * moves,
        scene.joint_origin * turns,
        scene.joint_lower[..., None] * moves,
        scene.joint_upper[..., None] * moves,
    )
    table = torch.cat([column.half() for column in columns], -1)
    return functional.pad(table, (0, 0, 0, MAX_PARTS - table.shape[1]))


class DenseHead(nn.Module):
    """Reads the spots of a patch off the vision tower.

    Args:
        width: of the tower.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.proj_out = nn.Linear(width, SPOTS * (1 + len(JOINT_TYPES) + NUMBERS))

    def forward(self, hidden: Tensor, links: Tensor, parts: Tensor) -> tuple[Tensor, Tensor]:
        """How wrong the tower is.

        Args:
            hidden: (B, N, C) patches.
            links, parts: see `dense_links` and `part_table`.

        Returns:
            cross-entropy of background and joint types [nat], and mean absolute error of the numbers where there is a
            part. Each part counts with the square root of its area, so that a knob is not lost beside a door.
        """
        said = self.proj_out(self.norm(hidden)).float().unflatten(-1, (SPOTS, -1)).flatten(1, 2)
        code = links.flatten(1).long()
        known = (code != UNKNOWN).float()
        shown = (code != UNKNOWN) & (code != BACKGROUND)
        part = torch.where(shown, code - 1, 0)
        wanted = parts.float().gather(1, part[..., None].expand(-1, -1, PART_COLUMNS))
        kind = torch.where(shown, wanted[..., 0].long() + 1, 0)
        group = torch.where(shown, code, 0)
        area = (group[:, :, None] == torch.arange(MAX_PARTS + 1, device=code.device)).sum(1)
        weight = known * area.gather(1, group).clamp(min=1).float().rsqrt()
        kinds = 1 + len(JOINT_TYPES)
        cross = -said[..., :kinds].log_softmax(-1).gather(-1, kind[..., None])[..., 0]
        error = (said[..., kinds:] - wanted[..., 1:]).abs().mean(-1)
        part_weight = weight * shown
        return (
            (cross * weight).sum() / weight.sum().clamp(min=1),
            (error * part_weight).sum() / part_weight.sum().clamp(min=1),
        )
