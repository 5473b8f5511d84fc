"""What a stage is given and what it gives back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from articulation.plan import Plan
from articulation.typing import AnyArray
from gateway.artifacts import Session
from gateway.models import REFINEMENT, VLM
from gateway.package_worker import PackageWorker
from gateway.peers import PeerVersions, RefinementPeer, VlmPeer
from gateway.plans import PATH, plan_from_json
from gateway.releases.jobs import Versions
from gateway.settings import Settings
from gateway.triton import TritonModels
from spark.v1 import model_pb2
from spark.v1 import reconstruction_service_pb2 as pb

INPUT_PATH = "input.png"


def stage_word(stage: pb.Stage) -> str:
    """STAGE_PLAN -> "plan": the stage's name in step names, metrics and errors."""
    return str(pb.Stage.Name(stage)).removeprefix("STAGE_").lower()


@dataclass(frozen=True)
class Services:
    """Everything outside the gateway's own process that stages call.

    Attributes:
        at_work: the tasks of the stages that are running.
    """

    settings: Settings
    vlm: PeerVersions[VlmPeer]
    triton: TritonModels
    refinement: PeerVersions[RefinementPeer]
    package: PackageWorker
    versions: Versions
    at_work: set[asyncio.Task[object]] = field(default_factory=set)

    async def close(self) -> None:
        """Break off the stages at work and hang up."""
        for task in self.at_work:
            task.cancel()
        await asyncio.gather(*self.at_work, return_exceptions=True)
        await self.vlm.close()
        await self.triton.close()
        await self.refinement.close()
        self.package.close()


@dataclass(frozen=True)
class Outcome:
    """What a stage made, with which models, and what to look at before using it, a sentence each."""

    artifacts: list[pb.Artifact]
    models: list[model_pb2.ModelVersion] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Work:
    """One stage of one reconstruction.

    Attributes:
        name: "reconstructions/{id}".
        options: what the caller asked for.
        versions: the job's version of each model.
        files: artifact path to digest, over the input and all earlier stages; a later stage's file replaces an earlier
            one of the same path.
        earlier: results of the earlier stages.
        session: where to write artifacts.
        services: whom to call.
        progress: reports a fraction of the stage in [0, 1] and a short text.
    """

    name: str
    options: pb.ReconstructionOptions
    versions: Mapping[str, str]
    files: Mapping[str, str]
    earlier: tuple[pb.StageResult, ...]
    session: Session
    services: Services
    progress: Callable[[float, str], Awaitable[None]]

    @property
    def settings(self) -> Settings:
        return self.services.settings

    async def vlm(self) -> VlmPeer:
        """The VLM service, of the job's version."""
        return await self.services.versions.vlm(self.versions[VLM])

    async def refinement(self) -> RefinementPeer:
        """The refinement service, of the job's version."""
        return await self.services.versions.refinement(self.versions[REFINEMENT])

    async def infer(
        self, model: str, tensors: Mapping[str, AnyArray], outputs: Sequence[str]
    ) -> tuple[dict[str, AnyArray], model_pb2.ModelVersion]:
        """Run a model on Triton, of the job's version; as `TritonModels.infer`."""
        version = await self.services.versions.on_triton(model, self.versions[model])
        return await self.services.triton.infer(model, version, tensors, outputs, self.settings.stage_timeout_seconds)

    async def read(self, path: str) -> bytes:
        """The bytes of an earlier stage's file."""
        return await self.session.store.get(self.files[path])

    async def plan(self) -> Plan:
        """The latest plan."""
        return plan_from_json(await self.read(PATH))
