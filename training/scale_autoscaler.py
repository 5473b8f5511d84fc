"""What KEDA and the HorizontalPodAutoscaler make of a component's demand, in simulated time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from training.scale_chart import Policy, Scaling
from training.scale_pools import Pool, Process

TOLERANCE = 0.1
"""The HorizontalPodAutoscaler leaves replicas alone while the demand of each is this near its target."""


class Autoscaler:
    """The decisions for one component.

    Args:
        demand: what the ScaledObject's query answers now.
    """

    def __init__(self, scaling: Scaling, demand: Callable[[], float]) -> None:
        self._scaling = scaling
        self._demand = demand
        self._active = 0.0
        self._wanted: deque[tuple[float, int]] = deque()
        self._changes: deque[tuple[float, int]] = deque()

    def run(self, pool: Pool) -> Process:
        """Look at the demand for ever, and scale the pool."""
        while True:
            pool.scale(self.decide(pool.env.now, len(pool.replicas)))
            yield pool.env.timeout(self._scaling.polling)

    def decide(self, now: float, current: int) -> int:
        """How many replicas there shall be.

        Args:
            now: later than at the last call [s].
            current: replicas, those included that still start.
        """
        rules, demand = self._scaling, self._demand()
        if demand > 0:
            self._active = now
        if current == 0:
            return self._changed(now, 0, max(1, rules.fewest) if demand > 0 else rules.fewest)
        if rules.fewest == 0 and now - self._active >= rules.cooldown:
            return self._changed(now, current, 0)
        near = abs(demand / (rules.target * current) - 1) <= TOLERANCE
        wanted = current if near else math.ceil(demand / rules.target)
        wanted = min(max(wanted, rules.fewest, 1), rules.most)
        self._wanted.append((now, wanted))
        while self._wanted[0][0] < now - rules.stabilisation:
            self._wanted.popleft()
        if wanted > current:
            return self._changed(now, current, min(wanted, self._highest(now, current)))
        steadily = max(count for _, count in self._wanted)
        return self._changed(now, current, max(min(steadily, current), self._lowest(now, current)))

    def _changed(self, now: float, current: int, wanted: int) -> int:
        if wanted != current:
            self._changes.append((now, wanted - current))
        return wanted

    def _highest(self, now: float, current: int) -> int:
        """What the policy that allows the most lets it grow to."""
        return max(self._bound(now, current, policy, 1) for policy in self._scaling.up)

    def _lowest(self, now: float, current: int) -> int:
        return min(self._bound(now, current, policy, -1) for policy in self._scaling.down)

    def _bound(self, now: float, current: int, policy: Policy, sign: int) -> int:
        """A policy counts from the replicas at the start of its period."""
        recent = (change for time, change in self._changes if time > now - policy.seconds and change * sign > 0)
        before = current - sum(recent)
        return before + sign * (policy.pods + math.ceil(policy.percent * before))
