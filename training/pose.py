"""Batched forward kinematics in torch: link poses of a scene from joint coordinates."""

from __future__ import annotations

import torch
from torch import Tensor

from articulation.joint import JointType
from training.scene import JOINT_TYPES, Scene

_PRISMATIC = JOINT_TYPES.index(JointType.PRISMATIC)
_FIXED = JOINT_TYPES.index(JointType.FIXED)


def link_poses(scene: Scene, q: Tensor) -> tuple[Tensor, Tensor]:
    """Pose of every link in the object frame.

    Args:
        q: (B, L) joint coordinates, [rad] or model units; ignored for fixed links.

    Returns:
        rotation (B, L, 3, 3) and translation (B, L, 3), so that a closed-state point p moves to R p + t.
    """
    turns = (scene.joint_type != _FIXED) & (scene.joint_type != _PRISMATIC)
    own = rotation_about(scene.joint_axis, torch.where(turns, q, 0.0))
    slide = torch.where(scene.joint_type == _PRISMATIC, q, 0.0)[..., None] * scene.joint_axis
    shift = scene.joint_origin - (own @ scene.joint_origin[..., None])[..., 0] + slide
    rotations, shifts = [own[:, 0]], [shift[:, 0]]
    for index in range(1, q.shape[1]):
        parent = scene.parent[:, index].clamp(min=0)[:, None]
        above = torch.stack(rotations, 1).take_along_dim(parent[..., None, None], 1)[:, 0]
        offset = torch.stack(shifts, 1).take_along_dim(parent[..., None], 1)[:, 0]
        rotations.append(above @ own[:, index])
        shifts.append((above @ shift[:, index, :, None])[..., 0] + offset)
    return torch.stack(rotations, 1), torch.stack(shifts, 1)


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
