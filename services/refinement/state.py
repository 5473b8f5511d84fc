"""A hypothesis about all joints of an object, and its tensor form."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from articulation.joint import Joint
from articulation.typing import Array
from services.refinement.kinematics import Screws


@dataclass(frozen=True)
class State:
    """One joint a link, and its coordinate in each of K open pictures.

    Attributes:
        joints: L joints.
        q: (K, L) coordinates, [rad] or model units.
    """

    joints: tuple[Joint, ...]
    q: Array

    def with_joint(self, index: int, joint: Joint, q: Array) -> State:
        """The same but for one link, which has (K,) coordinates."""
        joints = (*self.joints[:index], joint, *self.joints[index + 1 :])
        coordinates = self.q.copy()
        coordinates[:, index] = q
        return State(joints, coordinates)

    def moved(self, axes: Array, origins: Array, q: Array, links: Sequence[int], held: Collection[int] = ()) -> State:
        """The same with new (L, 3) axes, (L, 3) origins and (K, L) coordinates of some links; of held ones, only q."""
        joints, coordinates = list(self.joints), self.q.copy()
        for i in links:
            coordinates[:, i] = q[:, i]
            if i not in held:
                joints[i] = replace(joints[i], axis=axes[i] / np.linalg.norm(axes[i]), origin=origins[i])
        return State(tuple(joints), coordinates)


def pack(states: Sequence[State], like: Tensor) -> tuple[Screws, Tensor]:
    """B states -> joints (B, L) and coordinates (B, K, L) with the device and type of `like`."""
    screws = Screws.of([state.joints for state in states], like.device, like.dtype)
    q = torch.as_tensor(np.stack([state.q for state in states]), device=like.device, dtype=like.dtype)
    return screws, q
