"""The refinement service over real gRPC."""

import asyncio
from collections.abc import AsyncIterator

import box_scenes
import grpc
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration

from articulation.files import png
from services.refinement import watch
from services.refinement.schedule import Schedule
from services.refinement.server import SERVICE, RefinementServicer
from services.refinement.settings import RefinementSettings
from serving.errors import InvalidImage, InvalidPlan, InvalidRequest, Overloaded, SparkError
from serving.server import RunningServer, ServerOptions, running
from serving.status import from_rpc_error
from spark.convert import plan_from_proto, plan_to_proto
from spark.v1 import refinement_service_pb2 as pb
from spark.v1 import refinement_service_pb2_grpc

PARTS = box_scenes.cabinet()
EXACT = box_scenes.plan(PARTS)
SHORT = Schedule(camera_steps=4, joint_steps=4, sizes=(32,), search_size=32, settle_steps=2, report_every=2)
ENDLESS = Schedule(camera_steps=10**6, joint_steps=4, sizes=(32,), search_size=32, report_every=1)


@pytest.fixture(scope="module")
def request_message() -> pb.RefineArticulationRequest:
    return pb.RefineArticulationRequest(
        plan=plan_to_proto(box_scenes.perturbed(EXACT, 20, 0.1, seed=1)),
        part_meshes=[mesh.export(file_type="glb") for mesh in box_scenes.meshes(PARTS)],
        closed_image=png(box_scenes.picture(PARTS, np.zeros(3), size=96)),
        open_image=png(box_scenes.picture(PARTS, np.array([0.0, 1.1, 0.6]), size=96)),
        opening=[0, 0.6, 0.7],
        seed=3,
    )


def changed(message: pb.RefineArticulationRequest, **fields: object) -> pb.RefineArticulationRequest:
    other = pb.RefineArticulationRequest()
    other.CopyFrom(message)
    for name in fields:
        other.ClearField(name)
    other.MergeFrom(pb.RefineArticulationRequest(**fields))
    return other


def add(schedule: Schedule, **settings: int):
    servicer = RefinementServicer(RefinementSettings(threads=1, **settings), schedule)
    return lambda server: refinement_service_pb2_grpc.add_RefinementServiceServicer_to_server(servicer, server)


@pytest.fixture
async def short() -> AsyncIterator[RunningServer]:
    async with running({SERVICE: add(SHORT)}, ServerOptions(grace_seconds=2)) as handle:
        yield handle


@pytest.fixture
async def endless() -> AsyncIterator[RunningServer]:
    async with running({SERVICE: add(ENDLESS, queue=0)}, ServerOptions(grace_seconds=2)) as handle:
        yield handle


def stub(channel: grpc.aio.Channel) -> refinement_service_pb2_grpc.RefinementServiceStub:
    return refinement_service_pb2_grpc.RefinementServiceStub(channel)


async def answers(server: RunningServer, message: pb.RefineArticulationRequest) -> list[pb.RefineArticulationResponse]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        return [answer async for answer in stub(channel).RefineArticulation(message)]


async def refusal(server: RunningServer, message: pb.RefineArticulationRequest) -> SparkError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answers(server, message)
    return from_rpc_error(caught.value, "refinement")


async def test_progress_comes_before_one_result(short, request_message) -> None:
    events = [answer.WhichOneof("event") for answer in await answers(short, request_message)]
    assert len(events) > 2
    assert events == ["progress"] * (len(events) - 1) + ["result"]


async def test_the_result_is_a_valid_plan_that_is_no_worse(short, request_message) -> None:
    result = (await answers(short, request_message))[-1].result
    assert [part.name for part in plan_from_proto(result.plan).parts] == [part.name for part in EXACT.parts]
    assert result.final_loss <= result.initial_loss
    assert len(result.coordinates) == 3
    assert result.model.model == "refinement"
    assert len(result.model.digest) == 64


async def test_half_the_effort_takes_half_the_steps(short, request_message) -> None:
    for effort, steps in ((1.0, 8), (0.5, 4)):
        first = (await answers(short, changed(request_message, effort=effort)))[0]
        assert first.progress.total_steps == steps


async def test_more_than_all_of_the_effort_is_refused(short, request_message) -> None:
    error = await refusal(short, changed(request_message, effort=1.5))
    assert isinstance(error, InvalidRequest)
    assert error.violations[0].field == "effort"


@pytest.mark.parametrize("field", ["part_meshes", "opening"])
async def test_a_count_that_differs_from_the_plan_is_refused(short, request_message, field: str) -> None:
    error = await refusal(short, changed(request_message, **{field: getattr(request_message, field)[:2]}))
    assert isinstance(error, InvalidRequest)
    assert error.violations[0].field == field


async def test_each_further_open_state_has_its_coordinates(short, request_message) -> None:
    opened = png(box_scenes.picture(PARTS, np.array([0.0, 0.0, 0.6]), size=96))
    state = pb.OpenState(image=opened, opening=[0, 0, 0.7])
    result = (await answers(short, changed(request_message, further_open_states=[state])))[-1].result
    assert len(result.coordinates) == 3
    (further,) = result.further_coordinates
    assert list(further.values[:2]) == [0, 0]
    assert further.values[2] > 0


async def test_an_unreadable_mesh_is_named(short, request_message) -> None:
    meshes = [*request_message.part_meshes[:2], b"glTF but not really"]
    error = await refusal(short, changed(request_message, part_meshes=meshes))
    assert isinstance(error, InvalidRequest)
    assert error.violations[0].field == "part_meshes[2]"


async def test_an_unreadable_image_is_named(short, request_message) -> None:
    error = await refusal(short, changed(request_message, open_image=b"no image"))
    assert isinstance(error, InvalidImage)
    assert error.violations[0].field == "open_image"


async def test_an_impossible_plan_is_refused(short, request_message) -> None:
    plan = pb.RefineArticulationRequest.FromString(request_message.SerializeToString()).plan
    plan.parts[1].parent_index = 1
    error = await refusal(short, changed(request_message, plan=plan))
    assert isinstance(error, InvalidPlan)


async def test_a_budget_that_is_over_gives_the_best_so_far_flagged(endless, request_message) -> None:
    result = (await answers(endless, changed(request_message, time_budget=Duration())))[-1].result
    assert [warning.reason for warning in result.warnings] == [pb.REFINEMENT_WARNING_REASON_STOPPED_EARLY]
    assert [part.name for part in plan_from_proto(result.plan).parts] == [part.name for part in EXACT.parts]


async def test_a_deadline_gives_the_best_so_far_before_it_comes(endless, request_message, monkeypatch) -> None:
    monkeypatch.setattr(watch, "MARGIN_SECONDS", 100.0)  # the time until the deadline, and more
    async with grpc.aio.insecure_channel(f"127.0.0.1:{endless.port}") as channel:
        messages = [answer async for answer in stub(channel).RefineArticulation(request_message, timeout=60)]
    reasons = [warning.reason for warning in messages[-1].result.warnings]
    assert reasons == [pb.REFINEMENT_WARNING_REASON_STOPPED_EARLY]


async def test_less_than_no_time_is_refused(short, request_message) -> None:
    error = await refusal(short, changed(request_message, time_budget=Duration(seconds=-1)))
    assert isinstance(error, InvalidRequest)
    assert error.violations[0].field == "time_budget"


async def test_calls_beyond_the_queue_are_refused_with_a_time(endless, request_message) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{endless.port}") as channel:
        first = stub(channel).RefineArticulation(request_message)
        await first.read()
        error = await refusal(endless, request_message)
        first.cancel()
    assert isinstance(error, Overloaded)
    assert error.retry_after is not None
    assert error.retry_after.total_seconds() > 0


async def test_a_cancelled_call_frees_its_place(endless, request_message) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{endless.port}") as channel:
        first = stub(channel).RefineArticulation(request_message)
        await first.read()
        first.cancel()
        for _ in range(100):
            second = stub(channel).RefineArticulation(request_message)
            try:
                answer = await second.read()
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.05)
                continue
            break
        second.cancel()
    assert answer.WhichOneof("event") == "progress"


async def test_other_calls_are_answered_while_one_is_at_work(endless, request_message) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{endless.port}") as channel:
        first = stub(channel).RefineArticulation(request_message)
        await first.read()
        error = await asyncio.wait_for(refusal(endless, changed(request_message, closed_image=b"")), timeout=5)
        first.cancel()
    assert isinstance(error, InvalidRequest)
