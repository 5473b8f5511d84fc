"""The gateway process: `python -m gateway.server`, configured by `gateway.settings`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog
from dbos import DBOS
from google.longrunning.operations_pb2_grpc import add_OperationsServicer_to_server

from gateway import demand, package_job
from gateway.artifacts import ArtifactStore
from gateway.model_service import ModelService
from gateway.models import REFINEMENT, TEXTURE, VLM
from gateway.operations import OperationsService
from gateway.package_worker import PackageWorker
from gateway.peers import PeerVersions, RefinementPeer, VlmPeer
from gateway.reconstructions import Reconstructions
from gateway.releases.controller import Controller
from gateway.releases.controls import model_controls
from gateway.releases.gate import Limits
from gateway.releases.jobs import Versions
from gateway.releases.store import ReleaseStore
from gateway.replicas import Replicas, StaticReplicas
from gateway.service import ReconstructionService
from gateway.settings import Settings
from gateway.stages.work import Services
from gateway.takeover import Presence, presence
from gateway.triton import TritonModels
from gateway.workflow import POLL_SECONDS, QUEUE, dbos_config, register
from serving.logging import configure
from serving.server import Register, ServerOptions, running, stop_signal
from spark.v1 import model_service_pb2
from spark.v1 import reconstruction_service_pb2 as pb
from spark.v1.model_service_pb2_grpc import add_ModelServiceServicer_to_server
from spark.v1.reconstruction_service_pb2_grpc import add_ReconstructionServiceServicer_to_server

MAX_MESSAGE_BYTES = 24 * 1024 * 1024
"""An upload of 16 MiB and the rest of its request."""

RECONSTRUCTION_SERVICE = pb.DESCRIPTOR.services_by_name["ReconstructionService"].full_name
MODEL_SERVICE = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name
OPERATIONS_SERVICE = "google.longrunning.Operations"

LOOK_SECONDS = 5.0
"""How often a replica counts the queue and looks for replicas that are gone."""

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def gateway(settings: Settings) -> AsyncIterator[dict[str, Register]]:
    """The gateway's services by name, with the operators'; while it is open, queued reconstructions are worked on.

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
    replicas, identity = find_replicas(settings.replicas), settings.peer_identity
    releases = ReleaseStore(settings.resolved_database_url)
    vlm = PeerVersions(VlmPeer, replicas, identity)
    refinement = PeerVersions(RefinementPeer, replicas, identity)
    triton = TritonModels(
        settings.resolved_part_dit_address,
        settings.triton_shared_memory,
        settings.triton_repository,
        elsewhere={TEXTURE: settings.resolved_texture_address},
        replicas=replicas,
        identity=identity,
    )
    first = {VLM: settings.vlm_address, REFINEMENT: settings.refinement_address}
    versions = Versions(releases, triton, first, vlm, refinement)
    package = PackageWorker(package_job.__name__)
    services = Services(settings, vlm, triton, refinement, package, versions)
    DBOS(config=dbos_config(settings))
    reconstruct = register(services, store)
    DBOS.launch()
    looks = _look_around([demand.count, *([replica.take_over] if replica else [])])
    background = [asyncio.create_task(looks)]
    try:
        await DBOS.register_queue_async(
            QUEUE,
            worker_concurrency=settings.concurrency,
            polling_interval_sec=POLL_SECONDS,
            on_conflict="always_update",
        )
        reconstructions = Reconstructions(reconstruct, store, settings.max_queued)
        api = ReconstructionService(reconstructions, store, versions)
        operations = OperationsService(reconstructions)
        limits = Limits(min_jobs=settings.release_min_jobs)
        controls = model_controls(triton, vlm, refinement, versions)
        controller = Controller(releases, controls, reconstructions.held_versions, limits, settings.release_seconds)
        models = ModelService(controller)
        background.append(asyncio.create_task(controller.run()))
        yield {
            RECONSTRUCTION_SERVICE: partial(add_ReconstructionServiceServicer_to_server, api),
            OPERATIONS_SERVICE: partial(add_OperationsServicer_to_server, operations),
            MODEL_SERVICE: partial(add_ModelServiceServicer_to_server, models),
        }
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        await services.close()
        releases.close()


def find_replicas(by: str) -> Replicas:
    """Who knows the replicas behind an address: `addresses` themselves, or the Kubernetes API."""
    if by == "addresses":
        return StaticReplicas()
    from gateway.cluster import KubernetesReplicas  # its library takes a second to import

    return KubernetesReplicas.in_cluster()


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
    admin = ServerOptions(address=settings.admin_address, grace_seconds=settings.grace_seconds)
    stop = stop_signal()
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(gateway(settings))
        if settings.admin_address != settings.address:
            models = {MODEL_SERVICE: services.pop(MODEL_SERVICE)}
            if settings.admin_address:
                await stack.enter_async_context(running(models, admin))
        await stack.enter_async_context(running(services, options))
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
