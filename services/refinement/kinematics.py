"""Differentiable forward kinematics in torch: the twin of `articulation.kinematics`, batched over hypotheses.

Every link frame coincides with the object frame at q = 0, so a joint is a screw in the object frame and a link's pose
is its parent's pose times the screw's exponential (`docs/frames.md`). B counts hypotheses, L links.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from articulation.joint import Joint, JointType
from articulation.tree import Articulation, topological_order


@dataclass(frozen=True)
class Screws:
    """Joints of all links as tensors; a fixed joint neither rotates nor slides.

    Attributes:
        axis: (B, L, 3) unit vectors.
        origin: (B, L, 3) a point on each axis.
        rotates: (B, L) bool, revolute or continuous.
        slides: (B, L) bool, prismatic.
    """

    axis: Tensor
    origin: Tensor
    rotates: Tensor
    slides: Tensor

    @classmethod
    def of(cls, hypotheses: Sequence[Sequence[Joint]], device: torch.device, dtype: torch.dtype) -> Screws:
        """Pack B lists of L joints."""

        def pack(name: str) -> Tensor:
            rows = [[getattr(joint, name).tolist() for joint in joints] for joints in hypotheses]
            return torch.tensor(rows, device=device, dtype=dtype)

        def flags(values: list[list[bool]]) -> Tensor:
            return torch.tensor(values, device=device)

        return cls(
            axis=pack("axis"),
            origin=pack("origin"),
            rotates=flags([[joint.type.rotates for joint in joints] for joints in hypotheses]),
            slides=flags([[joint.type is JointType.PRISMATIC for joint in joints] for joints in hypotheses]),
        )


@dataclass(frozen=True)
class Follower:
    """A link whose joint follows that of another link, and how (`articulation.joint.Mimic`)."""

    link: int
    leader: int
    multiplier: float
    offset: float


def followers(tree: Articulation) -> tuple[Follower, ...]:
    """The joints of a tree that follow others."""
    return tuple(
        Follower(index, tree.leader(index), link.joint.mimic.multiplier, link.joint.mimic.offset)
        for index, link in enumerate(tree)
        if link.joint.mimic
    )


def tied(q: Tensor, following: Sequence[Follower]) -> Tensor:
    """(..., L) coordinates with those of joints that follow others set by their leaders, differentiable."""
    columns = list(q.unbind(-1))
    for one in following:
        columns[one.link] = one.multiplier * columns[one.leader] + one.offset
    return torch.stack(columns, -1)


def motions(screws: Screws, q: Tensor) -> Tensor:
    """Each joint's displacement at its coordinate.

    Args:
        screws: joints, batched (B, L).
        q: (B, L) coordinates, [rad] where a joint rotates, model units where it slides, ignored where it is fixed.

    Returns:
        (B, L, 3, 4) rotation and translation.
    """
    angle = torch.where(screws.rotates, q, torch.zeros_like(q))[..., None, None]
    x, y, z = screws.axis.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    identity = torch.eye(3, device=q.device, dtype=q.dtype)
    rotation = identity + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross)
    slide = torch.where(screws.slides, q, torch.zeros_like(q))[..., None] * screws.axis
    shift = screws.origin - (rotation @ screws.origin[..., None])[..., 0] + slide
    return torch.cat([rotation, shift[..., None]], -1)


def link_poses(screws: Screws, parents: Sequence[int], q: Tensor) -> Tensor:
    """Pose of every link in the object frame.

    Args:
        screws: joints, batched (B, L).
        parents: L parent indices, -1 for the root.
        q: (B, L) joint coordinates, [rad] or model units.

    Returns:
        (B, L, 3, 4) rotation and translation.
    """
    steps = motions(screws, q).unbind(1)
    poses: dict[int, Tensor] = {}
    for link in topological_order(parents):
        poses[link] = steps[link] if parents[link] < 0 else _compose(poses[parents[link]], steps[link])
    return torch.stack([poses[link] for link in range(len(parents))], 1)


def _compose(outer: Tensor, inner: Tensor) -> Tensor:
    rotation = outer[..., :3] @ inner[..., :3]
    shift = outer[..., :3] @ inner[..., 3:] + outer[..., 3:]
    return torch.cat([rotation, shift], -1)


def transform(poses: Tensor, links: Tensor, points: Tensor) -> Tensor:
    """Carry points of the closed state with their links.

    Args:
        poses: (B, L, 3, 4).
        links: (V,) int64 link of every point.
        points: (V, 3) at the closed state.

    Returns:
        (B, V, 3).
    """
    moved = poses[:, links]
    return (moved[..., :3] @ points[:, :, None])[..., 0] + moved[..., 3]
