"""The VLM service with its plan model on a server: settings, versions, health, errors over gRPC."""

import asyncio
import json
from pathlib import Path

import grpc
import numpy as np
import pytest
from chat_api import PLAN, chat
from grpc_health.v1 import health_pb2, health_pb2_grpc
from http_server import Answer, Request, http_server
from manifests import write_manifest

from articulation.files import png
from checkpoints.digest import folder_digest
from services.vlm import server
from services.vlm.calibration import UNCALIBRATED, Calibration, Logistic, save_calibration
from services.vlm.models import Loaded, Models, load_models
from services.vlm.server import SERVICE, register
from services.vlm.settings import VlmSettings
from serving.errors import ModelNotReady, Unavailable
from serving.server import ServerOptions, running
from serving.status import from_rpc_error
from spark.v1 import vlm_service_pb2 as pb
from spark.v1 import vlm_service_pb2_grpc

DIGEST = "ab" * 32
REQUEST = pb.PlanArticulationRequest(image=png(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)))


class Switch:
    """A plan server that can be turned off, and loses its model."""

    def __init__(self) -> None:
        self.healthy = True
        self.model = "qwen"

    def __call__(self, request: Request) -> Answer:
        if not self.healthy:
            return Answer(503)
        if request.path == "/v1/chat/completions":
            return chat(PLAN)
        return Answer(body=json.dumps({"data": [{"id": self.model}]}).encode())


def settings(url: str, **more: object) -> VlmSettings:
    return VlmSettings.model_validate({"plan_server": url, "threads": 1, **more})


def planner(models: Models) -> Loaded[object]:
    assert isinstance(models.planner, Loaded)
    return models.planner


async def test_a_named_model_answers_with_the_digest_of_the_settings(tmp_path: Path) -> None:
    with http_server(Switch()) as api:
        chosen = settings(api.url, plan_model="qwen", plan_digest=DIGEST, plan_api_key="secret")
        models = load_models(chosen)
        assert models.calibration is UNCALIBRATED
        async with (
            running({SERVICE: register(models, chosen)}, ServerOptions(grace_seconds=0)) as server,
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            stub = vlm_service_pb2_grpc.VlmServiceStub(channel)
            calls = (stub.PlanArticulation(REQUEST) for _ in range(3))
            answers = await asyncio.gather(*calls)
    assert [(answer.model.model, answer.model.digest) for answer in answers] == [("qwen", DIGEST)] * 3
    assert all(request.headers["authorization"] == "Bearer secret" for request in api.requests)
    assert "secret" not in repr(chosen)


def test_without_a_name_the_folder_tells_name_prompt_digest_and_calibration(tmp_path: Path) -> None:
    folder = tmp_path / "tuned"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "prompt.txt").write_text("Plan it.")
    curve = Logistic(total=0, least=0, numbers=0, parts=0, bias=2)
    save_calibration(Calibration(plan=curve), folder, {})
    with http_server(Switch()) as api:
        models = load_models(settings(api.url, plan_folder=folder))
    assert planner(models).version.model == "tuned"
    assert planner(models).version.digest == folder_digest(folder)
    assert models.calibration.plan == curve


def test_a_folder_that_is_not_the_manifests_is_refused_though_a_server_has_the_weights(tmp_path: Path) -> None:
    folder = tmp_path / "vlm/compact-plan"
    folder.mkdir(parents=True)
    (folder / "prompt.txt").write_text("Plan it.")
    write_manifest(tmp_path, folder='"vlm/compact-plan"', digest=f'"{DIGEST}"')
    models = load_models(settings("http://127.0.0.1:1", plan_folder=folder))
    assert isinstance(models.planner, ModelNotReady)


async def test_health_follows_the_plan_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEALTH_SECONDS", 0.05)
    state = Switch()
    with http_server(state) as api:
        chosen = settings(api.url, plan_model="qwen")
        remote = load_models(chosen)
        models = Models(remote.planner, Loaded(object(), planner(remote).version))
        async with running({SERVICE: register(models, chosen)}, ServerOptions(grace_seconds=0)) as handle:
            follower = asyncio.create_task(server._follow(models, handle))
            async with grpc.aio.insecure_channel(f"127.0.0.1:{handle.port}") as channel:
                health = health_pb2_grpc.HealthStub(channel)
                await reaches(health, health_pb2.HealthCheckResponse.SERVING)
                state.model = "other"
                await reaches(health, health_pb2.HealthCheckResponse.NOT_SERVING)
                state.model = "qwen"
                await reaches(health, health_pb2.HealthCheckResponse.SERVING)
                state.healthy = False
                await reaches(health, health_pb2.HealthCheckResponse.NOT_SERVING)
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    stub = vlm_service_pb2_grpc.VlmServiceStub(channel)
                    await stub.PlanArticulation(REQUEST)
            follower.cancel()
    error = from_rpc_error(caught.value, "vlm")
    assert isinstance(error, Unavailable)
    assert error.metadata == {"peer": "plan_server"}


async def reaches(health: health_pb2_grpc.HealthStub, status: int) -> None:
    """Wait until the service and the server say so."""
    async with asyncio.timeout(60):
        for name in ("", SERVICE):
            while (await health.Check(health_pb2.HealthCheckRequest(service=name))).status != status:
                await asyncio.sleep(0.05)
