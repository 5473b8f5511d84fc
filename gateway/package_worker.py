"""One warm process for packaging: its geometry and simulators would hold up the event loop, and may crash."""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import ParamSpec, TypeVar

from serving.errors import DeadlineExceeded, Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class PackageWorker:
    """Runs functions one at a time in a process of its own, which is replaced when it dies or must be stopped.

    Args:
        module: imported when the process starts, so that the first call finds it warm.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._pool: ProcessPoolExecutor | None = None
        self._pid: Future[int] | None = None
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

    def warm(self) -> None:
        """Start the process, if there is none, without waiting for it."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_prepare, initargs=(self._module,))
            self._pid = self._pool.submit(os.getpid)

    async def _submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.warm()
        assert self._pool is not None
        return await asyncio.wrap_future(self._pool.submit(function, *args, **kwargs))

    def close(self) -> None:
        """Stop the process, whatever it does."""
        if self._pool is None or self._pid is None:
            return
        started = self._pid.done() and self._pid.exception() is None
        if started:
            with suppress(ProcessLookupError):  # it may have died by itself
                os.kill(self._pid.result(), signal.SIGKILL)
        self._pool.shutdown(wait=started, cancel_futures=True)  # one that is still starting ends by itself
        self._pool = self._pid = None


def _prepare(module: str) -> None:
    _end_with_parent()
    importlib.import_module(module)


def _end_with_parent() -> None:
    """A gateway that is killed must not leave its worker behind."""

    def wait() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
