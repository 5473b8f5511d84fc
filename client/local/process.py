"""A detached child process that later invocations of the command can find again."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

CREATE_TIME_TOLERANCE = 0.01
"""Seconds; the same pid with another start time is another process."""


@dataclass(frozen=True)
class ProcessRecord:
    """Identity of a process: pids are reused, pids with a start time are not."""

    pid: int
    create_time: float

    def find(self) -> psutil.Process | None:
        """The process, if it still runs."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.create_time) < CREATE_TIME_TOLERANCE
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None

    def stop(self, grace_seconds: float) -> None:
        """SIGTERM, then SIGKILL to it and its children after the grace time."""
        process = self.find()
        if process is None:
            return
        family = [process, *process.children(recursive=True)]
        process.terminate()
        _, left = psutil.wait_procs(family, timeout=grace_seconds)
        for survivor in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                survivor.kill()
        psutil.wait_procs(left, timeout=5.0)


def start(command: Sequence[str], environment: Mapping[str, str], log: Path) -> ProcessRecord:
    """Start a process in a session of its own, its output appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return ProcessRecord(child.pid, psutil.Process(child.pid).create_time())
