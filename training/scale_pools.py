"""Servers and their queues in simulated time: replicas come after a cold start, take what came first, and go."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import simpy

Process = Generator[simpy.Event, Any, None]
TAKEOVER_SECONDS = 5.0
"""Until another gateway notices that one is gone: `gateway.server.LOOK_SECONDS`."""


@dataclass
class Task:
    """What waits for a place: a stage of a reconstruction, or all of one.

    Attributes:
        done: happens when it is.
        since: when it was created; the oldest goes first [s].
        seconds: of work here [s].
        steps: of a whole reconstruction, the pools that it still has to pass and its seconds there.
        abandoned: whoever waited for it is gone.
    """

    done: simpy.Event
    since: float
    seconds: float = 0.0
    steps: deque[tuple[Pool, float]] = field(default_factory=deque)
    abandoned: bool = False


class Replica:
    """One replica of a pool and its places."""

    def __init__(self, pool: Pool, cold: float) -> None:
        self.since = pool.env.now
        self.leaving = False
        self.packaging = simpy.Resource(pool.env)
        self.places = [pool.env.process(pool.work(self, cold)) for _ in range(pool.places)]


class Pool:
    """Replicas of one component and the queue before them.

    Args:
        places: what one replica works on at once.
        cold_start: from the decision to the first request [s].

    Attributes:
        replicas: those that are not about to go.
        pending: tasks that wait or are worked on.
        cold_starts: replicas that came after the start.
    """

    def __init__(self, env: simpy.Environment, places: int, cold_start: float) -> None:
        self.env = env
        self.places = places
        self.cold_start = cold_start
        self.queue = simpy.PriorityStore(env)
        self.replicas: list[Replica] = []
        self.pending = 0
        self.cold_starts = 0
        self._leaving: set[Replica] = set()
        self._gone_seconds = 0.0

    def put(self, task: Task) -> None:
        self.pending += 1
        self._queue(task)

    def paid(self) -> float:
        """Seconds of all replicas until now, those of their starts and ends included."""
        return self._gone_seconds + sum(self.env.now - one.since for one in [*self.replicas, *self._leaving])

    def start(self, count: int) -> None:
        """Replicas that are there from the beginning."""
        self.replicas += [Replica(self, 0.0) for _ in range(count)]

    def scale(self, count: int) -> None:
        """Bring or end replicas until there are `count`; those that came last go first."""
        while len(self.replicas) < count:
            self.replicas.append(Replica(self, self.cold_start))
            self.cold_starts += 1
        while len(self.replicas) > count:
            replica = self.replicas.pop()
            replica.leaving = True
            self._leaving.add(replica)
            for place in replica.places:
                place.interrupt()
            self.env.process(self._leave(replica))

    def work(self, replica: Replica, cold: float) -> Process:
        """One place of a replica, until the replica goes."""
        try:
            yield self.env.timeout(cold)
        except simpy.Interrupt:
            return
        while not replica.leaving:
            getting = self.queue.get()
            try:
                task: Task = (yield getting).item
            except simpy.Interrupt:
                if getting.triggered and getting.value:  # it was handed a task in the same instant
                    self._queue(getting.value.item)
                else:
                    getting.cancel()
                return
            if task.abandoned:
                self.pending -= 1
            else:
                yield from self.handle(replica, task)

    def handle(self, replica: Replica, task: Task) -> Process:
        """Finish a task, even if the replica is told to go meanwhile: model servers drain."""
        end = self.env.now + task.seconds
        while self.env.now < end:
            try:
                yield self.env.timeout(end - self.env.now)
            except simpy.Interrupt:
                continue
        self.pending -= 1
        task.done.succeed()

    def _queue(self, task: Task) -> None:
        self.queue.put(simpy.PriorityItem(task.since, task))

    def _leave(self, replica: Replica) -> Process:
        yield simpy.AllOf(self.env, replica.places)
        self._leaving.remove(replica)
        self._gone_seconds += self.env.now - replica.since


class Gateways(Pool):
    """Replicas that take reconstructions through their stages; what one leaves, another begins anew at that stage.

    A step whose pool is the gateways' own is packaging, which a replica does for one reconstruction at a time.
    """

    def handle(self, replica: Replica, task: Task) -> Process:
        while task.steps:
            pool, seconds = task.steps[0]
            stage = Task(self.env.event(), self.env.now, seconds)
            try:
                if pool is self:
                    with replica.packaging.request() as turn:
                        yield turn
                        yield self.env.timeout(seconds)
                else:
                    pool.put(stage)
                    yield stage.done
            except simpy.Interrupt:
                stage.abandoned = True
                yield self.env.timeout(TAKEOVER_SECONDS)
                self._queue(task)
                return
            task.steps.popleft()
        self.pending -= 1
        task.done.succeed()
