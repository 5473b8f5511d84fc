"""The plan stage on a real vLLM server gives what the engine in this process gives."""

import asyncio
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import grpc
import numpy as np
import pytest
import torch
from chart import SOURCE, component, of_kind, render
from vllm_process import FOLDER, KEY, NAME, ROOT, Vllm

from articulation.typing import ImageArray
from checkpoints.digest import folder_digest
from gateway.images import normalise, read_rgb
from services.vlm.calibration import load_calibration
from services.vlm.engine import Abandoned, Completion, PlanEngine, Repair
from services.vlm.model_server import ModelServer
from services.vlm.models import Loaded, load_models
from services.vlm.plan_format import Refused, parse
from services.vlm.plan_schema import plan_schema
from services.vlm.planner import plan_image
from services.vlm.prompt import Prompt, plan_prompt
from services.vlm.server import SERVICE, register
from services.vlm.settings import VlmSettings
from services.vlm.transformers_engine import TransformersEngine
from services.vlm.vllm_engine import VllmEngine
from serving.errors import ModelNotReady, StageFailed, Unavailable
from serving.server import ServerOptions, running
from serving.status import from_rpc_error
from spark.convert import plan_from_proto
from spark.v1 import vlm_service_pb2 as pb
from spark.v1 import vlm_service_pb2_grpc

pytestmark = pytest.mark.timeout(1800)

SAMPLES = ("microwave", "refrigerator", "storage_furniture", "table", "toilet", "washing_machine")
NEAR = 0.02
"""How far probabilities of two implementations may lie apart."""


def never() -> bool:
    return False


@cache
def sample(name: str) -> ImageArray:
    return read_rgb(normalise((ROOT / f"examples/{name}.png").read_bytes()))


@pytest.fixture(scope="module")
def here() -> TransformersEngine:
    torch.set_num_threads(1)
    return TransformersEngine.load(FOLDER)


def server(vllm: Vllm, model: str = NAME, key: str = KEY) -> ModelServer:
    return ModelServer("plan", vllm.url, model, key, timeout_seconds=900)


@pytest.fixture(scope="module")
def there(vllm: Vllm) -> VllmEngine:
    return VllmEngine(server(vllm), plan_prompt(FOLDER))


def probabilities(completion: Completion) -> list[float]:
    return [token.probability for token in completion.tokens]


def ask(engine: PlanEngine, image: ImageArray, hints: Sequence[str] = ()) -> Completion:
    return engine.complete(image, hints, plan_schema(), None, never)


def test_the_series_by_which_keda_scales_it_are_shown(vllm: Vllm) -> None:
    values = {"vllm": {"enabled": True, "weights": SOURCE, "gpu": {"count": 1}, "autoscaling": {"enabled": True}}}
    (scaled,) = [one for one in of_kind(render("production", values), "ScaledObject") if component(one) == "vllm"]
    asked = set(re.findall(r"vllm:\w+", str(scaled["spec"]["triggers"])))
    assert asked
    assert {name for name in asked if f"\n{name}{{" in vllm.metrics()} == asked


def test_the_sample_images_get_the_same_plans_with_the_same_probabilities(
    here: TransformersEngine, there: VllmEngine
) -> None:
    with ThreadPoolExecutor(len(SAMPLES)) as callers:  # at once, so that vLLM batches them
        answers = list(callers.map(lambda name: ask(there, sample(name)), SAMPLES))
    for name, theirs in zip(SAMPLES, answers, strict=True):
        ours = ask(here, sample(name))
        assert theirs.text == ours.text, name
        assert parse(theirs.text).parts
        assert [(token.start, token.end) for token in theirs.tokens] == [(t.start, t.end) for t in ours.tokens]
        np.testing.assert_allclose(probabilities(theirs), probabilities(ours), atol=NEAR)


def test_confidences_are_the_same_to_two_digits(here: TransformersEngine, there: VllmEngine) -> None:
    image, calibration = sample("microwave"), load_calibration(FOLDER)
    ours, theirs = (plan_image(engine, image, [], 0, calibration=calibration) for engine in (here, there))
    assert theirs.confidence == pytest.approx(ours.confidence, abs=NEAR)
    for mine, yours in zip(ours.parts, theirs.parts, strict=True):
        assert yours.confidence == pytest.approx(mine.confidence, abs=NEAR)
        assert yours.joint.confidence == pytest.approx(mine.joint.confidence, abs=NEAR)


def test_a_hint_binds_the_parts_there_too(here: TransformersEngine, there: VllmEngine) -> None:
    ours, theirs = (plan_image(engine, sample("microwave"), ["two drawers"], 0) for engine in (here, there))
    labels = [part.label for part in theirs.parts]
    assert labels.count("drawer") == 2
    assert labels == [part.label for part in ours.parts]


def test_a_picture_of_nothing_is_refused_for_the_same_reason(here: TransformersEngine, there: VllmEngine) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (384, 384, 3), dtype=np.uint8)
    texts = [ask(engine, noise).text for engine in (here, there)]
    assert texts[0] == texts[1]
    with pytest.raises(Refused):
        parse(texts[1])


def test_the_repair_of_the_compact_model_is_a_plan_that_repeats_by_seed(there: VllmEngine) -> None:
    draws = [there.complete(sample("table"), [], plan_schema(), Repair("{", "x", seed), never) for seed in (3, 3)]
    assert parse(draws[0].text).parts
    assert draws[0].text == draws[1].text


def test_the_server_takes_a_conversation_about_an_answer(vllm: Vllm) -> None:
    engine = VllmEngine(server(vllm), Prompt("Plan the object.", converses=True))
    repair = Repair('{"category":"car"}', "size_cm: is missing", 0)
    labels = ["body", "door"]
    answer = engine.complete(sample("safe"), [], plan_schema(labels), repair, never)
    assert [part.label for part in parse(answer.text).parts] == labels


def test_a_caller_that_goes_away_ends_the_work_there(vllm: Vllm, there: VllmEngine) -> None:
    with pytest.raises(Abandoned):
        there.complete(
            sample("storage_furniture"), [], plan_schema(), None, lambda: vllm.metric("vllm:num_requests_running") > 0
        )
    deadline = time.monotonic() + 60
    while vllm.metric("vllm:num_requests_running") > 0:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_question_longer_than_the_models_context_fails_the_stage(there: VllmEngine) -> None:
    with pytest.raises(StageFailed, match="HTTP 400"):
        ask(there, sample("safe"), ["a very long story " * 2000])


@pytest.mark.parametrize(("model", "key"), [("other", KEY), (NAME, "wrong")])
async def test_a_model_or_key_that_the_server_does_not_know_is_not_ready(vllm: Vllm, model: str, key: str) -> None:
    wrong = server(vllm, model, key)
    assert not await wrong.is_ready()
    with pytest.raises(ModelNotReady):
        await asyncio.to_thread(ask, VllmEngine(wrong, plan_prompt(FOLDER)), sample("safe"))


async def test_the_service_plans_on_the_server_and_says_so_when_it_dies(vllm: Vllm) -> None:
    """The last test: it ends the server."""
    settings = VlmSettings(plan_server=vllm.url, plan_api_key=KEY, plan_folder=FOLDER, plan_timeout_seconds=900)  # type: ignore[arg-type]
    models = load_models(settings)
    assert isinstance(models.planner, Loaded)
    assert await models.planner.is_ready()
    request = pb.PlanArticulationRequest(image=Path(ROOT / "examples/refrigerator.png").read_bytes())
    async with (
        running({SERVICE: register(models, settings)}, ServerOptions(grace_seconds=0)) as service,
        grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as channel,
    ):
        stub = vlm_service_pb2_grpc.VlmServiceStub(channel)
        answer = await stub.PlanArticulation(request)
        assert plan_from_proto(answer.plan).category == "refrigerator"
        assert answer.model.digest == folder_digest(FOLDER)
        vllm.process.terminate()
        await asyncio.to_thread(vllm.process.wait, 120)
        assert not await models.planner.is_ready()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.PlanArticulation(request)
    assert isinstance(from_rpc_error(caught.value, "vlm"), Unavailable)
