"""The VLM server, plan and guide: `python -m services.vlm.server --address 127.0.0.1:50051`."""

from __future__ import annotations

import asyncio

import grpc
import structlog
import torch
from pydantic_settings import CliApp

from articulation.files import png
from services.vlm.models import Loaded, M, Models, load_models
from services.vlm.planner import plan_image
from services.vlm.settings import VlmSettings
from services.vlm.worker import ModelWorker
from serving import logging, pictures
from serving.errors import InvalidRequest, ModelNotReady
from serving.server import Register, RunningServer, ServerOptions, running, stop_signal
from spark.convert import plan_from_proto, plan_to_proto
from spark.v1 import vlm_service_pb2 as pb
from spark.v1 import vlm_service_pb2_grpc

HEALTH_SECONDS = 5.0
"""How often a model behind a server is asked whether it can answer."""

SERVICE = pb.DESCRIPTOR.services_by_name["VlmService"].full_name

_log = structlog.get_logger(__name__)


class VlmServicer(vlm_service_pb2_grpc.VlmServiceServicer):
    """Checks each request before it queues for the models; those in this process work on one request at a time."""

    def __init__(self, models: Models, settings: VlmSettings) -> None:
        self._models = models
        self._settings = settings
        self._worker = ModelWorker(settings.queue)
        self._planning = self._editing = self._worker
        if settings.plan_server is not None:
            self._planning = ModelWorker(settings.queue, settings.plan_concurrency)
        if settings.editor_server is not None:
            self._editing = ModelWorker(settings.queue, settings.editor_concurrency)

    async def PlanArticulation(
        self, request: pb.PlanArticulationRequest, context: grpc.aio.ServicerContext
    ) -> pb.PlanArticulationResponse:
        """See the proto; ModelNotReady, InvalidImage, ImageRefused, Overloaded, StageFailed or Unavailable."""
        planner = _ready(self._models.planner)
        image = pictures.decode(request.image, "image", self._settings.max_pixels)
        plan = await self._planning.run(
            lambda stop: plan_image(
                planner.model, image, request.part_hints, request.seed, stop, self._models.calibration
            )
        )
        return pb.PlanArticulationResponse(plan=plan_to_proto(plan), model=planner.version)

    async def GeneratePartReferences(
        self, request: pb.GeneratePartReferencesRequest, context: grpc.aio.ServicerContext
    ) -> pb.GeneratePartReferencesResponse:
        """See the proto; ModelNotReady, InvalidImage, InvalidPlan, Overloaded, StageFailed or Unavailable."""
        editor = _ready(self._models.editor)
        plan = plan_from_proto(request.plan)
        image = pictures.decode(request.image, "image", self._settings.max_pixels)
        whole, parts = await self._editing.run(
            lambda stop: editor.model.part_references(image, plan, request.seed, stop)
        )
        return pb.GeneratePartReferencesResponse(
            object_image=png(whole), part_images=map(png, parts), model=editor.version
        )

    async def PredictOpenState(
        self, request: pb.PredictOpenStateRequest, context: grpc.aio.ServicerContext
    ) -> pb.PredictOpenStateResponse:
        """See the proto; as `GeneratePartReferences`, and InvalidRequest."""
        editor = _ready(self._models.editor)
        plan = plan_from_proto(request.plan)
        if len(request.opening) != len(plan.parts):
            raise InvalidRequest.at("opening", f"must hold {len(plan.parts)} numbers, got {len(request.opening)}")
        image = pictures.decode(request.image, "image", self._settings.max_pixels)
        opening = list(request.opening)
        opened = await self._editing.run(lambda stop: editor.model.open_state(image, plan, opening, request.seed, stop))
        return pb.PredictOpenStateResponse(image=png(opened), model=editor.version)


def _ready(model: Loaded[M] | ModelNotReady) -> Loaded[M]:
    if isinstance(model, ModelNotReady):
        raise ModelNotReady(model.message, metadata=model.metadata)
    return model


def register(models: Models, settings: VlmSettings) -> Register:
    """What adds the service to a gRPC server."""

    def add(server: grpc.aio.Server) -> None:
        vlm_service_pb2_grpc.add_VlmServiceServicer_to_server(VlmServicer(models, settings), server)

    return add


async def serve(settings: VlmSettings) -> None:
    """Open the models, then serve until SIGTERM; not serving to health checks while a model cannot answer."""
    stop = stop_signal()
    models = await asyncio.to_thread(load_models, settings)
    options = ServerOptions(
        address=settings.address,
        grace_seconds=settings.grace_seconds,
        metrics_port=settings.metrics_port,
        identity=settings.identity,
        health_port=settings.health_port,
    )
    async with running({SERVICE: register(models, settings)}, options) as server:
        await _tell(server, serving=False)  # until the models were asked
        follower = asyncio.create_task(_follow(models, server))
        await stop.wait()
        follower.cancel()


async def _follow(models: Models, server: RunningServer) -> None:
    """Tell health checks again and again whether the models can answer."""
    before: bool | None = None
    while True:
        ready = await models.are_ready()
        await _tell(server, serving=ready)
        if ready is not before:
            _log.info("health changes", serving=ready)
        before = ready
        await asyncio.sleep(HEALTH_SECONDS)


async def _tell(server: RunningServer, *, serving: bool) -> None:
    for name in ("", SERVICE):
        await server.set_serving(name, serving)


def main() -> None:
    """Serve until SIGTERM."""
    settings = CliApp.run(VlmSettings)
    logging.configure(settings.log_level)
    torch.set_num_threads(settings.threads)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
