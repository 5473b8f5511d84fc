"""A bounded number of requests at work or waiting; further ones are refused at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from prometheus_client import Gauge

from serving.errors import Overloaded

PENDING = Gauge(
    "spark_pending_requests", "Requests that this server has taken, by state: working or waiting.", ["state"]
)


class Admission:
    """Places for the requests of a server, which has one of these.

    Args:
        concurrency: requests at work at the same time.
        queue: requests that may wait.
        seconds: rough cost of a request, by which callers are told when to come back [s].
    """

    def __init__(self, concurrency: int, queue: int, seconds: float) -> None:
        self._concurrency = concurrency
        self._limit = concurrency + queue
        self._seconds = seconds / concurrency
        self._accepted = 0
        self._count(0)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while the context is open.

        Raises:
            Overloaded: all are taken.
        """
        if self._accepted >= self._limit:
            wait = timedelta(seconds=self._seconds * self._accepted)
            raise Overloaded(f"{self._accepted} requests are at work or wait", retry_after=wait)
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self._accepted += change
        PENDING.labels("working").set(min(self._accepted, self._concurrency))
        PENDING.labels("waiting").set(max(self._accepted - self._concurrency, 0))
