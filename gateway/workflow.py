"""The durable workflow: six stages in a row, each done once, with the versions that the job began with.

DBOS records every stage's result in the database. When a process dies, the next one with the same `executor_id`, or on
PostgreSQL any other (`gateway.takeover`), replays the recorded results and goes on with the stage that it was at.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import structlog
from dbos import DBOS, DBOSConfig, error
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import Gauge, Histogram

from articulation.plan import Plan
from gateway import events
from gateway.artifacts import ArtifactStore
from gateway.models import STAGES as MODELS
from gateway.plans import PATH, plan_from_json
from gateway.releases.jobs import Versions
from gateway.releases.mirror import Mirror
from gateway.releases.routing import Choice
from gateway.settings import Settings
from gateway.stages import guide, package, plan, refine, shape, texture
from gateway.stages.work import INPUT_PATH, Outcome, Services, Work, stage_word
from serving.errors import ModelNotReady, SparkError, Unavailable
from serving.interceptors import as_spark_error
from spark.v1 import reconstruction_service_pb2 as pb

_log = structlog.get_logger(__name__)

NAME = "reconstruct"
QUEUE = "reconstructions"
APPLICATION = "spark-gateway"
WORKFLOW_VERSION = "2"
"""Raise it when the order of steps changes: workflows of another version are not taken up by this code."""
POLL_SECONDS = 0.2
"""How soon a queued reconstruction, and a new event, are noticed on SQLite."""

VERSIONS_STEP = "versions"
"""The first step, whose result is the job's `Choice`."""

STAGES: dict[pb.Stage, Callable[[Work], Awaitable[Outcome]]] = {
    pb.STAGE_PLAN: plan.run,
    pb.STAGE_GUIDE: guide.run,
    pb.STAGE_SHAPE: shape.run,
    pb.STAGE_TEXTURE: texture.run,
    pb.STAGE_REFINE: refine.run,
    pb.STAGE_PACKAGE: package.run,
}

STAGE_SECONDS = Histogram(
    "spark_stage_seconds",
    "Time of one try of a stage, by stage and outcome: ok, cut off, or the error's reason.",
    ["stage", "outcome"],
    buckets=(0.1, 0.5, 1, 2, 5, 10, 20, 60, 180, 600),
)

STAGE_OPERATIONS = Gauge(
    "spark_stage_operations",
    "Reconstructions of this replica that are at a stage: its service works on them, or they wait for it.",
    ["stage"],
)

Reconstruct = Callable[[str, bytes], Coroutine[Any, Any, None]]
"""Takes the digest of the normalised image and the serialised options."""


def planned_stages(options: pb.ReconstructionOptions) -> list[pb.Stage]:
    """The stages that a reconstruction will run."""
    return [stage for stage in STAGES if not options.last_stage or stage <= options.last_stage]


def dbos_config(settings: Settings) -> DBOSConfig:
    return DBOSConfig(
        name=APPLICATION,
        system_database_url=settings.resolved_database_url,
        application_version=WORKFLOW_VERSION,
        executor_id=settings.executor_id,
        notification_listener_polling_interval_sec=POLL_SECONDS,
        log_level="WARNING",
    )


def register(services: Services, store: ArtifactStore) -> Reconstruct:
    """Make the workflow known to DBOS; between `DBOS(...)` and `DBOS.launch()`."""

    mirror = Mirror(services, store, STAGES)

    @DBOS.workflow(name=NAME)
    async def reconstruct(image: str, options: bytes) -> None:
        job = DBOS.workflow_id
        assert job is not None
        wanted = pb.ReconstructionOptions.FromString(options)
        if pb.STAGE_PACKAGE in planned_stages(wanted):
            services.package.warm()  # it starts while the first stages run
        choice = Choice.from_json(
            await DBOS.run_step_async(
                {"name": VERSIONS_STEP}, _chosen, services.versions, job, dict(wanted.model_versions)
            )
        )
        work = _Job(services, store, job, image, wanted)
        try:
            await work.stages(choice.versions)
        except SparkError as failure:
            await work.count(choice.versions, failure)
            if not choice.candidate or work.reached < MODELS[choice.candidate][0]:
                raise
            # The version at release shall cost no caller an asset: the stable one does it again, from where they part.
            work.forget_from(MODELS[choice.candidate][0])
            choice = choice.all_stable
            try:
                await work.stages(choice.versions)
            except SparkError as again:
                await work.count(choice.versions, again)
                raise
        await work.count(choice.versions, None)
        await mirror.offer(job, wanted, choice.versions, image, work.results)

    return reconstruct


async def _chosen(versions: Versions, job: str, pins: dict[str, str]) -> str:
    return (await versions.choose(job, pins)).to_json()


class _Job:
    """The stages of one job.

    Attributes:
        results: of the stages that have ended.
    """

    def __init__(
        self, services: Services, store: ArtifactStore, job: str, image: str, options: pb.ReconstructionOptions
    ) -> None:
        self._services = services
        self._store = store
        self._job = job
        self._image = image
        self._options = options
        self.results: list[pb.StageResult] = []

    @property
    def reached(self) -> pb.Stage:
        """The stage at work, or the last one."""
        planned = planned_stages(self._options)
        return planned[min(len(self.results), len(planned) - 1)]

    def forget_from(self, stage: pb.Stage) -> None:
        """Drop the results of a stage and of all after it."""
        self.results = [result for result in self.results if result.stage < stage]

    async def stages(self, versions: Mapping[str, str]) -> None:
        """Run the stages that have no result yet."""
        for stage in planned_stages(self._options)[len(self.results) :]:
            with self._store.session() as session:
                work = Work(
                    name=f"reconstructions/{self._job}",
                    options=self._options,
                    versions=versions,
                    files=self._files,
                    earlier=tuple(self.results),
                    session=session,
                    services=self._services,
                    progress=_progress(stage),
                )
                with STAGE_OPERATIONS.labels(stage_word(stage)).track_inprogress():
                    result = pb.StageResult.FromString(await _recorded(stage, work))
            await events.finished(result)
            self.results.append(result)

    async def count(self, versions: Mapping[str, str], failure: SparkError | None) -> None:
        """Tell the releases how it ended."""
        if not self._options.model_versions:  # whoever pins has chosen: that says nothing about the version
            await self._services.versions.ended(self._job, versions, failure, self.results, self._plan)

    async def _plan(self) -> Plan | None:
        digest = self._files.get(PATH)
        return plan_from_json(await self._store.get(digest)) if digest else None

    @property
    def _files(self) -> dict[str, str]:
        made = {artifact.path: artifact.digest for result in self.results for artifact in result.artifacts}
        return {INPUT_PATH: self._image} | made


def _progress(stage: pb.Stage) -> Callable[[float, str], Awaitable[None]]:
    return lambda fraction, message: events.progressed(stage, fraction, message)


async def _recorded(stage: pb.Stage, work: Work) -> bytes:
    """Run a stage as a step whose result is recorded; tried again only while a service or its model is away."""
    try:
        return await DBOS.run_step_async(
            {
                "name": stage_word(stage),
                "retries_allowed": work.settings.stage_attempts > 1,
                "max_attempts": work.settings.stage_attempts,
                "interval_seconds": work.settings.stage_retry_seconds,
                "should_retry": lambda failure: isinstance(failure, Unavailable | ModelNotReady),
                "preemptible": True,
            },
            _run,
            stage,
            work,
        )
    except error.DBOSMaxStepRetriesExceeded as exhausted:
        raise exhausted.errors[-1] from exhausted


async def _run(stage: pb.Stage, work: Work) -> bytes:
    status = DBOS.step_status
    await events.started(stage, 1 + (status.current_attempt or 0 if status else 0))
    begin, start = Timestamp(), time.perf_counter()
    begin.GetCurrentTime()
    outcome = "cut off"
    task = asyncio.current_task()
    assert task is not None
    work.services.at_work.add(task)
    try:
        made = await STAGES[stage](work)
        outcome = "ok"
    except Exception as failure:
        known = as_spark_error(failure, stage_word(stage))
        outcome = known.reason
        known.metadata.setdefault("stage", stage_word(stage))
        raise known from failure
    finally:
        work.services.at_work.discard(task)
        seconds = time.perf_counter() - start
        STAGE_SECONDS.labels(stage_word(stage), outcome).observe(seconds)
        _log.info("stage ended", name=work.name, stage=stage_word(stage), outcome=outcome, seconds=round(seconds, 3))
    duration = Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    result = pb.StageResult(
        stage=stage,
        artifacts=made.artifacts,
        models=made.models,
        start_time=begin,
        duration=duration,
        warnings=made.warnings,
    )
    return result.SerializeToString()
