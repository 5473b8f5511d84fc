"""Refinement of all joints of one object at once.

1. The camera, against the closed image's silhouette.
2. The planned joints are opened as the picture shows.
3. In rounds, from coarse to fine pictures: each joint in turn takes the most probable of its discrete hypotheses
   (`services.refinement.hypotheses`), judged in one batch; then Adam moves all axes, origins and openings together;
   joints that fit as well on a principal axis and a panel's side are put there.
4. Planned joints that are likelier than the found ones are put back; if all are, no further round is worth it.
5. The start is returned unless the objective, camera and joints together, has become smaller.

No random number is drawn: the result is a function of the inputs.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from articulation.camera import Camera
from articulation.plan import Plan
from articulation.typing import Array, IntArray
from services.refinement import hypotheses
from services.refinement.descent import Adam, descend
from services.refinement.objective import Objective
from services.refinement.shading import ClosedView
from services.refinement.state import State, pack

CAMERA_SCALE = (0.2, 0.15, 0.5, 0.1, 0.05, 0.05)
"""How far a planned camera may well be off: azimuth, elevation [rad], distance, fov [rad], shifts."""


CAMERA_RATE = 0.05
CAMERA_PRIOR = 1e-4
"""Loss of a camera that is off by one `CAMERA_SCALE` in one number."""


PYRAMID = 8
"""Picture sides are multiples of this, so that each level of the losses' pyramid halves the one before."""

OPENINGS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Fractions of its planned range at which a planned joint is tried."""

BLIND = 0.5
"""An opening that changes the loss by less than this many temperatures is not seen: neither is the joint's kind."""

SETTLING = 4.0
"""What a few steps may well add to the logarithm of a hypothesis' probability."""

T = TypeVar("T")


@dataclass(frozen=True)
class Schedule:
    """How long and how finely to optimise.

    Attributes:
        camera_steps: Adam steps on the camera.
        joint_steps: Adam steps in each round.
        sizes: picture side of each round [px].
        search_size: picture side on which hypotheses are compared [px].
        settle_count: hypotheses of one joint that are moved before they are compared.
        settle_steps: Adam steps on those.
        batch: hypotheses rendered at once; bounds the memory.
        temperature: loss difference by which one hypothesis becomes e times as probable as another.
        noise: the same in the judgement of a plan's joint, as a share of the loss that the best explanation leaves.
        report_every: steps between two progress reports before the last, which comes with the outcome.
    """

    camera_steps: int = 40
    joint_steps: int = 50
    sizes: tuple[int, ...] = (64, 128)
    search_size: int = 64
    settle_count: int = 6
    settle_steps: int = 10
    batch: int = 32
    temperature: float = 0.012
    noise: float = 0.5
    report_every: int = 5

    def limited(self, effort: float) -> Schedule:
        """The same with a share in (0, 1] of the steps and of the pixels."""

        def share(steps: int) -> int:
            return math.ceil(steps * effort)

        def side(size: int) -> int:
            return PYRAMID * math.ceil(size * math.sqrt(effort) / PYRAMID)

        return replace(
            self,
            camera_steps=share(self.camera_steps),
            joint_steps=share(self.joint_steps),
            sizes=tuple(side(size) for size in self.sizes),
            search_size=side(self.search_size),
            settle_count=share(self.settle_count),
            settle_steps=share(self.settle_steps),
        )

    @property
    def total_steps(self) -> int:
        return self.camera_steps + self.joint_steps * len(self.sizes)


@dataclass(frozen=True)
class Progress:
    """Where the optimisation is.

    Attributes:
        step: Adam steps that were taken.
        total_steps: those that are planned; in the last report those that were taken, as rounds that are not worth it
            are left out.
        loss: of the current phase, in the last report of the outcome.
    """

    step: int
    total_steps: int
    loss: float


@dataclass(frozen=True)
class Refined:
    """The outcome.

    Attributes:
        plan: with refined joints, limits, confidences and camera.
        coordinates: (L,) opening that the open image shows, [rad] or model units.
        initial_loss: of the plan as given.
        final_loss: of `plan`; never above `initial_loss`.
    """

    plan: Plan
    coordinates: Array
    initial_loss: float
    final_loss: float


class Refinement:
    """One refinement; `run` yields progress and returns the result.

    Args:
        objective: the pictures and parts.
        plan: the start.
        opening: (L,) fraction of each planned upper limit that the open image was asked for.
        schedule: lengths.
    """

    def __init__(self, objective: Objective, plan: Plan, opening: Array, schedule: Schedule) -> None:
        self._objective = objective
        self._plan = plan
        self._schedule = schedule
        self._bounds = objective.proxies.bounds.cpu().numpy().astype(np.float64)
        self._active = [int(i) for i in objective.active.nonzero()[:, 0]]
        upper = np.array([part.joint.upper for part in plan.parts])
        self._start = State(tuple(part.joint for part in plan.parts), np.asarray(opening) * upper)
        self._step = 0

    def run(self) -> Generator[Progress, None, Refined]:
        """Optimise; closing the generator stops the work."""
        start_camera = self._tensor(self._plan.camera.to_array())
        initial = self._total(start_camera, self._start)
        camera = yield from self._refine_camera(start_camera)
        view = self._objective.view(camera)
        state = self._start
        confidence: dict[int, float] = {}
        if self._active:
            state, confidence = yield from self._refine_joints(view)
        final = self._total(camera, state)
        refined = Refined(self._plan, self._start.q, initial, initial)
        if final < initial:
            refined = Refined(self._refined_plan(camera, state, confidence), state.q, initial, final)
        yield Progress(self._step, self._step, refined.final_loss)
        return refined

    def _refine_joints(self, view: ClosedView) -> Generator[Progress, None, tuple[State, dict[int, float]]]:
        """All active joints, their limits included, and each one's confidence."""
        planned, shown = self._open(view)
        # Asked openings are the better start: a joint that is off may fit best where it is shut.
        found, judged = self._start, planned
        changed: list[int] = []
        chosen = dict.fromkeys(self._active, 1.0)
        confidence: dict[int, float] = {}
        for size in self._schedule.sizes:
            for index in self._active:
                if index in shown:
                    found, chosen[index] = self._choose(view, found, index)
            found = yield from self._descend(view, found, size)
            found = self._snap(view, found)
            judged, changed, confidence = self._judge(view, found, planned)
            if not changed:
                break
        for index in self._active:
            joint, q = judged.joints[index], float(judged.q[index])
            if index in changed:
                upper = hypotheses.upper_limit(joint, self._bounds[index], q)
                judged = judged.with_joint(index, replace(joint, upper=upper), q)
                confidence[index] = min(confidence[index], chosen[index])
            else:
                judged = judged.with_joint(index, joint, min(q, joint.upper))
        return judged, confidence

    def _refine_camera(self, start: Tensor) -> Generator[Progress, None, Tensor]:
        scale = self._tensor(np.array(CAMERA_SCALE))
        offset = torch.zeros_like(start, requires_grad=True)
        adam = Adam([(offset, CAMERA_RATE)], self._schedule.camera_steps)
        best, best_loss = start, float("inf")
        for _ in range(self._schedule.camera_steps):
            camera = start + offset * scale
            loss = self._objective.closed_loss(camera[None], self._schedule.search_size)[0]
            loss = loss + CAMERA_PRIOR * offset.square().sum()
            if loss.item() < best_loss:
                best, best_loss = camera.detach(), loss.item()
            adam.step(loss)
            yield from self._report(loss.item())
        return best

    def _choose(self, view: ClosedView, state: State, index: int) -> tuple[State, float]:
        """The most probable hypothesis of one joint, the others held, and its probability.

        Each hypothesis is tried at several openings; the most promising ones are given a few steps to settle.
        """
        joint, bounds = state.joints[index], self._bounds[index]
        joints = [joint, *hypotheses.alternatives(joint, bounds)]
        # The belief is also tried where it is and closed: a picture that shows no opening is no evidence against it.
        openings = [hypotheses.starts(other, bounds) for other in joints]
        openings[0] += [float(state.q[index]), 0.0]
        grid = [[state.with_joint(index, other, q) for q in row] for other, row in zip(joints, openings, strict=True)]
        flat = self._losses(view, [trial for row in grid for trial in row], self._schedule.search_size)
        rows = np.split(flat, np.cumsum([len(row) for row in grid])[:-1])
        best = [row[int(losses.argmin())] for row, losses in zip(grid, rows, strict=True)]
        losses = np.array([row.min() for row in rows])

        priors = hypotheses.priors(self._plan.parts[index].joint.confidence, len(joints))
        settle = self._promising(losses, priors)
        moved, lower = self._settle(view, [best[i] for i in settle], [index])
        for i, trial, loss in zip(settle, moved, lower, strict=True):
            best[i], losses[i] = trial, loss
        chances = hypotheses.posterior(losses, priors, self._schedule.temperature)
        winner = int(chances.argmax())
        return best[winner], float(chances[winner])

    def _open(self, view: ClosedView) -> tuple[State, set[int]]:
        """The planned joints at the openings that the picture shows, and those whose opening makes a difference.

        It is the explanation that a change has to beat. Axes are straightened where that suits the objective.
        """
        state, shown = self._start, set()
        for index in self._active:
            joint = state.joints[index]
            openings = [float(state.q[index]), *(fraction * joint.upper for fraction in OPENINGS)]
            beliefs = [joint, replace(joint, axis=hypotheses.principal(joint.axis))]
            trials = [state.with_joint(index, belief, q) for belief in beliefs for q in openings]
            losses = self._losses(view, trials, self._schedule.search_size)
            state = trials[int(losses.argmin())]
            if np.ptp(losses) > self._schedule.temperature * BLIND:
                shown.add(index)
        return self._settle(view, [state], self._active, self._active)[0][0], shown

    def _judge(self, view: ClosedView, state: State, planned: State) -> tuple[State, list[int], dict[int, float]]:
        """Put back the planned joints that are likelier than the found ones.

        Both explanations are given the openings that suit them. A picture that even the best explanation misses by far
        is weaker evidence: what it leaves unexplained is noise.

        Returns:
            The state, the joints that remain changed, and the confidence in each joint's outcome.
        """
        back = []
        for index in self._active:
            pair = [state.with_joint(index, planned.joints[index], float(q[index])) for q in (state.q, planned.q)]
            back.append(pair[int(self._losses(view, pair, self._schedule.search_size).argmin())])
        settled, losses = self._settle(view, [state, *back], self._active, self._active)
        temperature = self._schedule.noise * max(float(losses.min()), self._schedule.temperature)
        after, changed, chances = settled[0], [], {}
        for index, trial, loss in zip(self._active, settled[1:], losses[1:], strict=True):
            joint = planned.joints[index]
            priors = hypotheses.priors(joint.confidence, 2)
            kept, moved = hypotheses.posterior(np.array([loss, losses[0]]), priors, temperature)
            if moved > kept:
                changed.append(index)
                chances[index] = float(moved)
            else:
                after = after.with_joint(index, joint, float(trial.q[index]))
                # The picture was drawn from the plan: it may raise doubts, but proves nothing.
                chances[index] = min(joint.confidence, float(kept))
        return after, changed, chances

    def _settle(
        self, view: ClosedView, states: Sequence[State], links: Sequence[int], held: Sequence[int] = ()
    ) -> tuple[list[State], Array]:
        """Each hypothesis by itself after a few steps."""
        size, steps = self._schedule.search_size, self._schedule.settle_steps
        return _last(descend(self._objective, view, states, links, size, steps, held))

    def _promising(self, losses: Array, priors: Array) -> IntArray:
        """The belief, first, and those hypotheses that a few steps may make more probable than it."""
        score = np.log(priors) - losses / self._schedule.temperature
        best = np.argsort(losses, kind="stable")[: self._schedule.settle_count]
        return np.union1d(best[score[best] > score[0] - SETTLING], [0])

    def _descend(self, view: ClosedView, start: State, size: int) -> Generator[Progress, None, State]:
        run = descend(self._objective, view, [start], self._active, size, self._schedule.joint_steps)
        while True:
            try:
                loss = next(run)
            except StopIteration as end:
                return cast(State, end.value[0][0])
            yield from self._report(loss)

    def _snap(self, view: ClosedView, state: State) -> State:
        """Each joint on its principal axis and panel side, where the objective does not grow."""
        for index in self._active:
            joint = hypotheses.snapped(state.joints[index], self._bounds[index])
            tried = [state, state.with_joint(index, joint, float(state.q[index]))]
            before, after = self._losses(view, tried, self._schedule.sizes[-1])
            state = tried[1] if after <= before else state
        return state

    def _refined_plan(self, camera: Tensor, state: State, confidence: dict[int, float]) -> Plan:
        parts = list(self._plan.parts)
        for index in self._active:
            joint = replace(state.joints[index], confidence=min(max(confidence[index], 0.0), 1.0))
            parts[index] = replace(parts[index], joint=joint)
        return replace(self._plan, parts=tuple(parts), camera=Camera.from_array(camera.cpu().numpy()))

    @torch.no_grad()
    def _total(self, camera: Tensor, state: State) -> float:
        """The objective of a camera and joints together, on the finest pictures."""
        size = self._schedule.sizes[-1]
        opened = self._losses(self._objective.view(camera), [state], size)[0]
        return float(opened) + float(self._objective.closed_loss(camera[None], size)[0])

    @torch.no_grad()
    def _losses(self, view: ClosedView, states: Sequence[State], size: int) -> Array:
        """(N,) objective of many states, rendered in bounded batches."""
        found: list[Tensor] = []
        for first in range(0, len(states), self._schedule.batch):
            chunk = states[first : first + self._schedule.batch]
            screws, q = pack(chunk, self._objective.proxies.vertices)
            found.append(self._objective.open_loss(view, screws, q, size))
        return np.asarray(torch.cat(found).double().cpu().numpy())

    def _tensor(self, values: Array) -> Tensor:
        vertices = self._objective.proxies.vertices
        return torch.as_tensor(values, device=vertices.device, dtype=vertices.dtype)

    def _report(self, loss: float) -> Iterator[Progress]:
        self._step += 1
        total = self._schedule.total_steps
        if self._step % self._schedule.report_every == 0 and self._step < total:
            yield Progress(self._step, total, loss)


def _last(run: Generator[object, None, T]) -> T:
    """Run a generator to its end and return its result."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            return cast(T, end.value)
