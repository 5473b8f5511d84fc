"""One warm process for packaging: its geometry and simulators would hold up the event loop, and may crash."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import ParamSpec, TypeVar

from serving.errors import DeadlineExceeded, Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class PackageWorker:
    """Runs functions one at a time in a process of its own, which is replaced when it dies or must be stopped."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._pid = 0
        self._lock = asyncio.Lock()

    async def run(self, timeout_seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a module-level function there; cancelling stops it.

        Raises:
            Unavailable: the process died.
            DeadlineExceeded: it took longer than `timeout_seconds`.
            Exception: what the function raises.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(timeout_seconds):
                    return await self._submit(function, *args, **kwargs)
            except BrokenProcessPool as error:
                self.close()
                raise Unavailable("the packaging process died", metadata={"peer": "package"}) from error
            except TimeoutError as error:
                self.close()
                raise DeadlineExceeded("packaging did not end in time", metadata={"peer": "package"}) from error
            except asyncio.CancelledError:
                self.close()
                raise

    async def _submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_end_with_parent)
            self._pid = await asyncio.wrap_future(self._pool.submit(os.getpid))
        return await asyncio.wrap_future(self._pool.submit(function, *args, **kwargs))

    def close(self) -> None:
        """Stop the process, whatever it does."""
        if self._pool is None:
            return
        if self._pid:
            with suppress(ProcessLookupError):  # it may have died by itself
                os.kill(self._pid, signal.SIGKILL)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool, self._pid = None, 0


def _end_with_parent() -> None:
    """A gateway that is killed must not leave its worker behind."""

    def wait() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
