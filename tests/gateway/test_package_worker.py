"""The packaging process, with functions of the standard library."""

import asyncio
import math
import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gateway_fixtures import until

from gateway.package_worker import PackageWorker
from serving.errors import DeadlineExceeded, Unavailable


@pytest.fixture
async def worker() -> AsyncIterator[PackageWorker]:
    worker = PackageWorker("math")
    yield worker
    worker.close()


def ended(pid: int) -> bool:
    """Whether a process is gone or defunct."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_one_warm_process_answers_and_raises(worker: PackageWorker) -> None:
    assert await worker.run(30, math.sqrt, 2.25) == 1.5
    first, second = await worker.run(30, os.getpid), await worker.run(30, os.getpid)
    assert first == second != os.getpid()
    with pytest.raises(ZeroDivisionError):
        await worker.run(30, operator.truediv, 1, 0)


async def test_a_process_that_dies_is_unavailable_and_replaced(worker: PackageWorker) -> None:
    with pytest.raises(Unavailable):
        await worker.run(30, os._exit, 9)
    assert await worker.run(30, math.sqrt, 4.0) == 2.0


async def test_what_takes_too_long_is_killed(worker: PackageWorker) -> None:
    pid = await worker.run(30, os.getpid)
    with pytest.raises(DeadlineExceeded):
        await worker.run(0.2, time.sleep, 60)
    await until(lambda: ended(pid))


async def test_cancelling_kills_it(worker: PackageWorker) -> None:
    pid = await worker.run(30, os.getpid)
    task = asyncio.create_task(worker.run(60, time.sleep, 60))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: ended(pid))


async def test_it_does_not_outlive_a_killed_gateway() -> None:
    code = (
        "import asyncio, os, time\n"
        "from gateway.package_worker import PackageWorker\n"
        "async def main():\n"
        "    worker = PackageWorker('math')\n"
        "    print(await worker.run(30, os.getpid), flush=True)\n"
        "    await worker.run(60, time.sleep, 60)\n"
        "if __name__ == '__main__':\n"
        "    asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(await asyncio.to_thread(parent.stdout.readline))
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
    await until(lambda: ended(pid))
