"""The public API: decode, call, encode."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import grpc
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from gateway import images
from gateway.artifacts import ArtifactStore
from gateway.models import check_pins
from gateway.operations import operation_of
from gateway.pages import DEFAULT_SIZE, Cursor
from gateway.plans import TEMPLATE, check_plan
from gateway.reconstructions import Reconstructions
from gateway.releases.jobs import Versions
from gateway.stages.work import INPUT_PATH
from spark.v1 import reconstruction_service_pb2 as pb
from spark.v1 import reconstruction_service_pb2_grpc

PREFIX = "reconstructions/"


class ReconstructionService(reconstruction_service_pb2_grpc.ReconstructionServiceServicer):
    """`spark.v1.ReconstructionService`; errors are raised and become statuses in the interceptor."""

    def __init__(self, reconstructions: Reconstructions, store: ArtifactStore, versions: Versions) -> None:
        self._reconstructions = reconstructions
        self._store = store
        self._versions = versions
        self._decoding = asyncio.Semaphore(1)
        """A 64-megapixel upload takes 200 MB to decode: one at a time."""

    async def CreateReconstruction(
        self, request: pb.CreateReconstructionRequest, context: grpc.aio.ServicerContext
    ) -> operations_pb2.Operation:
        if request.options.HasField("template"):
            check_plan(request.options.template, TEMPLATE)
        pins = request.options.model_versions
        check_pins(pins, {model: await self._versions.served(model) for model in pins})
        async with self._decoding:
            image = await asyncio.to_thread(images.normalise, request.image)
        if request.validate_only:
            return operation_of(pb.Reconstruction(state=pb.RECONSTRUCTION_STATE_QUEUED, options=request.options))
        identifier = request.request_id.lower() or str(uuid.uuid4())
        with self._store.session() as session:
            artifact = await session.put(INPUT_PATH, image)
            return operation_of(await self._reconstructions.start(identifier, artifact.digest, request.options))

    async def GetReconstruction(
        self, request: pb.GetReconstructionRequest, context: grpc.aio.ServicerContext
    ) -> pb.Reconstruction:
        return await self._reconstructions.get(request.name.removeprefix(PREFIX))

    async def ListReconstructions(
        self, request: pb.ListReconstructionsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListReconstructionsResponse:
        cursor = Cursor.from_token(request.page_token)
        page, following = await self._reconstructions.page(request.page_size or DEFAULT_SIZE, cursor)
        return pb.ListReconstructionsResponse(
            reconstructions=page, next_page_token=following.to_token() if following else ""
        )

    async def WatchReconstruction(
        self, request: pb.WatchReconstructionRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.WatchReconstructionResponse]:
        async for event in self._reconstructions.watch(request.name.removeprefix(PREFIX), request.first_event):
            yield event

    async def DeleteReconstruction(
        self, request: pb.DeleteReconstructionRequest, context: grpc.aio.ServicerContext
    ) -> empty_pb2.Empty:
        await self._reconstructions.delete(request.name.removeprefix(PREFIX))
        return empty_pb2.Empty()

    async def DownloadArtifact(
        self, request: pb.DownloadArtifactRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.DownloadArtifactResponse]:
        async for chunk in self._store.stream(request.digest, request.offset):
            yield pb.DownloadArtifactResponse(data=chunk)
