"""A detached process is found by pid and start time, and stopped with its children."""

import os
import sys
from pathlib import Path

import psutil

from client.local import process
from client.local.process import ProcessRecord

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
PARENT = [sys.executable, "-c", f"import subprocess, time; subprocess.Popen({SLEEPER!r}); time.sleep(60)"]


def test_a_started_process_is_found_and_stopped(tmp_path: Path) -> None:
    record = process.start(SLEEPER, os.environ, tmp_path / "log")
    assert record.find() is not None
    record.stop(5.0)
    assert record.find() is None


def test_another_process_with_the_same_pid_is_not_ours() -> None:
    assert ProcessRecord(os.getpid(), psutil.Process().create_time() - 100).find() is None


def test_children_are_stopped_too(tmp_path: Path) -> None:
    record = process.start(PARENT, os.environ, tmp_path / "log")
    parent = psutil.Process(record.pid)
    while not (children := parent.children()):
        assert parent.is_running()
    record.stop(5.0)
    assert not children[0].is_running() or children[0].status() == psutil.STATUS_ZOMBIE
