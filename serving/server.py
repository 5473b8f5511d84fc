"""Start-up and shutdown of a gRPC server: health, reflection, the interceptor, limits, and a drain on SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import start_http_server

from serving.interceptors import SparkInterceptor
from serving.tls import Identity

_log = structlog.get_logger(__name__)

Register = Callable[[grpc.aio.Server], None]
"""Adds a servicer, e.g. `lambda server: add_VlmServiceServicer_to_server(servicer, server)`."""

LIVE = "live"
"""Name under which health checks ask whether the process answers at all, whatever its models do."""

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
"""Largest message between the gateway and its services: the meshes of a whole object."""


@dataclass(frozen=True)
class ServerOptions:
    """How a server listens.

    Attributes:
        address: host and port; port 0 takes a free one.
        grace_seconds: how long calls in flight may go on after SIGTERM [s].
        max_message_bytes: largest request and response [bytes].
        metrics_port: where Prometheus reads; None for nowhere.
        identity: the server's certificate; None listens in the clear.
        health_port: where health alone is answered, always in the clear; None for nowhere.
    """

    address: str = "127.0.0.1:0"
    grace_seconds: float = 30.0
    max_message_bytes: int = MAX_MESSAGE_BYTES
    metrics_port: int | None = None
    identity: Identity | None = None
    health_port: int | None = None


class RunningServer:
    """A server that accepts calls.

    Attributes:
        port: the TCP port it listens on.
    """

    def __init__(self, server: grpc.aio.Server, port: int, checks: health.aio.HealthServicer) -> None:
        self.port = port
        self._server = server
        self._checks = checks

    async def set_serving(self, service: str, serving: bool) -> None:
        """Tell health checks whether `service` (full name, or "" for the whole server) can take calls."""
        states = health_pb2.HealthCheckResponse
        await self._checks.set(service, states.SERVING if serving else states.NOT_SERVING)

    async def drain(self, grace_seconds: float) -> None:
        """Answer health checks with NOT_SERVING, refuse new calls, and wait for those in flight."""
        await self._checks.enter_graceful_shutdown()
        await self._server.stop(grace_seconds)


@asynccontextmanager
async def running(services: Mapping[str, Register], options: ServerOptions) -> AsyncIterator[RunningServer]:
    """Serve while the context is open, then drain.

    Args:
        services: full service name, e.g. "spark.v1.VlmService", to the function that adds its servicer.
        options: how to listen.

    Raises:
        RuntimeError: an address cannot be bound.
    """
    host = options.address.rpartition(":")[0]
    limits = [(f"grpc.max_{way}_message_length", options.max_message_bytes) for way in ("send", "receive")]
    server = grpc.aio.server(interceptors=[SparkInterceptor()], options=[*limits, ("grpc.so_reuseport", 0)])
    for register in services.values():
        register(server)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    reflection.enable_server_reflection([*services, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    if options.identity is None:
        port = server.add_insecure_port(options.address)
    else:
        port = server.add_secure_port(options.address, options.identity.server_credentials())
    if options.metrics_port is not None:
        start_http_server(options.metrics_port, addr=host)
    probed = None
    if options.health_port is not None:
        probed = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        health_pb2_grpc.add_HealthServicer_to_server(checks, probed)
        probed.add_insecure_port(f"{host}:{options.health_port}")
        await probed.start()
    await server.start()
    handle = RunningServer(server, port, checks)
    for name in ("", LIVE, *services):
        await handle.set_serving(name, True)
    _log.info("serving", address=options.address, port=port, services=list(services))
    try:
        yield handle
    finally:
        await handle.drain(options.grace_seconds)
        if probed is not None:
            await probed.stop(0)
        _log.info("stopped", port=port)


def stop_signal() -> asyncio.Event:
    """An event that SIGTERM or SIGINT will set, from now on. Call it before anything that a signal must not cut off."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def serve(services: Mapping[str, Register], options: ServerOptions) -> None:
    """Serve until SIGTERM or SIGINT, then drain. The main function of a service."""
    stop = stop_signal()
    async with running(services, options):
        await stop.wait()
