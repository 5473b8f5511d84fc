"""A bounded number of requests at work or waiting; further ones are refused at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from serving.errors import Overloaded


class Admission:
    """Places for the requests of one server.

    Args:
        concurrency: requests at work at the same time.
        queue: requests that may wait.
        seconds: rough cost of a request, by which callers are told when to come back [s].
    """

    def __init__(self, concurrency: int, queue: int, seconds: float) -> None:
        self._limit = concurrency + queue
        self._seconds = seconds / concurrency
        self._accepted = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while the context is open.

        Raises:
            Overloaded: all are taken.
        """
        if self._accepted >= self._limit:
            wait = timedelta(seconds=self._seconds * self._accepted)
            raise Overloaded(f"{self._accepted} requests are at work or wait", retry_after=wait)
        self._accepted += 1
        try:
            yield
        finally:
            self._accepted -= 1
