"""The gateway under faults: killed in the middle of a job, its services killed, its disk full."""

import asyncio
import json
import signal
import uuid
from pathlib import Path

import obstore
import pytest
from gateway_fixtures import Api, GatewayProcess, local_gateway, refusal, toy_settings, until
from obstore.exceptions import GenericError
from s3_server import s3_server
from toy_services import ToyServices, picture

from client.local.ensemble import free_port
from serving.errors import StorageFull, Unavailable
from serving.status import from_status
from spark.v1 import reconstruction_service_pb2 as pb


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_killed_gateway_finishes_its_jobs_and_repeats_no_finished_stage(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with ToyServices() as toys:
        gate = toys.board.hold("part_dit")
        process = GatewayProcess(toy_settings(tmp_path, toys), free_port())
        api = await process.start()
        try:
            at_work = await api.create(seed=1)
            queued = await api.create(seed=2, last_stage=pb.STAGE_PLAN)
            await until(lambda: toys.board.calls["part_dit"])
            before = await _so_far(api, at_work)

            await process.end(number)
            gate.set()
            api = await process.start()

            done, other = await api.wait(at_work), await api.wait(queued)
            assert {done.state, other.state} == {pb.RECONSTRUCTION_STATE_SUCCEEDED}, done.error
            # The stage that was cut off ran twice; every other stage of the two jobs ran once for each.
            assert toys.board.calls == {"plan": 2, "guide": 1, "open": 1, "part_dit": 2, "texture": 1, "refine": 1}
            after = await api.events(at_work)
            assert after[: len(before)] == before
            assert [event.event_number for event in after] == list(range(len(after)))
        finally:
            await process.end(signal.SIGKILL)


async def _so_far(api: Api, operation) -> list[pb.WatchReconstructionResponse]:
    """Events up to the first of the shape stage."""
    name = operation.name.replace("operations/", "reconstructions/")
    events = []
    async for event in api.service.WatchReconstruction(pb.WatchReconstructionRequest(name=name)):
        events.append(event)
        if event.stage_started.stage == pb.STAGE_SHAPE:
            return events
    raise AssertionError("the shape stage never began")


async def test_a_service_that_comes_back_is_tried_again(tmp_path: Path) -> None:
    async with ToyServices() as toys, local_gateway(toy_settings(tmp_path, toys, stage_attempts=6)) as api:
        toys.board.hold("part_dit")
        operation = await api.create()
        await until(lambda: toys.board.calls["part_dit"])
        await toys.triton.stop()
        toys.board.gates.clear()
        await asyncio.sleep(0.5)
        await toys.triton.start()
        done = await api.wait(operation)
        assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, done.error
        attempts = [
            event.stage_started.attempt
            for event in await api.events(operation)
            if event.stage_started.stage == pb.STAGE_SHAPE
        ]
        assert attempts == list(range(1, len(attempts) + 1))
        assert len(attempts) > 1


@pytest.mark.parametrize(("service", "stages"), [("vlm", 0), ("triton", 2), ("refinement", 4)])
async def test_a_dead_service_fails_the_job_as_unavailable_and_the_same_request_resumes_it(
    tmp_path: Path, service: str, stages: int
) -> None:
    settings = {"stage_attempts": 4, "stage_retry_seconds": 0.25}
    async with ToyServices() as toys, local_gateway(toy_settings(tmp_path, toys, **settings)) as api:
        await getattr(toys, service).stop()
        identifier = str(uuid.uuid4())
        failed = await api.wait(await api.create(request_id=identifier))
        error = from_status(failed.error)
        assert isinstance(error, Unavailable)
        assert error.metadata["peer"] == service
        assert len(failed.stages) == stages

        await getattr(toys, service).start()
        done = await api.wait(await api.create(request_id=identifier))
        assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, done.error
        assert toys.board.calls == dict.fromkeys(("plan", "guide", "open", "part_dit", "texture", "refine"), 1)


async def test_other_errors_are_not_tried_again(tmp_path: Path) -> None:
    async with ToyServices() as toys, local_gateway(toy_settings(tmp_path, toys)) as api:
        identifier = str(uuid.uuid4())
        hints = {"request_id": identifier, "part_hints": ["behave: cycle"]}
        await api.wait(await api.create(**hints))
        assert (await api.create(**hints)).done  # nor taken up by a repeated request
        assert toys.board.calls["plan"] == 1


async def test_a_stage_that_takes_too_long_is_cut_off(tmp_path: Path) -> None:
    settings = {"stage_timeout_seconds": 0.5}
    async with ToyServices() as toys, local_gateway(toy_settings(tmp_path, toys, **settings)) as api:
        toys.board.hold("part_dit")
        failed = await api.wait(await api.create())
        assert from_status(failed.error).reason == "DEADLINE_EXCEEDED"
        assert len(failed.stages) == 2


async def test_a_full_disk_refuses_new_work_and_the_job_resumes_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tests/gateway/test_artifacts.py` has the kernel say so; here the store repeats its words."""

    async def full(*unused: object) -> None:
        raise GenericError("Unable to copy data to file: No space left on device (os error 28)")

    async with ToyServices() as toys, local_gateway(toy_settings(tmp_path, toys)) as api:
        gate = toys.board.hold("guide")
        identifier = str(uuid.uuid4())
        operation = await api.create(request_id=identifier)
        await until(lambda: toys.board.calls["guide"])
        with monkeypatch.context() as patch:
            patch.setattr(obstore, "put_async", full)
            assert isinstance(await refusal(api.create(image=picture(100, 100))), StorageFull)
            gate.set()
            failed = await api.wait(operation)
        assert from_status(failed.error).reason == "STORAGE_FULL"
        done = await api.wait(await api.create(request_id=identifier))
        assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, done.error
        assert toys.board.calls["plan"] == 1


async def test_a_job_outlives_an_object_storage_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    with s3_server(tmp_path / "s3") as s3:
        settings = {"store_url": "s3://artifacts/test", "stage_attempts": 8, "stage_retry_seconds": 0.2}
        async with ToyServices() as toys, local_gateway(toy_settings(tmp_path, toys, **settings)) as api:
            gate = toys.board.hold("guide")
            operation = await api.create(last_stage=pb.STAGE_UNSPECIFIED)
            await until(lambda: toys.board.calls["guide"])
            s3.stop()
            assert (await refusal(api.create(image=picture(100, 100)))).metadata["peer"] == "artifacts"
            gate.set()
            await asyncio.sleep(1)
            s3.start()
            done = await api.wait(operation, 120)
            assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, done.error
            assert done.warnings == []
            report = next(a for a in done.stages[-1].artifacts if a.path == "asset/report.json")
            assert json.loads(await api.download(report.digest))["checks"]["ok"]
