"""The VLM server over gRPC, with a toy plan model and with none."""

import asyncio
import io
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import exp
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from manifests import write_manifest
from PIL import Image
from plan_folders import write_random_folder

from checkpoints.digest import folder_digest
from services.vlm.calibration import UNCALIBRATED, Calibration, Logistic
from services.vlm.engine import Completion, PlanEngine, Token
from services.vlm.models import Loaded, Models, load_models
from services.vlm.plan_format import dumps, refusal
from services.vlm.server import SERVICE, register
from services.vlm.settings import VlmSettings
from services.vlm.worker import ModelWorker
from serving.errors import ImageRefused, InvalidImage, InvalidPlan, InvalidRequest, ModelNotReady, Overloaded
from serving.server import ServerOptions, running
from serving.status import from_rpc_error
from spark.convert import plan_from_proto
from spark.v1 import model_pb2, vlm_service_pb2_grpc
from spark.v1 import vlm_service_pb2 as pb


def png(width: int = 64, height: int = 64) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> VlmSettings:
    root = tmp_path_factory.mktemp("models")
    return VlmSettings(
        plan_folder=write_random_folder(root / "compact-plan"), editor_folder=root / "compact-edit", threads=1
    )


@pytest.fixture(scope="module")
def models(settings: VlmSettings) -> Models:
    return load_models(settings)


@pytest.fixture
async def stub(models: Models, settings: VlmSettings) -> AsyncIterator[vlm_service_pb2_grpc.VlmServiceStub]:
    async with (
        running({SERVICE: register(models, settings)}, ServerOptions(grace_seconds=0)) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield vlm_service_pb2_grpc.VlmServiceStub(channel)


class Saying:
    """A plan engine with one answer to everything, half sure of each character."""

    def __init__(self, text: str) -> None:
        self.text = text

    def complete(self, *_: object) -> Completion:
        return Completion(self.text, tuple(Token(i, i + 1, 0.5) for i in range(len(self.text))))


@asynccontextmanager
async def serving(models: Models) -> AsyncIterator[vlm_service_pb2_grpc.VlmServiceStub]:
    async with (
        running({SERVICE: register(models, VlmSettings())}, ServerOptions(grace_seconds=0)) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield vlm_service_pb2_grpc.VlmServiceStub(channel)


def saying(document: dict[str, object], calibration: Calibration = UNCALIBRATED) -> Models:
    planner: Loaded[PlanEngine] = Loaded(Saying(dumps(document)), model_pb2.ModelVersion(model="toy"))
    return Models(planner, ModelNotReady("no editor"), calibration)


async def test_a_refusal_arrives_typed_with_its_reason() -> None:
    async with serving(saying(refusal("cut_off"))) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.PlanArticulation(pb.PlanArticulationRequest(image=png()))
    error = from_rpc_error(caught.value, "vlm")
    assert isinstance(error, ImageRefused)
    assert error.metadata == {"refusal": "cut_off"}
    assert [violation.field for violation in error.violations] == ["image"]


async def test_confidences_are_those_of_the_calibration() -> None:
    box = {"label": "body", "material": "wood", "parent": -1, "box": [0, 0, 0, 9, 9, 9], "joint": {"type": "fixed"}}
    document = {"category": "safe", "size_cm": 40, "camera": [0, 0, 30, 200, 0, 0], "parts": [box]}
    certain = Logistic(total=0, least=0, numbers=0, parts=0, bias=2)
    async with serving(saying(document, Calibration(plan=certain, part=certain))) as stub:
        plan = (await stub.PlanArticulation(pb.PlanArticulationRequest(image=png()))).plan
    assert plan.confidence == pytest.approx(1 / (1 + exp(-2)))
    assert plan.parts[0].confidence == plan.confidence
    assert plan.parts[0].joint.confidence < 1e-6


async def test_a_picture_becomes_a_plan_that_names_its_model(
    stub: vlm_service_pb2_grpc.VlmServiceStub, settings: VlmSettings
) -> None:
    response = await stub.PlanArticulation(pb.PlanArticulationRequest(image=png(), part_hints=["one door"]))
    plan = plan_from_proto(response.plan)
    assert [part.label for part in plan.parts].count("door") == 1
    assert response.model.model == "compact-plan"
    assert response.model.digest == folder_digest(settings.plan_folder)


@pytest.mark.parametrize(
    "image", [b"no picture", png()[:200], png(64, 32)], ids=["not an image", "truncated", "not square"]
)
async def test_a_bad_picture_is_refused_by_name(stub: vlm_service_pb2_grpc.VlmServiceStub, image: bytes) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.PlanArticulation(pb.PlanArticulationRequest(image=image))
    error = from_rpc_error(caught.value, "vlm")
    assert isinstance(error, InvalidImage)
    assert [violation.field for violation in error.violations] == ["image"]


async def test_an_empty_request_breaks_the_rules_of_the_proto(stub: vlm_service_pb2_grpc.VlmServiceStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.PlanArticulation(pb.PlanArticulationRequest())
    assert type(from_rpc_error(caught.value, "vlm")) is InvalidRequest


def test_a_folder_that_the_manifest_names_otherwise_is_not_ready(settings: VlmSettings, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(settings.plan_folder, tmp_path / "models/compact-plan"))
    write_manifest(tmp_path / "models", folder='"compact-plan"', digest=f'"{64 * "a"}"')
    found = load_models(settings.model_copy(update={"plan_folder": folder})).planner
    assert isinstance(found, ModelNotReady)
    assert "is not the model that manifest.toml names" in found.message


async def test_without_an_editor_the_guide_calls_are_not_ready(stub: vlm_service_pb2_grpc.VlmServiceStub) -> None:
    plan = (await stub.PlanArticulation(pb.PlanArticulationRequest(image=png(), part_hints=["one door"]))).plan
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GeneratePartReferences(pb.GeneratePartReferencesRequest(image=png(), plan=plan))
    error = from_rpc_error(caught.value, "vlm")
    assert isinstance(error, ModelNotReady)
    assert error.metadata == {"model": "compact-edit"}


class Painter:
    """An editor that answers in one colour."""

    def part_references(self, image, plan, seed, stop):
        return np.full((4, 4, 3), seed, np.uint8), [np.full((4, 4, 3), i, np.uint8) for i in range(len(plan.parts))]

    def open_state(self, image, plan, opening, seed, stop):
        return np.full((4, 4, 3), 255 * opening[-1], np.uint8)


@pytest.fixture
async def painter(models: Models, settings: VlmSettings) -> AsyncIterator[vlm_service_pb2_grpc.VlmServiceStub]:
    both = Models(models.planner, type(models.planner)(Painter(), models.planner.version))
    async with (
        running({SERVICE: register(both, settings)}, ServerOptions(grace_seconds=0)) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield vlm_service_pb2_grpc.VlmServiceStub(channel)


def colour(content: bytes) -> int:
    return int(np.asarray(Image.open(io.BytesIO(content)))[0, 0, 0])


async def test_guide_calls_answer_with_pictures_in_the_order_of_the_plan(
    painter: vlm_service_pb2_grpc.VlmServiceStub,
) -> None:
    plan = (await painter.PlanArticulation(pb.PlanArticulationRequest(image=png(), part_hints=["one door"]))).plan
    made = await painter.GeneratePartReferences(pb.GeneratePartReferencesRequest(image=png(), plan=plan, seed=9))
    assert colour(made.object_image) == 9
    assert [colour(image) for image in made.part_images] == list(range(len(plan.parts)))
    opening = [0.0] * (len(plan.parts) - 1) + [1.0]
    opened = await painter.PredictOpenState(pb.PredictOpenStateRequest(image=png(), plan=plan, opening=opening))
    assert colour(opened.image) == 255


async def test_guide_calls_refuse_a_cyclic_plan_and_a_wrong_number_of_openings(
    painter: vlm_service_pb2_grpc.VlmServiceStub,
) -> None:
    plan = (await painter.PlanArticulation(pb.PlanArticulationRequest(image=png(), part_hints=["one door"]))).plan
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await painter.PredictOpenState(pb.PredictOpenStateRequest(image=png(), plan=plan, opening=[1.0] * 20))
    assert from_rpc_error(caught.value, "vlm").violations[0].field == "opening"
    plan.parts[0].parent_index = 1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await painter.GeneratePartReferences(pb.GeneratePartReferencesRequest(image=png(), plan=plan))
    assert isinstance(from_rpc_error(caught.value, "vlm"), InvalidPlan)


async def test_a_deadline_ends_the_work_and_frees_the_models(stub: vlm_service_pb2_grpc.VlmServiceStub) -> None:
    request = pb.PlanArticulationRequest(image=png(), part_hints=["fifteen doors"])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.PlanArticulation(request, timeout=0.15)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert (await stub.PlanArticulation(pb.PlanArticulationRequest(image=png(), part_hints=["one door"]))).plan.parts


async def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    worker = ModelWorker(queue=1)
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait(stop: object) -> str:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return "done"

    accepted = [asyncio.create_task(worker.run(wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as caught:
        await worker.run(wait)
    assert caught.value.retry_after is not None
    release.set()
    assert await asyncio.gather(*accepted) == ["done", "done"]
    assert await worker.run(lambda stop: "again") == "again"
    worker.close()


async def test_the_process_reports_missing_weights_to_health_checks_and_ends_on_sigterm(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.vlm.server", "--address", "127.0.0.1:0", "--threads", "1",
            "--plan-folder", str(tmp_path / "none"), "--editor-folder", str(tmp_path / "neither"),
            stdout=file, stderr=file, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    try:
        port = await _port(log)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            health = health_pb2_grpc.HealthStub(channel)
            for name in ("", SERVICE):
                answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
                assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await vlm_service_pb2_grpc.VlmServiceStub(channel).PlanArticulation(
                    pb.PlanArticulationRequest(image=png())
                )
            assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            assert from_rpc_error(caught.value, "vlm").metadata == {"model": "none"}
    finally:
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 20)
    assert code == 0


async def _port(log: Path) -> int:
    """The port in the server's log, once it serves."""
    for _ in range(600):
        for line in log.read_text().splitlines():
            if '"port"' in line:
                return int(line.split('"port":')[1].split(",")[0].strip(" }"))
        await asyncio.sleep(0.1)
    raise AssertionError(log.read_text())
