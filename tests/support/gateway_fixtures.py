"""A gateway in this process or in one of its own, between toy services and a client."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from google.longrunning import operations_pb2 as ops
from google.longrunning import operations_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from toy_services import ToyServices, picture

from gateway.server import MAX_MESSAGE_BYTES, gateway
from gateway.settings import Settings
from serving.errors import SparkError
from serving.server import ServerOptions, running
from serving.status import from_status
from spark.v1 import model_service_pb2_grpc, reconstruction_service_pb2_grpc
from spark.v1 import reconstruction_service_pb2 as pb

DONE = (pb.RECONSTRUCTION_STATE_SUCCEEDED, pb.RECONSTRUCTION_STATE_FAILED, pb.RECONSTRUCTION_STATE_CANCELLED)


class Api:
    """A client's view of a gateway."""

    def __init__(self, channel: grpc.aio.Channel, address: str) -> None:
        self.channel = channel
        self.address = address
        self.service = reconstruction_service_pb2_grpc.ReconstructionServiceStub(channel)
        self.operations = operations_pb2_grpc.OperationsStub(channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(channel)

    async def create(self, image: bytes | None = None, request_id: str = "", validate_only: bool = False, **options):
        """Start a reconstruction of a picture, up to the refine stage unless `last_stage` says otherwise."""
        options.setdefault("last_stage", pb.STAGE_REFINE)
        request = pb.CreateReconstructionRequest(
            image=picture() if image is None else image,
            request_id=request_id,
            validate_only=validate_only,
            options=pb.ReconstructionOptions(**options),
        )
        operation: ops.Operation = await self.service.CreateReconstruction(request)
        return operation

    async def get(self, operation: ops.Operation) -> pb.Reconstruction:
        return await self.service.GetReconstruction(pb.GetReconstructionRequest(name=resource(operation)))

    async def wait(self, operation: ops.Operation, seconds: float = 40) -> pb.Reconstruction:
        """The reconstruction once it has ended."""
        async with asyncio.timeout(seconds):
            while (found := await self.get(operation)).state not in DONE:
                await asyncio.sleep(0.1)
        return found

    async def events(self, operation: ops.Operation, first: int = 0) -> list[pb.WatchReconstructionResponse]:
        request = pb.WatchReconstructionRequest(name=resource(operation), first_event=first)
        return [event async for event in self.service.WatchReconstruction(request, timeout=40)]

    async def cancel(self, operation: ops.Operation) -> None:
        await self.operations.CancelOperation(ops.CancelOperationRequest(name=operation.name))

    async def download(self, digest: str, offset: int = 0) -> bytes:
        request = pb.DownloadArtifactRequest(digest=digest, offset=offset)
        return b"".join([piece.data async for piece in self.service.DownloadArtifact(request)])


async def healthy_channel(address: str) -> grpc.aio.Channel:
    """A connection to a server, once that says that it serves."""
    channel = grpc.aio.insecure_channel(address)
    request = health_pb2.HealthCheckRequest()
    await health_pb2_grpc.HealthStub(channel).Check(request, wait_for_ready=True, timeout=300)
    return channel


def resource(operation: ops.Operation) -> str:
    return operation.name.replace("operations/", "reconstructions/")


async def refusal(call) -> SparkError:
    """The typed error with which a call ends; grpc-status reads it off the wire."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return from_status(rpc_status.from_call(error))
    raise AssertionError("the call succeeded")


async def until(condition, seconds: float = 30) -> None:
    """Wait for a condition of this process."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def toy_settings(folder: Path, toys: ToyServices, **changes) -> Settings:
    values = {
        "address": "127.0.0.1:0",
        "data_folder": folder,
        "vlm_address": toys.vlm.address,
        "triton_address": toys.triton.address,
        "refinement_address": toys.refinement.address,
        "stage_attempts": 3,
        "stage_retry_seconds": 0.2,
        "grace_seconds": 1,
        **changes,
    }
    return Settings(**values)


@asynccontextmanager
async def local_gateway(settings: Settings) -> AsyncIterator[Api]:
    """A gateway in this process, on a real socket."""
    options = ServerOptions(address=settings.address, grace_seconds=1, max_message_bytes=MAX_MESSAGE_BYTES)
    async with (
        gateway(settings) as services,
        running(services, options) as server,
        grpc.aio.insecure_channel(address := f"127.0.0.1:{server.port}") as channel,
    ):
        yield Api(channel, address)


class GatewayProcess:
    """`python -m gateway.server` on a port of its own."""

    def __init__(self, settings: Settings, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        given = settings.model_dump(mode="json", exclude_unset=True, exclude={"address"})
        self._environment = os.environ | {
            "SPARK_GATEWAY_ADDRESS": self.address,
            **{f"SPARK_GATEWAY_{name.upper()}": str(value) for name, value in given.items()},
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> Api:
        """Start it and wait until it serves."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.server", env=self._environment
        )
        return Api(await healthy_channel(self.address), self.address)

    async def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the process; its exit code, 0 for one that was never started."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await asyncio.wait_for(self._process.wait(), 60)
