"""`google.longrunning.Operations` over reconstructions (AIP-151)."""

from __future__ import annotations

import asyncio
import math

import grpc
from google.longrunning import operations_pb2 as ops
from google.longrunning import operations_pb2_grpc
from google.protobuf import empty_pb2

from gateway.pages import DEFAULT_SIZE, Cursor
from gateway.reconstructions import FINAL, Reconstructions
from gateway.workflow import POLL_SECONDS, planned_stages
from serving.errors import NotFound
from spark.v1 import reconstruction_service_pb2 as pb

PREFIX = "operations/"
MAX_SIZE = 1000


def metadata_of(reconstruction: pb.Reconstruction) -> pb.ReconstructionMetadata:
    """State, stage at work and progress of the whole."""
    stages = planned_stages(reconstruction.options)
    done = len(reconstruction.stages)
    at_work = reconstruction.state == pb.RECONSTRUCTION_STATE_RUNNING and done < len(stages)
    return pb.ReconstructionMetadata(
        reconstruction=reconstruction.name,
        state=reconstruction.state,
        stage=stages[done] if at_work else pb.STAGE_UNSPECIFIED,
        progress=done / len(stages),
    )


def operation_of(reconstruction: pb.Reconstruction) -> ops.Operation:
    """A reconstruction as the operation that makes it; without a name for one that was only validated."""
    operation = ops.Operation(
        name=reconstruction.name.replace("reconstructions/", PREFIX, 1), done=reconstruction.state in FINAL
    )
    operation.metadata.Pack(metadata_of(reconstruction))
    if reconstruction.HasField("error"):
        operation.error.CopyFrom(reconstruction.error)
    elif operation.done:
        operation.response.Pack(reconstruction)
    return operation


class OperationsService(operations_pb2_grpc.OperationsServicer):  # type: ignore[misc]
    """Get, list, wait for, cancel and delete operations."""

    def __init__(self, reconstructions: Reconstructions) -> None:
        self._reconstructions = reconstructions

    async def GetOperation(self, request: ops.GetOperationRequest, context: grpc.aio.ServicerContext) -> ops.Operation:
        return operation_of(await self._reconstructions.get(_identifier(request.name)))

    async def ListOperations(
        self, request: ops.ListOperationsRequest, context: grpc.aio.ServicerContext
    ) -> ops.ListOperationsResponse:
        size = min(max(request.page_size, 0) or DEFAULT_SIZE, MAX_SIZE)
        page, following = await self._reconstructions.page(size, Cursor.from_token(request.page_token))
        return ops.ListOperationsResponse(
            operations=[operation_of(one) for one in page], next_page_token=following.to_token() if following else ""
        )

    async def WaitOperation(
        self, request: ops.WaitOperationRequest, context: grpc.aio.ServicerContext
    ) -> ops.Operation:
        """The operation once it is done, or as it is when the timeout (or the call's deadline) comes."""
        seconds = request.timeout.ToNanoseconds() / 1e9 if request.HasField("timeout") else math.inf
        loop = asyncio.get_running_loop()
        end = loop.time() + min(seconds, context.time_remaining() or math.inf)
        while True:
            operation = operation_of(await self._reconstructions.get(_identifier(request.name)))
            if operation.done or loop.time() + POLL_SECONDS > end:
                return operation
            await asyncio.sleep(POLL_SECONDS)

    async def CancelOperation(
        self, request: ops.CancelOperationRequest, context: grpc.aio.ServicerContext
    ) -> empty_pb2.Empty:
        await self._reconstructions.cancel(_identifier(request.name))
        return empty_pb2.Empty()

    async def DeleteOperation(
        self, request: ops.DeleteOperationRequest, context: grpc.aio.ServicerContext
    ) -> empty_pb2.Empty:
        await self._reconstructions.delete(_identifier(request.name))
        return empty_pb2.Empty()


def _identifier(name: str) -> str:
    if not name.startswith(PREFIX):
        raise NotFound(f"there is no operation {name!r}")
    return name.removeprefix(PREFIX)
