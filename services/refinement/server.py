"""The refinement server: `python -m services.refinement.server`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import structlog
import torch

from services.refinement.backends import renderer
from services.refinement.descent import Adam
from services.refinement.job import responses
from services.refinement.schedule import Schedule
from services.refinement.settings import RefinementSettings
from services.refinement.watch import Watch, allowed
from serving import logging
from serving.admission import Admission
from serving.server import Register, ServerOptions, serve
from spark.v1 import refinement_service_pb2 as pb
from spark.v1 import refinement_service_pb2_grpc

SERVICE = pb.DESCRIPTOR.services_by_name["RefinementService"].full_name
SECONDS_PER_REQUEST = 10

_log = structlog.get_logger(__name__)


class RefinementServicer(refinement_service_pb2_grpc.RefinementServiceServicer):
    """Runs each request in a worker thread, one stretch of steps at a time.

    The thread works only while the call asks for the next message. It looks at the request's watch between any two
    batches of pictures, so a cancelled call stops within about a second, and one whose time is over ends with the best
    that was found.
    """

    def __init__(self, settings: RefinementSettings, schedule: Schedule | None = None) -> None:
        self._settings = settings
        self._schedule = schedule or Schedule()
        self._workers = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="refinement")
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._admission = Admission(settings.concurrency, settings.queue, SECONDS_PER_REQUEST)

    async def RefineArticulation(
        self, request: pb.RefineArticulationRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.RefineArticulationResponse]:
        """Stream progress, then the result.

        Raises:
            Overloaded: too many requests wait already.
        """
        budget = request.time_budget.ToTimedelta().total_seconds() if request.HasField("time_budget") else None
        watch = Watch(allowed(budget, context.time_remaining()))
        try:
            with self._admission.place():
                async with self._slots:
                    work = responses(request, self._settings, self._schedule, watch.over)
                    loop = asyncio.get_running_loop()
                    while (response := await loop.run_in_executor(self._workers, next, work, None)) is not None:
                        yield response
        finally:
            watch.call_off()


def register(settings: RefinementSettings) -> Register:
    """What adds the service to a gRPC server."""

    def add(server: grpc.aio.Server) -> None:
        refinement_service_pb2_grpc.add_RefinementServiceServicer_to_server(RefinementServicer(settings), server)

    return add


def warm_up() -> None:
    """One step of the optimiser, which imports what torch loads at first use, seconds of it, before the first call."""
    value = torch.zeros(1, requires_grad=True)
    Adam([(value, 0.1)], 1).step(value.square().sum())


def main() -> None:
    """Serve until SIGTERM."""
    settings = RefinementSettings()
    logging.configure(settings.log_level)
    torch.set_num_threads(settings.threads)
    renderer(settings.renderer)  # a missing library ends the process here, and not each request
    warm_up()
    _log.info("refinement starts", device=settings.device, renderer=settings.renderer)
    options = ServerOptions(
        address=settings.address,
        grace_seconds=settings.grace_seconds,
        metrics_port=settings.metrics_port,
        identity=settings.identity,
        health_port=settings.health_port,
    )
    asyncio.run(serve({SERVICE: register(settings)}, options))


if __name__ == "__main__":
    main()
