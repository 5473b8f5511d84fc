"""Jobs done a second time by a version at release, after they were answered; nobody sees what comes out.

A mirrored job begins where its model comes in, on what the stages before made, and keeps its own artifacts in memory.
It is not durable: what a gateway was at when it ended is not counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from google.protobuf.duration_pb2 import Duration
from obstore.store import MemoryStore
from sqlalchemy.exc import SQLAlchemyError

from gateway.artifacts import ArtifactStore
from gateway.models import STAGES as MODELS
from gateway.plans import PATH, plan_from_json
from gateway.releases.jobs import outcome_of
from gateway.releases.routing import takes_part
from gateway.releases.state import Mode, ModelRecord
from gateway.stages.work import INPUT_PATH, Outcome, Services, Work, stage_word
from serving.errors import NotFound, SparkError
from serving.interceptors import as_spark_error
from spark.v1 import reconstruction_service_pb2 as pb

Stages = Mapping[pb.Stage, Callable[[Work], Awaitable[Outcome]]]
_log = structlog.get_logger(__name__)


class Scratch(ArtifactStore):
    """Artifacts in memory, on top of those of a real store."""

    def __init__(self, below: ArtifactStore) -> None:
        super().__init__(MemoryStore())
        self._below = below

    async def get(self, digest: str) -> bytes:
        try:
            return await super().get(digest)
        except NotFound:
            return await self._below.get(digest)


class Mirror:
    """Mirrors one job at a time; one that comes meanwhile is left out.

    Args:
        services: whom the stages call.
        store: of the artifacts.
        stages: what they do.
    """

    def __init__(self, services: Services, store: ArtifactStore, stages: Stages) -> None:
        self._services = services
        self._store = store
        self._stages = stages
        self._at_work: asyncio.Task[None] | None = None

    async def offer(
        self,
        job: str,
        options: pb.ReconstructionOptions,
        versions: Mapping[str, str],
        image: str,
        results: Sequence[pb.StageResult],
    ) -> None:
        """Mirror a finished job if a version at release is to have it.

        Args:
            versions: that answered.
            image: digest of the input.
            results: of all stages.
        """
        if self._at_work is not None and not self._at_work.done():
            return
        try:
            records = await self._services.versions.records()
        except SQLAlchemyError as error:  # the job itself is well
            _log.warning("a job is not mirrored", job=job, error=str(error))
            return
        for model, record in records.items():
            first = MODELS[model][0]
            came_to_it = any(result.stage == first for result in results)
            if takes_part(record, job, Mode.MIRROR) and came_to_it and not options.model_versions:
                work = self._run(job, options, versions, image, results, record)
                self._at_work = asyncio.create_task(work)
                self._services.at_work.add(self._at_work)
                self._at_work.add_done_callback(self._services.at_work.discard)
                return

    async def _run(
        self,
        job: str,
        options: pb.ReconstructionOptions,
        versions: Mapping[str, str],
        image: str,
        results: Sequence[pb.StageResult],
        record: ModelRecord,
    ) -> None:
        scratch = Scratch(self._store)
        done = [result for result in results if result.stage < MODELS[record.model][0]]
        failure: SparkError | None = None
        files = {INPUT_PATH: image} | {one.path: one.digest for result in done for one in result.artifacts}
        for stage in [result.stage for result in results[len(done) :]]:
            with scratch.session() as session:
                work = Work(
                    name=f"mirror of reconstructions/{job}",
                    options=options,
                    versions={**versions, record.model: record.candidate},
                    files=files,
                    earlier=tuple(done),
                    session=session,
                    services=self._services,
                    progress=_silent,
                )
                start = time.perf_counter()
                try:
                    made = await self._stages[stage](work)
                except Exception as error:  # noqa: BLE001  whatever it is, it counts against the version
                    failure = as_spark_error(error, f"mirror {stage_word(stage)}")
                    break
            duration = Duration()
            duration.FromNanoseconds(int((time.perf_counter() - start) * 1e9))
            done.append(pb.StageResult(stage=stage, artifacts=made.artifacts, duration=duration))
            files = files | {one.path: one.digest for one in made.artifacts}
        plan = plan_from_json(await scratch.get(files[PATH])) if PATH in files and not failure else None
        outcome = outcome_of(record.model, record.candidate, failure, done, plan)
        if outcome:
            await self._services.versions.count(job, record.model, outcome)
        _log.info("mirrored", job=job, model=record.model, version=record.candidate, failed=failure is not None)


async def _silent(fraction: float, message: str) -> None:
    """Progress that nobody watches."""
