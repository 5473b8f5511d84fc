"""The gateway process: `python -m gateway.server`, configured by `gateway.settings`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import structlog
from dbos import DBOS
from google.longrunning import operations_pb2_grpc

from gateway import demand, package_job
from gateway.artifacts import ArtifactStore
from gateway.operations import OperationsService
from gateway.package_worker import PackageWorker
from gateway.peers import RefinementPeer, VlmPeer
from gateway.reconstructions import Reconstructions
from gateway.service import ReconstructionService
from gateway.settings import Settings
from gateway.stages import texture
from gateway.stages.work import Services
from gateway.takeover import Presence, presence
from gateway.triton import TritonModels
from gateway.workflow import POLL_SECONDS, QUEUE, dbos_config, register
from serving.logging import configure
from serving.server import Register, ServerOptions, running, stop_signal
from spark.v1 import reconstruction_service_pb2 as pb
from spark.v1 import reconstruction_service_pb2_grpc

MAX_MESSAGE_BYTES = 24 * 1024 * 1024
"""An upload of 16 MiB and the rest of its request."""

RECONSTRUCTION_SERVICE = pb.DESCRIPTOR.services_by_name["ReconstructionService"].full_name
OPERATIONS_SERVICE = "google.longrunning.Operations"

LOOK_SECONDS = 5.0
"""How often a replica counts the queue and looks for replicas that are gone."""

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def gateway(settings: Settings) -> AsyncIterator[dict[str, Register]]:
    """The gateway's services by name; while the context is open, queued reconstructions are worked on.

    Workflows run on the event loop that this is entered in. Leaving it abandons the work at hand, which goes on at the
    next start, or at another replica.

    Raises:
        NameTaken: another gateway works under the same executor id on one PostgreSQL database.
    """
    async with presence(settings) as replica, _at_work(settings, replica) as services:
        yield services


@asynccontextmanager
async def _at_work(settings: Settings, replica: Presence | None) -> AsyncIterator[dict[str, Register]]:
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    store = ArtifactStore.open(settings.resolved_store_url)
    services = Services(
        settings=settings,
        vlm=VlmPeer(settings.vlm_address, settings.peer_identity),
        triton=TritonModels(
            settings.resolved_part_dit_address,
            settings.triton_shared_memory,
            settings.triton_repository,
            elsewhere={texture.MODEL: settings.resolved_texture_address},
            identity=settings.peer_identity,
        ),
        refinement=RefinementPeer(settings.refinement_address, settings.peer_identity),
        package=PackageWorker(package_job.__name__),
    )
    DBOS(config=dbos_config(settings))
    reconstruct = register(services, store)
    DBOS.launch()
    looking = asyncio.create_task(_look_around([demand.count, *([replica.take_over] if replica else [])]))
    try:
        await DBOS.register_queue_async(
            QUEUE,
            worker_concurrency=settings.concurrency,
            polling_interval_sec=POLL_SECONDS,
            on_conflict="always_update",
        )
        reconstructions = Reconstructions(reconstruct, store, settings.max_queued)
        api = ReconstructionService(reconstructions, store, services.triton)
        operations = OperationsService(reconstructions)
        yield {
            RECONSTRUCTION_SERVICE: lambda server: (
                reconstruction_service_pb2_grpc.add_ReconstructionServiceServicer_to_server(api, server)
            ),
            OPERATIONS_SERVICE: lambda server: operations_pb2_grpc.add_OperationsServicer_to_server(operations, server),
        }
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        await services.close()


async def _look_around(looks: Sequence[Callable[[], Awaitable[None]]]) -> None:
    while True:
        for look in looks:
            try:
                await look()
            except Exception as failure:  # noqa: BLE001  the database may be back at the next look
                _log.warning("look failed", error=repr(failure))
        await asyncio.sleep(LOOK_SECONDS)


async def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = Settings()
    configure(settings.log_level)
    options = ServerOptions(
        address=settings.address,
        grace_seconds=settings.grace_seconds,
        max_message_bytes=MAX_MESSAGE_BYTES,
        metrics_port=settings.metrics_port,
        identity=settings.identity,
        health_port=settings.health_port,
    )
    stop = stop_signal()
    async with gateway(settings) as services, running(services, options):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
