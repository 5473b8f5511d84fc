"""Batched forward kinematics in torch: link poses of a scene from joint coordinates."""

from __future__ import annotations

import torch
from torch import Tensor

from articulation.joint import JointType
from training.scene import JOINT_TYPES, Scene

_PRISMATIC = JOINT_TYPES.index(JointType.PRISMATIC)
_FIXED = JOINT_TYPES.index(JointType.FIXED)
_ROUNDS = 5
"""A tree may be 2 ** `_ROUNDS` links deep."""


def link_poses(scene: Scene, q: Tensor) -> tuple[Tensor, Tensor]:
    """Pose of every link in the object frame.

    Args:
        q: (B, L) joint coordinates, [rad] or model units; ignored for fixed links.

    Returns:
        rotation (B, L, 3, 3) and translation (B, L, 3), so that a closed-state point p moves to R p + t.
    """
    turns = (scene.joint_type != _FIXED) & (scene.joint_type != _PRISMATIC)
    rotation = rotation_about(scene.joint_axis, torch.where(turns, q, 0.0))
    slide = torch.where(scene.joint_type == _PRISMATIC, q, 0.0)[..., None] * scene.joint_axis
    shift = scene.joint_origin - (rotation @ scene.joint_origin[..., None])[..., 0] + slide
    above = scene.parent
    # Each round puts what an ancestor has gathered in front, which doubles the reach; no launch a link.
    for _ in range(_ROUNDS):
        index = above.clamp(min=0)
        more = (above >= 0)[..., None]
        outer = rotation.take_along_dim(index[..., None, None], 1)
        moved = (outer @ shift[..., None])[..., 0] + shift.take_along_dim(index[..., None], 1)
        shift = torch.where(more, moved, shift)
        rotation = torch.where(more[..., None], outer @ rotation, rotation)
        above = torch.where(above >= 0, above.take_along_dim(index, 1), -1)
    return rotation, shift


def rotation_about(axis: Tensor, angle: Tensor) -> Tensor:
    """(..., 3, 3) right-handed rotation by `angle` (...) [rad] about unit `axis` (..., 3)."""
    x, y, z = axis.unbind(-1)
    s, c = angle.sin(), angle.cos()
    k = 1 - c
    rows = (
        c + x * x * k, x * y * k - z * s, x * z * k + y * s,
        y * x * k + z * s, c + y * y * k, y * z * k - x * s,
        z * x * k - y * s, z * y * k + x * s, c + z * z * k,
    )  # fmt: skip
    return torch.stack(rows, -1).reshape(*angle.shape, 3, 3)
