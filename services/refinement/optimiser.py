"""Refinement of all joints of one object at once.

1. The camera, against the closed image's silhouette.
2. The planned joints are opened as the picture shows.
3. In rounds, from coarse to fine pictures: each joint in turn takes the most probable of its discrete hypotheses
   (`services.refinement.hypotheses`), judged in one batch; then Adam moves all axes, origins and openings together;
   joints that fit as well on a principal axis and a panel's side or usual hinge line are put there.
4. Planned joints that are likelier than the found ones are put back; if all are, no further round is worth it.
5. The start is returned unless the objective, camera and joints together, has become smaller.

No random number is drawn: the result is a function of the inputs. It may be stopped between any two batches of
pictures; the result is then the best that was found.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from articulation.camera import Camera
from articulation.kinematics import coupled
from articulation.plan import Plan
from articulation.typing import Array
from services.refinement import hypotheses
from services.refinement.descent import Adam, descend
from services.refinement.judgement import Judgement, Verdict
from services.refinement.objective import Objective
from services.refinement.schedule import Schedule
from services.refinement.shading import ClosedView
from services.refinement.state import State, pack

CAMERA_SCALE = (0.2, 0.15, 0.5, 0.1, 0.05, 0.05)
"""How far a planned camera may well be off: azimuth, elevation [rad], distance, fov [rad], shifts."""


CAMERA_RATE = 0.05
CAMERA_PRIOR = 1e-4
"""Loss of a camera that is off by one `CAMERA_SCALE` in one number."""


class Stopped(Exception):
    """The optimisation was told to end."""


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
        coordinates: (K, L) opening that each open picture shows, [rad] or model units.
        initial_loss: of the plan as given.
        final_loss: of `plan`; never above `initial_loss`.
        stopped: whether it was told to end before it was done.
    """

    plan: Plan
    coordinates: Array
    initial_loss: float
    final_loss: float
    stopped: bool


class Refinement:
    """One refinement; `run` yields progress and returns the result.

    Args:
        objective: the pictures and parts.
        plan: the start.
        opening: (K, L) fraction of each planned upper limit that each open picture was asked for; what is asked of a
            joint that follows another is ignored.
        schedule: lengths.
        stop: asked before each batch of pictures whether to end with the best so far.
    """

    def __init__(
        self,
        objective: Objective,
        plan: Plan,
        opening: Array,
        schedule: Schedule,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._objective = objective
        self._plan = plan
        self._schedule = schedule
        self._stop = stop
        self._bounds = objective.bounds
        self._moving = objective.moving
        upper = np.array([part.joint.upper for part in plan.parts])
        self._start = State(tuple(part.joint for part in plan.parts), np.asarray(opening) * upper)
        self._judgement = Judgement(objective, plan, self._start, schedule, self._check)
        self._step = 0
        self._stopped = False

    def run(self) -> Generator[Progress, None, Refined]:
        """Optimise; closing the generator stops the work."""
        start_camera = self._tensor(self._plan.camera.to_array())
        initial = self._total(start_camera, self._start)
        camera = yield from self._refine_camera(start_camera)
        state = self._start
        confidence: dict[int, float] = {}
        if self._moving:
            state, confidence = yield from self._refine_joints(self._objective.view(camera))
        final = self._total(camera, state)
        tree = self._plan.articulation()
        refined = Refined(self._plan, coupled(tree, self._start.q), initial, initial, self._stopped)
        if final < initial:
            plan = self._refined_plan(camera, state, confidence)
            refined = Refined(plan, coupled(tree, state.q), initial, final, self._stopped)
        yield Progress(self._step, self._step, refined.final_loss)
        return refined

    def _refine_joints(self, view: ClosedView) -> Generator[Progress, None, tuple[State, dict[int, float]]]:
        """All active joints, their limits included, and each one's confidence."""
        # Asked openings are the better start: a joint that is off may fit best where it is shut.
        planned, found, verdict = self._start, self._start, None
        chosen: dict[int, float] = {}
        try:
            planned, shown = self._judgement.opened(view)
            for size in self._schedule.sizes:
                for index in self._moving:
                    found, chosen[index] = self._judgement.choose(view, found, index, seen=index in shown)
                found = yield from self._descend(view, found, size)
                found = self._snap(view, found)
                verdict = self._judgement.judge(view, found, planned)
                if not verdict.changed:
                    break
        except Stopped:
            self._stopped = True
        verdict = verdict or self._hasty_verdict(view, found, planned, chosen)
        state, confidence = verdict.state, verdict.confidence
        for index in self._moving:
            joint, q = state.joints[index], state.q[:, index]
            if index not in verdict.changed:
                state = state.opened(index, np.minimum(q, joint.upper))
                continue
            confidence[index] = min(confidence[index], chosen[index])
            if joint.mimic is None:
                upper = hypotheses.upper_limit(joint, self._bounds[index], float(q.max()))
                state = state.with_joint(index, replace(joint, upper=upper))
        return state, confidence

    def _hasty_verdict(self, view: ClosedView, found: State, planned: State, chosen: Collection[int]) -> Verdict:
        """On what a first round found that was cut short, if it is better than the plan opened.

        Joints that the round had not come to are as planned.
        """
        as_planned = Verdict(planned, (), {index: planned.joints[index].confidence for index in self._moving})
        if not chosen:
            return as_planned
        for index in self._moving:
            if index not in chosen:
                found = found.with_joint(index, planned.joints[index]).opened(index, planned.q[:, index])
        hasty = replace(self._schedule, settle_steps=0)
        verdict = Judgement(self._objective, self._plan, self._start, hasty).judge(view, found, planned)
        before, after = self._losses(view, [planned, verdict.state])
        if before <= after:
            return as_planned
        changed = tuple(index for index in verdict.changed if index in chosen)
        confidence = as_planned.confidence | {index: verdict.confidence[index] for index in chosen}
        return Verdict(verdict.state, changed, confidence)

    def _refine_camera(self, start: Tensor) -> Generator[Progress, None, Tensor]:
        scale = self._tensor(np.array(CAMERA_SCALE))
        offset = torch.zeros_like(start, requires_grad=True)
        adam = Adam([(offset, CAMERA_RATE)], self._schedule.camera_steps)
        best, best_loss = start, float("inf")
        for _ in range(self._schedule.camera_steps):
            if self._stop():
                self._stopped = True
                break
            camera = start + offset * scale
            loss = self._objective.closed_loss(camera[None], self._schedule.search_size)[0]
            loss = loss + CAMERA_PRIOR * offset.square().sum()
            if loss.item() < best_loss:
                best, best_loss = camera.detach(), loss.item()
            adam.step(loss)
            yield from self._report(loss.item())
        return best

    def _descend(self, view: ClosedView, start: State, size: int) -> Generator[Progress, None, State]:
        self._check()
        run = descend(self._objective, view, [start], self._moving, size, self._schedule.joint_steps)
        while True:
            try:
                loss = next(run)
            except StopIteration as end:
                return cast(State, end.value[0][0])
            yield from self._report(loss)
            self._check()

    def _snap(self, view: ClosedView, state: State) -> State:
        """Each joint on its principal axis, within the noise, then on its panel's side, where that is no worse.

        Then on the hinge line that is usual for its label, unless the pictures speak against it by more than its odds.
        """
        for index in self._moving:
            joint = state.joints[index]
            straight = replace(joint, axis=hypotheses.principal(joint.axis))
            aside = hypotheses.snapped(joint, self._bounds[index])
            usual, odds = hypotheses.usual(straight, self._objective.points(index), self._plan.parts[index].label)
            tried = [state, *(state.with_joint(index, other) for other in (straight, aside, usual))]
            before, upright, after, there = self._judgement.losses(view, tried, self._schedule.sizes[-1]).sum(1)
            noise = self._judgement.noise_of(before)
            if upright <= before + noise:
                state, before = tried[1], max(before, upright)
            if after <= before:
                state, before = tried[2], after
            if there <= before + odds * noise:
                state = tried[3]
        return state

    def _refined_plan(self, camera: Tensor, state: State, confidence: dict[int, float]) -> Plan:
        parts = list(self._plan.parts)
        for index in self._moving:
            joint = replace(state.joints[index], confidence=min(max(confidence[index], 0.0), 1.0))
            parts[index] = replace(parts[index], joint=joint)
        return replace(self._plan, parts=tuple(parts), camera=Camera.from_array(camera.cpu().numpy()))

    def _total(self, camera: Tensor, state: State) -> float:
        """The objective of a camera and joints together, on the finest pictures."""
        with torch.no_grad():
            closed = self._objective.closed_loss(camera[None], self._schedule.sizes[-1])[0]
        return float(self._losses(self._objective.view(camera), [state])[0]) + float(closed)

    @torch.no_grad()
    def _losses(self, view: ClosedView, states: Sequence[State]) -> Array:
        """(N,) objective of states, on the finest pictures, whether or not it is time to end."""
        screws, q = pack(states, self._objective.proxies.vertices)
        losses = self._objective.open_losses(view, screws, q, self._schedule.sizes[-1]).sum(1)
        return np.asarray(losses.double().cpu().numpy())

    def _check(self) -> None:
        """Raises Stopped where the optimisation has to end."""
        if self._stop():
            raise Stopped

    def _tensor(self, values: Array) -> Tensor:
        vertices = self._objective.proxies.vertices
        return torch.as_tensor(values, device=vertices.device, dtype=vertices.dtype)

    def _report(self, loss: float) -> Iterator[Progress]:
        self._step += 1
        total = self._schedule.total_steps
        if self._step % self._schedule.report_every == 0 and self._step < total:
            yield Progress(self._step, total, loss)
