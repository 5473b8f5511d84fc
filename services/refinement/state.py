"""A hypothesis about all joints of an object, and its tensor form."""

from __future__ import annotations

from collections.abc import Sequence
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
        q: (K, L) coordinates, [rad] or model units; those of joints that follow others mean nothing.
    """

    joints: tuple[Joint, ...]
    q: Array

    def with_joint(self, index: int, joint: Joint) -> State:
        """The same but for the joint of one link."""
        return State((*self.joints[:index], joint, *self.joints[index + 1 :]), self.q)

    def opened(self, index: int, q: Array) -> State:
        """The same but for the (K,) coordinates of one link."""
        coordinates = self.q.copy()
        coordinates[:, index] = q
        return State(self.joints, coordinates)

    def moved(self, axes: Array, origins: Array, q: Array, links: Sequence[int], openers: Sequence[int]) -> State:
        """The same with new (L, 3) axes and (L, 3) origins of some links, and (K, L) coordinates of some."""
        joints, coordinates = list(self.joints), self.q.copy()
        for i in links:
            joints[i] = replace(joints[i], axis=axes[i] / np.linalg.norm(axes[i]), origin=origins[i])
        coordinates[:, list(openers)] = q[:, list(openers)]
        return State(tuple(joints), coordinates)


def pack(states: Sequence[State], like: Tensor) -> tuple[Screws, Tensor]:
    """B states -> joints (B, L) and coordinates (B, K, L) with the device and type of `like`."""
    screws = Screws.of([state.joints for state in states], like.device, like.dtype)
    q = torch.as_tensor(np.stack([state.q for state in states]), device=like.device, dtype=like.dtype)
    return screws, q
