"""What jobs have to do with releases: the versions that each begins with, where those are, and how it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from articulation.plan import Plan
from gateway.models import FIRST_VERSION, ON_TRITON, REFINEMENT, STAGES, VLM
from gateway.peers import PeerVersions, RefinementPeer, VlmPeer
from gateway.releases.gate import Outcome
from gateway.releases.routing import Choice, choose
from gateway.releases.state import ModelRecord
from gateway.releases.store import ReleaseStore
from gateway.triton import TritonModels
from serving.errors import DoubtfulJoints, ImageRefused, ModelNotReady, SparkError
from spark.v1 import reconstruction_service_pb2 as pb

JOBS = Counter(
    "spark_model_jobs",
    "Jobs by model, version and how they ended: ok, failed or refused.",
    ["model", "version", "outcome"],
)
DEFAULTS = {model: "" if model in ON_TRITON else FIRST_VERSION for model in STAGES}
"""Versions where no release was ever made: of Triton's models, whatever it has in service."""

_log = structlog.get_logger(__name__)


class Versions:
    """The versions of all models, for jobs.

    Args:
        store: the records of releases.
        triton: its models.
        first: of each service, the address of its first version.
        vlm, refinement: connections to their versions.
    """

    def __init__(
        self,
        store: ReleaseStore,
        triton: TritonModels,
        first: Mapping[str, str],
        vlm: PeerVersions[VlmPeer],
        refinement: PeerVersions[RefinementPeer],
    ) -> None:
        self._store = store
        self._triton = triton
        self._first = first
        self._vlm = vlm
        self._refinement = refinement

    async def records(self) -> Mapping[str, ModelRecord]:
        """Of every model that a release was made of."""
        return await self._store.all()

    async def choose(self, job: str, pins: Mapping[str, str]) -> Choice:
        """The versions of a job that begins."""
        return choose(job, await self._store.all(), DEFAULTS, pins)

    async def served(self, model: str) -> list[str]:
        """Versions that a request may pin; raises Unavailable where Triton cannot be reached."""
        if model in ON_TRITON:
            return await self._triton.served(model)
        if model not in STAGES:
            return []
        record = await self._store.get(model)
        return sorted(record.wanted) if record else [FIRST_VERSION]

    async def on_triton(self, model: str, version: str) -> str:
        """The version to ask Triton for: a job that began before the first release now needs to name one."""
        if version:
            return version
        record = await self._store.get(model)
        return record.stable if record else ""

    async def vlm(self, version: str) -> VlmPeer:
        """Raises ModelNotReady if nobody knows the version any more."""
        return await self._vlm.at(await self.address(VLM, version))

    async def refinement(self, version: str) -> RefinementPeer:
        """Raises ModelNotReady if nobody knows the version any more."""
        return await self._refinement.at(await self.address(REFINEMENT, version))

    async def address(self, model: str, version: str) -> str:
        """Where a version of a service listens; raises as `vlm`."""
        record = await self._store.get(model)
        addresses = {FIRST_VERSION: self._first[model]} | dict(record.addresses if record else {})
        if version not in addresses:
            raise ModelNotReady(f"{model} {version} was retired", metadata={"model": model})
        return addresses[version]

    async def ended(
        self,
        job: str,
        versions: Mapping[str, str],
        failure: SparkError | None,
        results: Sequence[pb.StageResult],
        read_plan: Callable[[], Awaitable[Plan | None]],
    ) -> None:
        """Count how a job ended, for those of its models that are at release and that it came to.

        Args:
            versions: of the job.
            failure: why it has no asset; None if it has one, or stopped where it was asked to.
            results: of its finished stages.
            read_plan: fetches the last one.
        """
        try:
            records = {model: record for model, record in (await self._store.all()).items() if record.candidate}
            plan = await read_plan() if records and not failure else None
            for model, record in records.items():
                version = versions[model]
                if version in (record.candidate, record.stable):
                    outcome = outcome_of(model, version, failure, results, plan)
                    if outcome:
                        await self.count(job, model, outcome)
        except (SparkError, SQLAlchemyError) as error:  # the job itself is well
            _log.warning("the end of a job is not counted", job=job, error=str(error))

    async def count(self, job: str, model: str, outcome: Outcome) -> None:
        """Count one outcome."""
        await self._store.add(job, model, outcome)
        word = "refused" if outcome.refused else "failed" if outcome.failed else "ok"
        JOBS.labels(model, outcome.version, word).inc()


def outcome_of(
    model: str, version: str, failure: SparkError | None, results: Sequence[pb.StageResult], plan: Plan | None
) -> Outcome | None:
    """How a job ended as far as one model is concerned; None if it never came to it. Arguments as `Versions.ended`."""
    finished = {result.stage: result.duration.ToMilliseconds() / 1000 for result in results}
    reached = max(finished, default=0) + (failure is not None)
    if reached < STAGES[model][0]:
        return None
    own = [finished[stage] for stage in STAGES[model] if stage in finished]
    refused = isinstance(failure, ImageRefused | DoubtfulJoints)
    joints = [part.joint.confidence for part in plan.parts if part.joint.type.moves] if plan and not failure else []
    return Outcome(
        version=version,
        failed=failure is not None and not refused,
        refused=refused,
        confidence=sum(joints) / len(joints) if joints else None,
        seconds=sum(own) if len(own) == len(STAGES[model]) else None,
    )
