"""Which joint a part has: the picture's evidence, weighed with the plan's and with what such parts usually have.

The plan's joint is right with the probability that it states. If it is wrong, other joints are as likely as they are
for parts of that label and shape, and likelier the more they have in common with the plan all the same. Each is less
likely if it drives the part into the rest of the object.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from articulation.joint import Joint
from articulation.plan import Plan
from articulation.typing import Array, IntArray
from services.refinement import hypotheses
from services.refinement.descent import descend, finished
from services.refinement.kinematics import tied
from services.refinement.objective import Objective
from services.refinement.part_prior import LEAST, PartPrior, Place
from services.refinement.schedule import Schedule
from services.refinement.shading import ClosedView
from services.refinement.state import State, pack

OPENINGS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Fractions of its planned range at which a planned joint is tried."""

BLIND = 0.5
"""An opening that changes the loss by less than this many temperatures is not seen: neither is the joint's kind."""

SETTLING = 4.0
"""What a few steps may well add to the logarithm of a hypothesis' probability."""

TRUST_RANGE = (0.05, 0.95)
"""A plan's confidence in a joint counts at least and at most this much."""

AGREES = 4.0
"""How much likelier a joint is for each of type, direction and line that it has in common with a plan that is wrong."""

BLOCKED_SHARE = 0.05
"""A joint that drives more of its part's surface into the rest of the object is blocked."""

BLOCKED = 0.08
"""Likelihood of a joint that is blocked against one that is not: 2.3 % of 213 true joints of training objects are, and
23 % of 644 others that parts of their shape have (`training.fit_joint_prior`)."""


@dataclass(frozen=True)
class Verdict:
    """What became of the planned joints.

    Attributes:
        state: with the likelier joint of each part.
        changed: parts whose planned joint gave way.
        confidence: of each part's joint.
    """

    state: State
    changed: tuple[int, ...]
    confidence: dict[int, float]


class Judgement:
    """Compares explanations of one object's pictures.

    Args:
        objective: the pictures and parts.
        plan: the belief.
        start: its joints at the openings that were asked for.
        schedule: lengths.
        check: called before each batch of pictures; what it raises ends the comparison.
    """

    def __init__(
        self,
        objective: Objective,
        plan: Plan,
        start: State,
        schedule: Schedule,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._objective = objective
        self._plan = plan
        self._tree = plan.articulation()
        self._start = start
        self._schedule = schedule
        self._check = check
        self._bounds = objective.bounds
        self._moving = objective.moving
        self._opens = objective.active.cpu().numpy()
        self._batch = max(schedule.batch // len(objective.opened), 1)
        self._priors = {i: PartPrior.of(plan.parts[i].label, self._bounds[i]) for i in self._moving}

    def opened(self, view: ClosedView) -> tuple[State, set[int]]:
        """The planned joints at the openings that the pictures show, and those whose opening makes a difference.

        It is the explanation that a change has to beat. Axes are straightened where that suits the objective.
        """
        state, shown = self._start, set()
        for index in self._moving:
            joint, opener = state.joints[index], self._tree.leader(index)
            upper = state.joints[opener].upper
            openings: list[Array | float] = [state.q[:, opener], *(fraction * upper for fraction in OPENINGS)]
            straight = hypotheses.principal(joint.axis)
            slanted = not np.array_equal(straight, joint.axis)
            beliefs = [joint, replace(joint, axis=straight)] if slanted else [joint]
            grid = [[self._with(state, index, belief, q) for q in openings] for belief in beliefs]
            best, losses, spread = self._opened_best(view, index, grid)
            state = best[int(losses.argmin())]
            if spread > self._schedule.temperature * BLIND:
                shown.add(index)
        return self._settle(view, [state], self._moving, self._moving)[0][0], shown

    def choose(self, view: ClosedView, state: State, index: int, seen: bool) -> tuple[State, float]:
        """The most probable hypothesis of one joint, the others held, and its probability.

        Each hypothesis is tried at several openings; the most promising ones are given a few steps to settle. Of a
        joint whose opening no picture shows, only what is known without them counts.
        """
        joint, bounds = state.joints[index], self._bounds[index]
        coupled = len(self._tree.coupled_with(index)) > 1
        joints = [joint, *hypotheses.alternatives(joint, bounds, self._priors[index], coupled)]
        priors = self._log_priors(index, joints, believed=joint is self._plan.parts[index].joint)
        if seen:
            best, losses = self._tried(view, state, index, joints, priors)
        else:
            share = state.q[:, index] / max(joint.upper, 1e-9)
            others = [state.with_joint(index, other).opened(index, share * other.upper) for other in joints[1:]]
            best = [state, *others]
            losses = np.zeros(len(best))
        chances = posterior(losses, priors, self._schedule.temperature)
        winner = int(chances.argmax())
        return best[winner], float(chances[winner])

    def judge(self, view: ClosedView, state: State, planned: State) -> Verdict:
        """Put back the planned joints that are likelier than the found ones.

        Both explanations are given the openings that suit them. Pictures that even the best explanation misses by far
        are weaker evidence: what it leaves unexplained is noise.
        """
        back = []
        for index in self._moving:
            restored, opener = state.with_joint(index, planned.joints[index]), self._tree.leader(index)
            row = [restored.opened(opener, q[:, opener]) for q in (state.q, planned.q)]
            back += self._opened_best(view, index, [row])[0]
        settled, losses = self._settle(view, [state, *back], self._moving, self._moving)
        temperature = self.noise_of(float(losses.min()))
        after, changed, confidence = settled[0], [], {}
        for index, trial, loss in zip(self._moving, settled[1:], losses[1:], strict=True):
            joint = planned.joints[index]
            priors = self._log_priors(index, [joint, state.joints[index]], believed=True)
            kept, moved = posterior(np.array([loss, losses[0]]), priors, temperature)
            if moved > kept:
                changed.append(index)
                confidence[index] = float(moved)
            else:
                after = after.with_joint(index, joint).opened(index, trial.q[:, index])
                # The picture was drawn from the plan: it may raise doubts, but proves nothing.
                confidence[index] = min(joint.confidence, float(kept))
        return Verdict(after, tuple(changed), confidence)

    @torch.no_grad()
    def losses(self, view: ClosedView, states: Sequence[State], size: int) -> Array:
        """(N, K) objective of many states in each open picture, rendered in bounded batches."""
        found: list[Tensor] = []
        for chunk in self._chunks(states):
            self._check()
            screws, q = pack(chunk, self._objective.proxies.vertices)
            found.append(self._objective.open_losses(view, screws, q, size))
        return np.asarray(torch.cat(found).double().cpu().numpy())

    def noise_of(self, loss: float) -> float:
        """Differences in loss that say nothing, where the best explanation leaves `loss`."""
        return self._schedule.noise_of(loss, len(self._objective.opened))

    def _tried(
        self, view: ClosedView, state: State, index: int, joints: Sequence[Joint], priors: Array
    ) -> tuple[list[State], Array]:
        """Each hypothesis at the opening that suits it best, and the (H,) losses."""
        opener = self._tree.leader(index)
        grid = []
        for other in joints:
            opening = other if opener == index else state.joints[opener]
            starts = hypotheses.starts(opening, self._bounds[opener])
            grid.append([self._with(state, index, other, q) for q in starts])
        # The belief is also tried where it is and closed: a picture that shows no opening is no evidence against it.
        grid[0] += [self._with(state, index, joints[0], q) for q in (state.q[:, opener], 0.0)]
        best, losses, _ = self._opened_best(view, index, grid)
        settle = self._promising(losses, priors)
        moved, lower = self._settle(view, [best[i] for i in settle], [index])
        for i, trial, loss in zip(settle, moved, lower, strict=True):
            best[i], losses[i] = trial, loss
        return best, losses

    def _with(self, state: State, index: int, joint: Joint, q: Array | float) -> State:
        """The same but for one joint, opened, or its leader, in those pictures that may show it open."""
        return state.with_joint(index, joint).opened(self._tree.leader(index), q * self._opens[:, index])

    def _opened_best(
        self, view: ClosedView, index: int, grid: Sequence[Sequence[State]]
    ) -> tuple[list[State], Array, float]:
        """Each explanation with the opening of one part that suits it best in each picture.

        Args:
            view: the closed image.
            index: of the part.
            grid: a row of states an explanation, which differ in the part's opening, or its leader's.

        Returns:
            One state a row, their losses, and how much the loss varies over all.
        """
        flat = self.losses(view, [trial for row in grid for trial in row], self._schedule.search_size)
        best, losses, opener = [], [], self._tree.leader(index)
        for row, found in zip(grid, np.split(flat, np.cumsum([len(row) for row in grid])[:-1]), strict=True):
            suits = found.argmin(0)
            q = np.array([row[trial].q[picture, opener] for picture, trial in enumerate(suits)])
            best.append(row[0].opened(opener, q))
            losses.append(found.min(0).sum())
        return best, np.array(losses), float(np.ptp(flat, axis=0).sum())

    def _chunks(self, states: Sequence[State]) -> list[Sequence[State]]:
        return [states[first : first + self._batch] for first in range(0, len(states), self._batch)]

    def _settle(
        self, view: ClosedView, states: Sequence[State], links: Sequence[int], held: Collection[int] = ()
    ) -> tuple[list[State], Array]:
        """Each hypothesis by itself after a few steps."""
        size, steps = self._schedule.search_size, self._schedule.settle_steps
        runs = [
            finished(descend(self._objective, view, chunk, links, size, steps, held), self._check)
            for chunk in self._chunks(states)
        ]
        return [state for moved, _ in runs for state in moved], np.concatenate([losses for _, losses in runs])

    def _promising(self, losses: Array, priors: Array) -> IntArray:
        """The belief, first, and those hypotheses that a few steps may make more probable than it."""
        score = priors - losses / self._schedule.temperature
        best = np.argsort(losses, kind="stable")[: self._schedule.settle_count]
        return np.union1d(best[score[best] > score[0] - SETTLING], [0])

    def _log_priors(self, index: int, joints: Sequence[Joint], *, believed: bool) -> Array:
        """(H,) of joints of one part; probabilities up to a common factor.

        Args:
            index: of the part.
            joints: H guesses.
            believed: whether the first one is the plan's.
        """
        prior, planned, bounds = self._priors[index], self._plan.parts[index].joint, self._bounds[index]
        trust = float(np.clip(planned.confidence, *TRUST_RANGE))
        belief = Place.of(planned, bounds)

        def likely(place: Place, chance: float) -> float:
            return chance * AGREES ** place.agreement(belief)

        whole = sum(likely(place, chance) for place, chance in prior.chances.items())
        places = [Place.of(joint, bounds) for joint in joints]
        chances = np.array([(1 - trust) * likely(place, prior.chances.get(place, LEAST)) / whole for place in places])
        if believed:
            chances[0] = trust
        elif hypotheses.alike(joints[0], planned):
            chances[0] += trust
        return np.asarray(np.log(chances) + np.where(self._blocked(index, joints), np.log(BLOCKED), 0.0))

    @torch.no_grad()
    def _blocked(self, index: int, joints: Sequence[Joint]) -> Array:
        """(H,) bool, whether a joint drives its part into the rest of the object within its range."""
        closed, opener = State(self._start.joints, np.zeros((1, len(self._start.joints)))), self._tree.leader(index)
        states = [closed.with_joint(index, joint) for joint in joints]
        states = [state.opened(opener, np.array([state.joints[opener].upper])) for state in states]
        screws, q = pack(states, self._objective.proxies.vertices)
        share = self._objective.contact.overlap(screws, tied(q[:, 0], self._objective.followers))[:, index]
        return np.asarray((share > BLOCKED_SHARE).cpu().numpy())


def posterior(losses: Array, log_priors: Array, temperature: float) -> Array:
    """(H,) losses and logarithms of prior probabilities of H guesses -> (H,) probabilities."""
    score = log_priors - losses / temperature
    weight = np.exp(score - score.max())
    return np.asarray(weight / weight.sum())
