"""Gradient descent on axes, hinge lines and openings of all joints at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from services.refinement.kinematics import Screws

MAX_TURN = 3.14159
"""Widest opening of a hinge [rad]."""

MAX_SLIDE = 1.5
"""Longest travel of a drawer [model units]."""

TILT_RATE, SHIFT_RATE, OPENING_RATE = 0.02, 0.015, 0.03


class Adam:
    """Adam with a cosine decay of the rates over a known number of steps."""

    def __init__(self, groups: Sequence[tuple[Tensor, float]], steps: int) -> None:
        self._adam = torch.optim.Adam([{"params": [value], "lr": rate} for value, rate in groups], betas=(0.8, 0.95))
        self._decay = torch.optim.lr_scheduler.CosineAnnealingLR(self._adam, max(steps, 1))

    def step(self, loss: Tensor) -> None:
        """Move the values against the gradient of a scalar."""
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()
        self._decay.step()


class JointParameters:
    """The free numbers of a batch of hypotheses, only those that a picture can show.

    An axis moves by two tangent components, a hinge line by two components across itself, an opening along its range.
    A prismatic origin and a hinge's origin along its axis have no effect, so they stay what they were.

    Args:
        screws: (B, L) start.
        q: (B, L) start coordinates.
        active: (L,) bool, joints that may move.
    """

    def __init__(self, screws: Screws, q: Tensor, active: Tensor) -> None:
        self._start = screws
        self._across = tangents(screws.axis)
        self._free = active[:, None] & torch.ones_like(screws.axis[..., :2], dtype=torch.bool)
        self._highest = torch.where(screws.rotates, MAX_TURN, MAX_SLIDE).to(q.dtype)
        self.tilt = torch.zeros_like(screws.axis[..., :2], requires_grad=True)
        self.shift = torch.zeros_like(self.tilt, requires_grad=True)
        self.q = q.detach().clone().requires_grad_()

    def groups(self) -> list[tuple[Tensor, float]]:
        """Values and their learning rates."""
        return [(self.tilt, TILT_RATE), (self.shift, SHIFT_RATE), (self.q, OPENING_RATE)]

    def screws(self) -> Screws:
        """The joints where they are now, differentiable."""
        hinge = self._free & self._start.rotates[..., None]
        axis = self._start.axis + (self._across * (self.tilt * self._free)[..., None]).sum(-2)
        origin = self._start.origin + (self._across * (self.shift * hinge)[..., None]).sum(-2)
        return replace(self._start, axis=axis / axis.norm(dim=-1, keepdim=True), origin=origin)

    @torch.no_grad()
    def keep_in_range(self) -> None:
        """Put openings back between closed and the widest."""
        self.q.copy_(torch.minimum(self.q.clamp(min=0), self._highest))


def tangents(axis: Tensor) -> Tensor:
    """(..., 3) unit vectors -> (..., 2, 3) two unit vectors across each and across each other."""
    helper = torch.nn.functional.one_hot(axis.abs().argmin(-1), 3).to(axis.dtype)
    first = torch.linalg.cross(axis, helper)
    first = first / first.norm(dim=-1, keepdim=True)
    return torch.stack([first, torch.linalg.cross(axis, first)], -2)
