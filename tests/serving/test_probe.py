"""What a container's health check is told."""

import asyncio

from serving.probe import serves
from serving.server import ServerOptions, running


async def test_a_server_at_work_serves() -> None:
    async with running({}, ServerOptions()) as server:
        assert await asyncio.to_thread(serves, f"127.0.0.1:{server.port}")


async def test_a_server_that_says_otherwise_does_not() -> None:
    async with running({}, ServerOptions()) as server:
        await server.set_serving("", False)
        assert not await asyncio.to_thread(serves, f"127.0.0.1:{server.port}")


def test_nobody_does_not_serve() -> None:
    assert not serves("127.0.0.1:1", timeout=0.5)
