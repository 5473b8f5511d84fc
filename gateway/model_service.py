"""The operators' API: releases of model versions."""

from __future__ import annotations

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.releases.controller import Controller
from gateway.releases.gate import Summary, Verdict
from gateway.releases.state import Mode, ModelRecord, Phase
from serving.errors import SparkError
from serving.status import to_status
from spark.v1 import model_service_pb2 as pb
from spark.v1 import model_service_pb2_grpc

PREFIX = "models/"
MODES = {
    pb.RELEASE_MODE_UNSPECIFIED: Mode.CANARY,
    pb.RELEASE_MODE_CANARY: Mode.CANARY,
    pb.RELEASE_MODE_MIRROR: Mode.MIRROR,
}
PHASES = {
    Phase.LOADING: pb.RELEASE_PHASE_LOADING,
    Phase.SERVING: pb.RELEASE_PHASE_SERVING,
    Phase.PROMOTED: pb.RELEASE_PHASE_PROMOTED,
    Phase.ROLLED_BACK: pb.RELEASE_PHASE_ROLLED_BACK,
    Phase.FAILED: pb.RELEASE_PHASE_FAILED,
}
VERDICTS = {
    Verdict.HOLD: pb.RELEASE_VERDICT_HOLD,
    Verdict.READY: pb.RELEASE_VERDICT_READY,
    Verdict.WORSE: pb.RELEASE_VERDICT_WORSE,
}


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """`spark.v1.ModelService`; errors are raised and become statuses in the interceptor."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    async def GetModel(self, request: pb.GetModelRequest, context: grpc.aio.ServicerContext) -> pb.Model:
        return await self._describe(await self._controller.record(_model(request.name)))

    async def ListModels(
        self, request: pb.ListModelsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListModelsResponse:
        records = [await self._controller.record(model) for model in self._controller.controls]
        return pb.ListModelsResponse(models=[await self._describe(record) for record in records])

    async def DeployModel(self, request: pb.DeployModelRequest, context: grpc.aio.ServicerContext) -> pb.Model:
        record = await self._controller.deploy(
            _model(request.name), request.version, MODES[request.mode], request.weight, ",".join(request.addresses)
        )
        return await self._describe(record)

    async def PromoteModel(self, request: pb.PromoteModelRequest, context: grpc.aio.ServicerContext) -> pb.Model:
        record = await self._controller.promote(_model(request.name), request.weight, request.force)
        return await self._describe(record)

    async def RollBackModel(self, request: pb.RollBackModelRequest, context: grpc.aio.ServicerContext) -> pb.Model:
        return await self._describe(await self._controller.roll_back(_model(request.name)))

    async def _describe(self, record: ModelRecord) -> pb.Model:
        described = pb.Model(
            name=f"{PREFIX}{record.model}", stable_version=record.stable, previous_version=record.previous
        )
        release = record.release
        if release:
            start = Timestamp()
            start.FromNanoseconds(int(release.start * 1e9))
            described.release.CopyFrom(
                pb.Release(
                    version=release.version,
                    mode=pb.RELEASE_MODE_MIRROR if release.mode is Mode.MIRROR else pb.RELEASE_MODE_CANARY,
                    phase=PHASES[release.phase],
                    weight=release.weight,
                    start_time=start,
                    reason=release.reason,
                )
            )
            if release.phase is Phase.SERVING:
                verdict, described.release.reason = await self._controller.verdict(record)
                described.release.verdict = VERDICTS[verdict]
        for version, summary in sorted((await self._controller.summaries(record)).items()):
            described.records.append(_record(version, summary))
        try:
            for state in await self._controller.controls[record.model].replicas(record if record.revision else None):
                described.replicas.add(
                    address=state.address, reachable=state.versions is not None, versions=state.versions or ()
                )
        except SparkError as error:
            described.replicas_error.CopyFrom(to_status(error))
        return described


def _model(name: str) -> str:
    return name.removeprefix(PREFIX)


def _record(version: str, summary: Summary) -> pb.VersionRecord:
    return pb.VersionRecord(
        version=version,
        jobs=summary.jobs,
        failed=summary.failed,
        refused=summary.refused,
        joint_confidence=summary.confidence,
        median_seconds=summary.median_seconds,
        p95_seconds=summary.p95_seconds,
    )
