"""The threads that work on requests, and a bounded queue before them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.admission import Admission

T = TypeVar("T")

SECONDS_PER_REQUEST = 4.0
"""Rough cost of a request on two CPU cores, by which callers are told when to come back."""


class ModelWorker:
    """Runs functions off the event loop, in the order of arrival; one at a time, unless told otherwise.

    A caller that goes away (deadline or cancellation) gives up its place; work that has begun is told through the
    `stop` function that it was given.
    """

    def __init__(self, queue: int, concurrency: int = 1) -> None:
        self._admission = Admission(concurrency, queue, SECONDS_PER_REQUEST)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="vlm")

    async def run(self, work: Callable[[Callable[[], bool]], T]) -> T:
        """Wait for a turn and return what `work(stop)` returns.

        Raises:
            serving.errors.Overloaded: too many wait already.
        """
        gone = threading.Event()
        with self._admission.place():
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, work, gone.is_set)
            finally:
                gone.set()

    def close(self) -> None:
        """End the threads after the work in hand."""
        self._threads.shutdown(cancel_futures=True)
