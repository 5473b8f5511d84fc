"""The Python SDK: a typed, synchronous client of ReconstructionService.

with SparkClient("localhost:50050") as client:
    job = client.create(Path("microwave.png").read_bytes(), seed=7)
    for event in client.watch(job):
        print(event)
    client.download_asset(client.get(job), Path("asset"))
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from google.longrunning import operations_pb2, operations_pb2_grpc

from client.errors import CorruptArtifactError, ReconstructionFailed, from_rpc, from_status
from client.tls import Tls
from spark.v1 import articulation_pb2, reconstruction_service_pb2_grpc
from spark.v1 import reconstruction_service_pb2 as pb

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
ASSET_PREFIX = "asset/"
PLAN = "plan.json"
RECONNECT_ATTEMPTS = 30
RETRY_POLICY = """{"methodConfig": [{"name": [{"service": "spark.v1.ReconstructionService"},
 {"service": "google.longrunning.Operations"}], "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.2s",
 "maxBackoff": "5s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}"""


class SparkClient:
    """A connection to one gateway. Every method raises `client.errors.ClientError` subclasses.

    Args:
        tls: how to speak TLS; None speaks in the clear.
    """

    def __init__(self, address: str, timeout_seconds: float = 30.0, tls: Tls | None = None) -> None:
        self.address = address
        self._timeout = timeout_seconds
        options = [
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.service_config", RETRY_POLICY),
        ]
        self._channel = (
            grpc.secure_channel(address, tls.credentials(), options=options)
            if tls
            else grpc.insecure_channel(address, options=options)
        )
        self._service = reconstruction_service_pb2_grpc.ReconstructionServiceStub(self._channel)
        self._operations = operations_pb2_grpc.OperationsStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    def create(
        self,
        image: bytes,
        *,
        seed: int = 0,
        quality: int = pb.QUALITY_STANDARD,
        part_hints: Sequence[str] = (),
        model_versions: Mapping[str, str] | None = None,
        last_stage: int = pb.STAGE_UNSPECIFIED,
        min_confidence: float = 0.0,
        min_joint_confidence: float | None = None,
        doubtful_joints: int = pb.DOUBTFUL_JOINTS_UNSPECIFIED,
        template: articulation_pb2.ArticulationPlan | None = None,
        request_id: str | None = None,
    ) -> str:
        """Start a reconstruction; a lost reply is retried safely under one request id.

        With a template, which may be the `plan` of another reconstruction with changes, no model plans the object;
        `client.template.read_template` reads one from JSON.

        Returns:
            the resource name, "reconstructions/{id}".
        """
        request = pb.CreateReconstructionRequest(
            image=image,
            request_id=request_id or str(uuid.uuid4()),
            options=pb.ReconstructionOptions(
                seed=seed,
                quality=pb.Quality.Name(quality),
                part_hints=part_hints,
                model_versions=model_versions or {},
                last_stage=pb.Stage.Name(last_stage),
                min_confidence=min_confidence,
                min_joint_confidence=min_joint_confidence,
                doubtful_joints=pb.DoubtfulJoints.Name(doubtful_joints),
                template=template,
            ),
        )
        try:
            operation = self._service.CreateReconstruction(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise from_rpc(error) from error
        metadata = pb.ReconstructionMetadata()
        operation.metadata.Unpack(metadata)
        return metadata.reconstruction

    def get(self, name: str) -> pb.Reconstruction:
        request = pb.GetReconstructionRequest(name=name)
        try:
            reconstruction: pb.Reconstruction = self._service.GetReconstruction(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise from_rpc(error) from error
        return reconstruction

    def watch(self, name: str, first_event: int = 0) -> Iterator[pb.WatchReconstructionResponse]:
        """Events until the last one; a dropped connection is resumed where it broke off."""
        failures = 0
        while True:
            request = pb.WatchReconstructionRequest(name=name, first_event=first_event)
            try:
                for event in self._service.WatchReconstruction(request, wait_for_ready=failures > 0):
                    failures = 0
                    first_event = event.event_number + 1
                    yield event
                    if event.WhichOneof("event") == "finished":
                        return
            except grpc.RpcError as error:
                failures += 1
                if error.code() is not grpc.StatusCode.UNAVAILABLE or failures > RECONNECT_ATTEMPTS:
                    raise from_rpc(error) from error

    def result(self, name: str) -> pb.Reconstruction:
        """Wait for the end.

        Raises:
            ReconstructionFailed, ReconstructionCancelled or the error's own class.
        """
        for event in self.watch(name):
            if event.WhichOneof("event") == "finished":
                return checked(event.finished)
        return checked(self.get(name))

    def cancel(self, name: str) -> None:
        """Ask the server to stop; the finished stages are kept."""
        operation = "operations/" + name.split("/", 1)[1]
        try:
            request = operations_pb2.CancelOperationRequest(name=operation)
            self._operations.CancelOperation(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise from_rpc(error) from error

    def download(self, digest: str) -> bytes:
        """An artifact's bytes, checked against its digest.

        Raises:
            CorruptArtifactError: the bytes have another digest.
        """
        data = bytearray()
        try:
            request = pb.DownloadArtifactRequest(digest=digest)
            for chunk in self._service.DownloadArtifact(request):
                data.extend(chunk.data)
        except grpc.RpcError as error:
            raise from_rpc(error) from error
        found = "sha256:" + hashlib.sha256(data).hexdigest()
        if found != digest:
            raise CorruptArtifactError(f"asked for {digest}, got {found}", "DATA_LOSS")
        return bytes(data)

    def download_plan(self, reconstruction: pb.Reconstruction) -> bytes:
        """The latest plan of a reconstruction that has one, as the JSON that `read_template` reads."""
        digests = {a.path: a.digest for stage in reconstruction.stages for a in stage.artifacts}
        return self.download(digests[PLAN])

    def download_asset(self, reconstruction: pb.Reconstruction, folder: Path) -> list[Path]:
        """Write the files of a finished reconstruction's asset under `folder`."""
        written = []
        for stage in reconstruction.stages:
            if stage.stage != pb.STAGE_PACKAGE:
                continue
            for artifact in stage.artifacts:
                path = safe_join(folder, artifact.path.removeprefix(ASSET_PREFIX))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.download(artifact.digest))
                written.append(path)
        return written


def checked(reconstruction: pb.Reconstruction) -> pb.Reconstruction:
    """A succeeded reconstruction, or its error raised."""
    if reconstruction.state == pb.RECONSTRUCTION_STATE_SUCCEEDED:
        return reconstruction
    raise from_status(reconstruction.error, ReconstructionFailed)


def safe_join(folder: Path, relative: str) -> Path:
    """A path below `folder`.

    Raises:
        CorruptArtifactError: the server named a path outside of it.
    """
    path = (folder / relative).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise CorruptArtifactError(f"the server named a path outside the folder: {relative!r}", "DATA_LOSS")
    return path
