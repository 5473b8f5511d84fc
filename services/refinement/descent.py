"""Gradient descent on axes, hinge lines and openings of many joints and many hypotheses at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import replace
from typing import TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from articulation.typing import Array
from services.refinement.kinematics import Screws
from services.refinement.objective import Objective
from services.refinement.shading import ClosedView
from services.refinement.state import State, pack

MAX_TURN = np.pi
"""Widest opening of a hinge [rad]."""

MAX_SLIDE = 1.5
"""Longest travel of a drawer [model units]."""

TILT_RATE, SHIFT_RATE, OPENING_RATE = 0.02, 0.015, 0.03
"""Adam's first step of an axis [rad], a hinge line [model units] and an opening [rad or model units]."""


T = TypeVar("T")


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
        q: (B, K, L) start coordinates in each open picture.
        opens: (K, L) bool, openings that may move.
        free: (L,) bool, joints whose axis and hinge line may move.
    """

    def __init__(self, screws: Screws, q: Tensor, opens: Tensor, free: Tensor) -> None:
        self._start = screws
        self._fixed_q = q
        self._opens = opens
        self._free = free
        self._across = tangents(screws.axis)
        self._highest = torch.where(screws.rotates, MAX_TURN, MAX_SLIDE).to(q.dtype)[:, None]
        self._tilt = torch.zeros_like(screws.axis[..., :2], requires_grad=True)
        self._shift = torch.zeros_like(self._tilt, requires_grad=True)
        self._opening = q.detach().clone().requires_grad_()

    def groups(self) -> list[tuple[Tensor, float]]:
        """Values and their learning rates."""
        return [(self._tilt, TILT_RATE), (self._shift, SHIFT_RATE), (self._opening, OPENING_RATE)]

    def current(self) -> tuple[Screws, Tensor]:
        """Joints and coordinates where they are now, differentiable."""
        tilt = self._tilt * self._free[:, None]
        shift = self._shift * (self._free & self._start.rotates)[..., None]
        axis = self._start.axis + (self._across * tilt[..., None]).sum(-2)
        origin = self._start.origin + (self._across * shift[..., None]).sum(-2)
        screws = replace(self._start, axis=axis / axis.norm(dim=-1, keepdim=True), origin=origin)
        return screws, torch.where(self._opens, self._opening, self._fixed_q)

    @torch.no_grad()
    def keep_in_range(self) -> None:
        """Put openings back between closed and the widest."""
        self._opening.copy_(torch.minimum(self._opening.clamp(min=0), self._highest))


def descend(
    objective: Objective,
    view: ClosedView,
    states: Sequence[State],
    links: Sequence[int],
    size: int,
    steps: int,
    held: Collection[int] = (),
) -> Generator[float, None, tuple[list[State], Array]]:
    """Adam on the joints of some links, for every hypothesis by itself.

    Args:
        objective: what is minimised.
        view: the closed image.
        states: B hypotheses.
        links: whose joints may move.
        size: picture side [px].
        steps: number of steps; without any, the hypotheses are judged where they are.
        held: those of the links of which only the opening may move.

    Returns:
        The best of each hypothesis that was met, and its (B,) loss; yields the lowest loss after each step.
    """
    like = objective.proxies.vertices
    screws, q = pack(states, like)
    openers, shapers = objective.openers(links), [link for link in links if link not in held]
    opens, free = (torch.zeros(len(states[0].joints), dtype=torch.bool, device=like.device) for _ in range(2))
    opens[list(openers)], free[shapers] = True, True
    parameters = JointParameters(screws, q, opens & objective.active, free)
    adam = Adam(parameters.groups(), steps)
    best = torch.full((len(states),), torch.inf, device=like.device, dtype=like.dtype)
    axes, origins, openings = screws.axis.clone(), screws.origin.clone(), q.clone()
    for _ in range(max(steps, 1)):
        screws, q = parameters.current()
        losses = objective.open_losses(view, screws, q, size).sum(1)
        with torch.no_grad():
            better = losses < best
            best = torch.where(better, losses, best)
            axes[better], origins[better], openings[better] = screws.axis[better], screws.origin[better], q[better]
        if steps:
            adam.step(losses.sum())
            parameters.keep_in_range()
            yield float(best.min())
    found = zip(states, _numpy(axes), _numpy(origins), _numpy(openings), strict=True)
    moved = [state.moved(axis, origin, opening, shapers, openers) for state, axis, origin, opening in found]
    return moved, _numpy(best)


def finished(run: Generator[object, None, T], check: Callable[[], None]) -> T:
    """Run a generator to its end and return its result; `check` is called before each of its steps."""
    while True:
        check()
        try:
            next(run)
        except StopIteration as end:
            return cast(T, end.value)


def _numpy(values: Tensor) -> Array:
    return np.asarray(values.detach().double().cpu().numpy())


def tangents(axis: Tensor) -> Tensor:
    """(..., 3) unit vectors -> (..., 2, 3) two unit vectors across each and across each other."""
    helper = torch.nn.functional.one_hot(axis.abs().argmin(-1), 3).to(axis.dtype)
    first = torch.linalg.cross(axis, helper)
    first = first / first.norm(dim=-1, keepdim=True)
    return torch.stack([first, torch.linalg.cross(axis, first)], -2)
