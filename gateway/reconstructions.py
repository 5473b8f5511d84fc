"""Reconstructions as the workflow database holds them: start, look up, list, watch, cancel, delete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import timedelta

from dbos import DBOS, SetWorkflowID, StepInfo, WorkflowStatus, error
from google.protobuf.timestamp_pb2 import Timestamp

from gateway import events
from gateway.artifacts import ArtifactStore
from gateway.models import STAGES as MODELS
from gateway.pages import Cursor
from gateway.plans import PATH, plan_message_from_json, warnings
from gateway.releases.routing import Choice
from gateway.stages.work import stage_word
from gateway.workflow import NAME, POLL_SECONDS, QUEUE, STAGES, VERSIONS_STEP, Reconstruct
from serving.errors import (
    Cancelled,
    DeadlineExceeded,
    ModelNotReady,
    NotFinished,
    NotFound,
    Overloaded,
    RequestIdReused,
    StorageFull,
    Unavailable,
)
from serving.interceptors import as_spark_error
from serving.status import to_status
from spark.v1 import reconstruction_service_pb2 as pb

STATES: dict[str, pb.ReconstructionState] = {
    "DELAYED": pb.RECONSTRUCTION_STATE_QUEUED,
    "ENQUEUED": pb.RECONSTRUCTION_STATE_QUEUED,
    "PENDING": pb.RECONSTRUCTION_STATE_RUNNING,
    "SUCCESS": pb.RECONSTRUCTION_STATE_SUCCEEDED,
    "ERROR": pb.RECONSTRUCTION_STATE_FAILED,
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": pb.RECONSTRUCTION_STATE_FAILED,
    "CANCELLED": pb.RECONSTRUCTION_STATE_CANCELLED,
}
FINAL = (pb.RECONSTRUCTION_STATE_SUCCEEDED, pb.RECONSTRUCTION_STATE_FAILED, pb.RECONSTRUCTION_STATE_CANCELLED)
UNFINISHED = ["DELAYED", "ENQUEUED", "PENDING"]
PASSING = (Unavailable, StorageFull, DeadlineExceeded, Overloaded, ModelNotReady)
"""Errors whose cause may be gone by now: a repeated request takes up such a reconstruction where it failed."""
RETRY_WHEN_FULL = timedelta(seconds=30)

_STEP_NAMES = {stage_word(stage) for stage in STAGES}


class Reconstructions:
    """All reconstructions of one database.

    Args:
        reconstruct: the registered workflow.
        store: holds their artifacts.
        max_queued: unfinished ones beyond which `start` refuses.
    """

    def __init__(self, reconstruct: Reconstruct, store: ArtifactStore, max_queued: int) -> None:
        self._reconstruct = reconstruct
        self._store = store
        self._max_queued = max_queued

    async def start(self, identifier: str, image: str, options: pb.ReconstructionOptions) -> pb.Reconstruction:
        """Queue a reconstruction, or find the one that an earlier request with the same content queued.

        One that failed because something was out of reach goes on where it failed; finished stages are kept.

        Args:
            identifier: the request_id, or a new UUID4.
            image: digest of the normalised image.

        Raises:
            RequestIdReused: the identifier belongs to another image or other options.
            Overloaded: too many wait already.
        """
        content = (image, options.SerializeToString(deterministic=True))
        status = await DBOS.get_workflow_status_async(identifier)
        if status is None:
            await self._refuse_if_full()
            with SetWorkflowID(identifier):
                await DBOS.enqueue_workflow_async(QUEUE, self._reconstruct, *content)
            status = await self._status(identifier)
        assert status.input is not None
        if tuple(status.input["args"]) != content:
            raise RequestIdReused.at("request_id", f"{identifier} belongs to a request with other content")
        if isinstance(status.error, PASSING):
            await self._resume(identifier)
            status = await self._status(identifier)
        return await self._describe(status)

    async def get(self, identifier: str) -> pb.Reconstruction:
        """Raises NotFound."""
        return await self._describe(await self._status(identifier))

    async def page(self, size: int, cursor: Cursor) -> tuple[list[pb.Reconstruction], Cursor | None]:
        """Newest first, from a cursor on, and the cursor of the next page."""
        found = await DBOS.list_workflows_async(
            name=NAME, end_time=cursor.end_time, offset=cursor.skip, limit=size + 1, sort_desc=True
        )
        page, following = cursor.cut(found, size)
        return list(await asyncio.gather(*(self._describe(status) for status in page))), following

    async def watch(self, identifier: str, first_event: int) -> AsyncIterator[pb.WatchReconstructionResponse]:
        """Events from a number on; those to come as they come; the last one again if all were seen.

        Raises:
            NotFound: there is no such reconstruction.
        """
        await self._status(identifier)
        number = 0
        while True:
            stored = DBOS.read_stream_async(identifier, events.STREAM, offset=number, polling_interval_sec=POLL_SECONDS)
            async for data in stored:
                if number >= first_event:
                    event = pb.WatchReconstructionResponse.FromString(data)
                    event.event_number = number
                    yield event
                number += 1
            reconstruction = await self.get(identifier)
            if reconstruction.state in FINAL:
                yield pb.WatchReconstructionResponse(
                    event_number=number, time=reconstruction.end_time, finished=reconstruction
                )
                return

    async def cancel(self, identifier: str) -> None:
        """Stop a reconstruction; its finished stages are kept. No effect on one that has ended. Raises NotFound."""
        status = await self._status(identifier)
        if status.status in UNFINISHED:
            await DBOS.cancel_workflow_async(identifier)

    async def delete(self, identifier: str) -> None:
        """Forget a reconstruction and the artifacts that no other one refers to.

        Raises:
            NotFound: there is no such reconstruction.
            NotFinished: it is queued or at work.
        """
        status = await self._status(identifier)
        if status.status in UNFINISHED:
            raise NotFinished(f"reconstructions/{identifier} is still at work; cancel it first")
        doomed = await self._digests(status)
        await DBOS.delete_workflow_async(identifier)
        others = await DBOS.list_workflows_async(name=NAME)
        for digests in await asyncio.gather(*(self._digests(other) for other in others)):
            doomed -= digests
        await self._store.delete(doomed)

    async def held_versions(self, model: str) -> set[str]:
        """Versions of a model that reconstructions at work began with."""
        at_work = await DBOS.list_workflows_async(name=NAME, status="PENDING", load_input=False, load_output=False)
        steps = await asyncio.gather(*(DBOS.list_workflow_steps_async(status.workflow_id) for status in at_work))
        return {versions[model] for versions in map(_versions, steps) if model in versions}

    async def _refuse_if_full(self) -> None:
        waiting = await DBOS.list_workflows_async(
            name=NAME, status=UNFINISHED, limit=self._max_queued, load_input=False, load_output=False
        )
        if len(waiting) >= self._max_queued:
            raise Overloaded(f"{len(waiting)} reconstructions wait already", retry_after=RETRY_WHEN_FULL)

    async def _resume(self, identifier: str) -> None:
        """Put a failed reconstruction back into the queue, at the step that failed."""
        steps = await DBOS.list_workflow_steps_async(identifier)
        failed = max(step["function_id"] for step in steps)
        try:
            await DBOS.rewind_workflow_async(identifier, start_step=failed, queue_name=QUEUE)
        except error.DBOSException:
            # Another request was faster; anything else than a queue or a worker holding it is a fault.
            if (await self._status(identifier)).status not in UNFINISHED:
                raise

    async def _status(self, identifier: str) -> WorkflowStatus:
        status = await DBOS.get_workflow_status_async(identifier)
        if status is None or status.name != NAME:
            raise NotFound(f"there is no reconstructions/{identifier}")
        return status

    async def _digests(self, status: WorkflowStatus) -> set[str]:
        assert status.input is not None
        steps = await DBOS.list_workflow_steps_async(status.workflow_id)
        stages = _results(steps)
        return {status.input["args"][0]} | {artifact.digest for stage in stages for artifact in stage.artifacts}

    async def _describe(self, status: WorkflowStatus) -> pb.Reconstruction:
        assert status.input is not None
        steps = await DBOS.list_workflow_steps_async(status.workflow_id)
        stages = _kept(steps)
        described = pb.Reconstruction(
            name=f"reconstructions/{status.workflow_id}",
            state=STATES[status.status],
            options=pb.ReconstructionOptions.FromString(status.input["args"][1]),
            create_time=_time(status.created_at),
            stages=stages,
            model_versions=_versions(steps),
        )
        if described.state in FINAL:
            described.end_time.CopyFrom(_time(status.completed_at))
        if described.state == pb.RECONSTRUCTION_STATE_CANCELLED:
            described.error.CopyFrom(to_status(Cancelled("the reconstruction was cancelled")))
        elif described.state == pb.RECONSTRUCTION_STATE_FAILED:
            described.error.CopyFrom(to_status(as_spark_error(_cause(status), described.name)))
        plan = _latest_plan(stages)
        if plan:
            described.plan.CopyFrom(plan_message_from_json(await self._store.get(plan)))
            described.warnings.extend(warnings(described.plan, described.options, stages))
        return described


def _cause(status: WorkflowStatus) -> Exception:
    return status.error or RuntimeError(f"the workflow ended as {status.status}")


def _results(steps: Iterable[StepInfo]) -> list[pb.StageResult]:
    """Of all stages that ended well."""
    return [
        pb.StageResult.FromString(step["output"])
        for step in steps
        if step["function_name"] in _STEP_NAMES and isinstance(step["output"], bytes)
    ]


def _kept(steps: Iterable[StepInfo]) -> list[pb.StageResult]:
    """The results that count: a stage that was done again takes the place of all from there on."""
    kept: list[pb.StageResult] = []
    for result in _results(steps):
        kept = [*(earlier for earlier in kept if earlier.stage < result.stage), result]
    return kept


def _versions(steps: Sequence[StepInfo]) -> Mapping[str, str]:
    """What the job uses: the versions that it began with, or the stable ones if it was begun again with those."""
    chosen = [step["output"] for step in steps if step["function_name"] == VERSIONS_STEP and step["output"]]
    if not chosen:
        return {}
    choice = Choice.from_json(chosen[0])
    names = [step["function_name"] for step in steps]
    again = choice.candidate and names.count(stage_word(MODELS[choice.candidate][0])) > 1
    return {model: version for model, version in (choice.all_stable if again else choice).versions.items() if version}


def _latest_plan(stages: Sequence[pb.StageResult]) -> str:
    """Digest of the last plan that the stages wrote; empty before there is one."""
    digests = [artifact.digest for stage in stages for artifact in stage.artifacts if artifact.path == PATH]
    return digests[-1] if digests else ""


def _time(milliseconds: int | None) -> Timestamp:
    time = Timestamp()
    time.FromMilliseconds(milliseconds or 0)
    return time
