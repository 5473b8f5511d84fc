"""A reconstruction through the five containers, what they may do, and how they end."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from containers import PodContainer
from typer.testing import CliRunner

from client.cli import MODELS, app
from client.sdk import SparkClient, checked
from serving.probe import serves
from spark.v1 import reconstruction_service_pb2 as pb
from spark.v1 import vlm_service_pb2 as vlm_pb
from spark.v1 import vlm_service_pb2_grpc

pytestmark = [pytest.mark.images, pytest.mark.timeout(1200)]

Containers = dict[str, PodContainer]

IMAGE = MODELS.parent / "examples/microwave.png"
STAGES = [pb.STAGE_PLAN, pb.STAGE_GUIDE, pb.STAGE_SHAPE, pb.STAGE_TEXTURE, pb.STAGE_REFINE, pb.STAGE_PACKAGE]
SERVER_OF = {pb.STAGE_SHAPE: "part_dit", pb.STAGE_TEXTURE: "texture", pb.STAGE_REFINE: "refinement"}
IN_FLIGHT_SECONDS = 0.5
"""By when a call that was made has reached its server."""


def _stop(container: PodContainer) -> None:
    stopped = container.stop()
    print(f"\n{container.service}: ended {stopped.seconds:.1f} s after SIGTERM with exit code {stopped.code}")
    assert stopped.code == 0, container.log()
    assert stopped.seconds < container.grace_seconds


def _replace(container: PodContainer) -> float:
    """Stop it with a call in flight and start it again: when it was signalled [s since the epoch]."""
    time.sleep(IN_FLIGHT_SECONDS)
    signalled = time.time()
    _stop(container)
    container.start()
    return signalled


def test_each_answers_health_checks_from_outside_and_inside(containers: Containers) -> None:
    for one in containers.values():
        assert serves(one.endpoint), one.service
        port = one.endpoint.rpartition(":")[2]
        one.run("python", "-m", "serving.probe", f"127.0.0.1:{port}")


def test_none_is_root_or_has_a_capability_or_writes_outside_its_volumes(containers: Containers) -> None:
    for one in containers.values():
        status = one.run("cat", "/proc/1/status")
        assert "Uid:\t65532\t65532" in status
        assert "CapEff:\t0000000000000000" in status
        assert one.run("sh", "-c", "touch /tmp/written; touch /opt/spark/written 2>&1 || true").endswith("system"), one


def test_an_image_becomes_an_asset_that_validates(containers: Containers, tmp_path: Path) -> None:
    asset = str(tmp_path / "asset")
    server = containers["gateway"].endpoint
    made = CliRunner().invoke(app, ["reconstruct", str(IMAGE), "-o", asset, "--server", server, "--json"])
    assert made.exit_code == 0, made.output
    validated = CliRunner().invoke(app, ["validate", asset])
    assert validated.exit_code == 0, validated.output


def test_a_call_in_flight_is_answered_before_the_vlm_server_ends(containers: Containers) -> None:
    vlm = containers["vlm"]
    with grpc.insecure_channel(vlm.endpoint) as channel:
        stub = vlm_service_pb2_grpc.VlmServiceStub(channel)
        call = stub.PlanArticulation.future(vlm_pb.PlanArticulationRequest(image=IMAGE.read_bytes()))
        time.sleep(IN_FLIGHT_SECONDS)
        assert not call.done()
        _stop(vlm)
        assert call.result().plan.parts
    vlm.start()


@pytest.mark.parametrize("stage", SERVER_OF, ids=SERVER_OF.values())
def test_a_server_that_is_replaced_under_a_job_costs_it_no_retry(containers: Containers, stage: pb.Stage) -> None:
    finished = 0.0
    with SparkClient(containers["gateway"].endpoint) as client, ThreadPoolExecutor() as threads:
        job = client.create(IMAGE.read_bytes())
        for event in client.watch(job):
            if event.stage_started.stage == stage:
                assert event.stage_started.attempt == 1
                replaced = threads.submit(_replace, containers[SERVER_OF[stage]])
            if event.stage_finished.stage == stage:
                finished = event.time.ToMilliseconds() / 1e3
        signalled = replaced.result()
        checked(client.get(job))
        assert signalled < finished, "the call was over before the signal"


def test_jobs_that_a_gateway_accepted_go_on_when_it_comes_back(containers: Containers) -> None:
    gateway = containers["gateway"]
    with SparkClient(gateway.endpoint) as client:
        begun = client.create(IMAGE.read_bytes(), quality=pb.QUALITY_DRAFT)
        queued = client.create(IMAGE.read_bytes(), last_stage=pb.STAGE_PLAN)
        assert any(event.stage_started.stage == pb.STAGE_SHAPE for event in client.watch(begun))
        _stop(gateway)
    gateway.start()
    with SparkClient(gateway.endpoint) as client:
        assert list(_finished(client, begun)) == STAGES
        assert list(_finished(client, queued)) == STAGES[:1]


def _finished(client: SparkClient, job: str) -> Iterator[int]:
    """The stages of a job that succeeds, in the order of their ends."""
    for event in client.watch(job):
        if event.HasField("stage_finished"):
            yield event.stage_finished.stage
    checked(client.get(job))
