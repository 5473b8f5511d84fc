"""The VLM server, plan and guide: `python -m services.vlm.server --address 127.0.0.1:50051`."""

from __future__ import annotations

import asyncio

import grpc
import torch
from pydantic_settings import CliApp

from articulation.files import png
from services.vlm.models import Loaded, M, Models, load_models
from services.vlm.planner import plan_image
from services.vlm.settings import VlmSettings
from services.vlm.worker import ModelWorker
from serving import logging, pictures
from serving.errors import InvalidRequest, ModelNotReady
from serving.server import Register, ServerOptions, running, stop_signal
from spark.convert import plan_from_proto, plan_to_proto
from spark.v1 import vlm_service_pb2 as pb
from spark.v1 import vlm_service_pb2_grpc

SERVICE = pb.DESCRIPTOR.services_by_name["VlmService"].full_name


class VlmServicer(vlm_service_pb2_grpc.VlmServiceServicer):
    """Checks each request before it queues for the models, which work on one request at a time."""

    def __init__(self, models: Models, settings: VlmSettings) -> None:
        self._models = models
        self._settings = settings
        self._worker = ModelWorker(settings.queue)

    async def PlanArticulation(
        self, request: pb.PlanArticulationRequest, context: grpc.aio.ServicerContext
    ) -> pb.PlanArticulationResponse:
        """See the proto; ModelNotReady, InvalidImage, ImageRefused, Overloaded or StageFailed."""
        planner = _ready(self._models.planner)
        image = pictures.decode(request.image, "image", self._settings.max_pixels)
        plan = await self._worker.run(
            lambda stop: plan_image(
                planner.model, image, request.part_hints, request.seed, stop, self._models.calibration
            )
        )
        return pb.PlanArticulationResponse(plan=plan_to_proto(plan), model=planner.version)

    async def GeneratePartReferences(
        self, request: pb.GeneratePartReferencesRequest, context: grpc.aio.ServicerContext
    ) -> pb.GeneratePartReferencesResponse:
        """See the proto; ModelNotReady, InvalidImage, InvalidPlan or Overloaded."""
        editor = _ready(self._models.editor)
        plan = plan_from_proto(request.plan)
        image = pictures.decode(request.image, "image", self._settings.max_pixels)
        whole, parts = await self._worker.run(lambda _: editor.model.part_references(image, plan, request.seed))
        return pb.GeneratePartReferencesResponse(
            object_image=png(whole), part_images=map(png, parts), model=editor.version
        )

    async def PredictOpenState(
        self, request: pb.PredictOpenStateRequest, context: grpc.aio.ServicerContext
    ) -> pb.PredictOpenStateResponse:
        """See the proto; ModelNotReady, InvalidImage, InvalidPlan, InvalidRequest or Overloaded."""
        editor = _ready(self._models.editor)
        plan = plan_from_proto(request.plan)
        if len(request.opening) != len(plan.parts):
            raise InvalidRequest.at("opening", f"must hold {len(plan.parts)} numbers, got {len(request.opening)}")
        image = pictures.decode(request.image, "image", self._settings.max_pixels)
        opening = list(request.opening)
        opened = await self._worker.run(lambda _: editor.model.open_state(image, plan, opening, request.seed))
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
    """Load the models, then serve until SIGTERM; not serving to health checks while a model is missing."""
    stop = stop_signal()
    models = await asyncio.to_thread(load_models, settings)
    options = ServerOptions(
        address=settings.address, grace_seconds=settings.grace_seconds, metrics_port=settings.metrics_port
    )
    async with running({SERVICE: register(models, settings)}, options) as server:
        for name in ("", SERVICE):
            await server.set_serving(name, models.ready)
        await stop.wait()


def main() -> None:
    """Serve until SIGTERM."""
    settings = CliApp.run(VlmSettings)
    logging.configure(settings.log_level)
    torch.set_num_threads(settings.threads)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
