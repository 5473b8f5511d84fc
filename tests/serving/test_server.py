"""A real `grpc.aio` server with the shared interceptor, driven through the VLM and refinement contracts."""

import asyncio
import errno
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from articulation.errors import InvalidArticulation
from serving.errors import InvalidRequest, ModelNotReady, Reason, SparkError, Unavailable
from serving.interceptors import SparkInterceptor
from serving.server import RunningServer, ServerOptions, running
from serving.status import from_rpc_error, from_status
from spark.v1 import articulation_pb2 as apb
from spark.v1 import refinement_service_pb2 as rpb
from spark.v1 import refinement_service_pb2_grpc as rgrpc
from spark.v1 import vlm_service_pb2 as pb
from spark.v1 import vlm_service_pb2_grpc as vgrpc

VLM = pb.DESCRIPTOR.services_by_name["VlmService"].full_name
REFINEMENT = rpb.DESCRIPTOR.services_by_name["RefinementService"].full_name


class Vlm(vgrpc.VlmServiceServicer):
    """Fails as the image bytes ask.

    Attributes:
        at_work: set while a slow call is answered.
    """

    at_work = asyncio.Event()

    async def PlanArticulation(self, request, context):
        match request.image:
            case b"typed":
                raise ModelNotReady("no weights", metadata={"model": "vlm"})
            case b"cycle":
                raise InvalidArticulation("parts[1].parent_index", "is part of a cycle")
            case b"full":
                raise OSError(errno.ENOSPC, "No space left on device", "/var/tmp/asset")
            case b"bug":
                raise KeyError("secret of the house")
            case b"slow":
                self.at_work.set()
                await asyncio.sleep(0.5)
        return pb.PlanArticulationResponse(plan=apb.ArticulationPlan(category=request.image.decode()))


class Refinement(rgrpc.RefinementServiceServicer):
    """Two messages of progress, then an error where the seed is negative."""

    async def RefineArticulation(self, request, context):
        for step in (1, 2):
            yield rpb.RefineArticulationResponse(progress=rpb.RefinementProgress(step=step, total_steps=2))
        if request.seed < 0:
            raise ModelNotReady("half way")


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    services = {
        VLM: lambda s: vgrpc.add_VlmServiceServicer_to_server(Vlm(), s),
        REFINEMENT: lambda s: rgrpc.add_RefinementServiceServicer_to_server(Refinement(), s),
    }
    async with running(services, ServerOptions(grace_seconds=2)) as handle:
        yield handle


@pytest.fixture
async def channel(server: RunningServer) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel


async def refusal(call) -> SparkError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    status = rpc_status.from_call(caught.value)  # grpc-status's own reader is the oracle of the wire format
    assert status.code == caught.value.code().value[0]
    return from_status(status)


def refine_request(seed: int) -> rpb.RefineArticulationRequest:
    def vector(value: float) -> apb.Vector3:
        return apb.Vector3(x=value, y=value, z=value)

    part = apb.Part(
        name="body",
        parent_index=-1,
        box=apb.Box(center=vector(0), half_extent=vector(1)),
        joint=apb.Joint(type=apb.JOINT_TYPE_FIXED),
        material="wood",
    )
    plan = apb.ArticulationPlan(category="safe", size=1, parts=[part], camera=apb.Camera(distance=4, fov=0.7))
    return rpb.RefineArticulationRequest(
        plan=plan, part_meshes=[b"glb"], closed_image=b"a", open_image=b"b", opening=[0], seed=seed
    )


async def test_a_good_call_passes(channel) -> None:
    answer = await vgrpc.VlmServiceStub(channel).PlanArticulation(pb.PlanArticulationRequest(image=b"oven"))
    assert answer.plan.category == "oven"


async def test_a_broken_rule_names_its_field(channel) -> None:
    request = pb.PlanArticulationRequest(image=b"", part_hints=["x" * 300])
    error = await refusal(vgrpc.VlmServiceStub(channel).PlanArticulation(request))
    assert isinstance(error, InvalidRequest)
    assert {v.field for v in error.violations} == {"image", "part_hints[0]"}


async def test_a_typed_error_arrives_typed(channel) -> None:
    error = await refusal(vgrpc.VlmServiceStub(channel).PlanArticulation(pb.PlanArticulationRequest(image=b"typed")))
    assert isinstance(error, ModelNotReady)
    assert error.metadata == {"model": "vlm"}


async def test_an_impossible_plan_names_its_field(channel) -> None:
    error = await refusal(vgrpc.VlmServiceStub(channel).PlanArticulation(pb.PlanArticulationRequest(image=b"cycle")))
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.violations[0].field == "plan.parts[1].parent_index"


async def test_a_full_disk_is_said_without_its_path(channel) -> None:
    error = await refusal(vgrpc.VlmServiceStub(channel).PlanArticulation(pb.PlanArticulationRequest(image=b"full")))
    assert error.reason is Reason.STORAGE_FULL
    assert "/var/tmp" not in error.message


async def test_a_bug_shows_an_id_and_nothing_else(channel, capsys) -> None:
    error = await refusal(vgrpc.VlmServiceStub(channel).PlanArticulation(pb.PlanArticulationRequest(image=b"bug")))
    assert error.code is grpc.StatusCode.INTERNAL
    assert "secret" not in error.message
    logged = "".join(capsys.readouterr())
    assert error.metadata["error_id"] in logged
    assert "secret of the house" in logged


async def test_a_stream_ends_with_its_error_after_its_messages(channel) -> None:
    call = rgrpc.RefinementServiceStub(channel).RefineArticulation(refine_request(seed=-1))
    steps: list[int] = []

    async def read() -> None:
        async for message in call:
            steps.append(message.progress.step)  # noqa: PERF401  a comprehension would lose them at the error

    assert isinstance(await refusal(read()), ModelNotReady)
    assert steps == [1, 2]


async def test_a_bad_request_opens_no_stream(channel) -> None:
    request = refine_request(seed=0)
    request.opening[0] = 1.5
    call = rgrpc.RefinementServiceStub(channel).RefineArticulation(request)

    async def read() -> None:
        async for _ in call:
            raise AssertionError("a message arrived")

    assert (await refusal(read())).violations[0].field == "opening[0]"


async def test_a_deadline_in_the_past_reaches_no_handler() -> None:
    async def handler(request, context):
        raise AssertionError("the handler ran")

    class Late:
        """A context whose deadline passed between the client and us; gRPC itself leaves only this moment to check."""

        def time_remaining(self) -> float:
            return 0.0

        async def abort(self, code, details, metadata):
            raise grpc.aio.AbortError(code.name)

    async def continuation(details):
        return grpc.unary_unary_rpc_method_handler(handler)

    details = type("Details", (), {"method": "/spark.v1.VlmService/PlanArticulation"})()
    wrapped = await SparkInterceptor().intercept_service(continuation, details)
    with pytest.raises(grpc.aio.AbortError, match="DEADLINE_EXCEEDED"):
        await wrapped.unary_unary(pb.PlanArticulationRequest(image=b"x"), Late())


async def test_health_and_reflection_answer(channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    answer = await health.Check(health_pb2.HealthCheckRequest(service=VLM))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    requests = [reflection_pb2.ServerReflectionRequest(list_services="")]
    async for listed in stub.ServerReflectionInfo(iter(requests)):
        assert {VLM, REFINEMENT} <= {service.name for service in listed.list_services_response.service}


async def test_health_follows_the_service(server, channel) -> None:
    await server.set_serving(VLM, False)
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=VLM))
    assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_drain_finishes_calls_in_flight(server, channel) -> None:
    stub = vgrpc.VlmServiceStub(channel)
    call = stub.PlanArticulation(pb.PlanArticulationRequest(image=b"slow"))
    await asyncio.wait_for(Vlm.at_work.wait(), 10)
    await server.drain(5)
    assert (await call).plan.category == "slow"


async def test_a_dead_peer_is_unavailable() -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await vgrpc.VlmServiceStub(channel).PlanArticulation(pb.PlanArticulationRequest(image=b"x"))
    error = from_rpc_error(caught.value, "vlm")
    assert isinstance(error, Unavailable)
    assert error.metadata == {"peer": "vlm"}


async def test_sigterm_ends_a_server_process_cleanly(tmp_path: Path) -> None:
    code = (
        "import asyncio; from serving.logging import configure; from serving.server import serve, ServerOptions;"
        "configure(); asyncio.run(serve({}, ServerOptions()))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    assert b'"serving"' in await asyncio.wait_for(process.stderr.readline(), 20)
    os.kill(process.pid, signal.SIGTERM)
    _, rest = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    assert b'"stopped"' in rest
