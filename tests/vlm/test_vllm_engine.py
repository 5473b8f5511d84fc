"""The engine on a server, against a small HTTP server with vLLM's API; `tests/vllm` has the real one."""

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from chat_api import PLAN, chat
from http_server import Answer, HttpServer, Request, http_server
from PIL import Image

from services.vlm.engine import Abandoned, Completion, Repair
from services.vlm.model_server import ModelServer
from services.vlm.plan_format import dumps, refusal
from services.vlm.plan_schema import plan_schema
from services.vlm.planner import plan_image
from services.vlm.prompt import Prompt
from services.vlm.vllm_engine import VllmEngine
from serving.errors import ImageRefused, Overloaded, StageFailed, Unavailable

IMAGE = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)
SCHEMA = plan_schema()
REPAIR = Repair("{", "document: is not JSON", 7)


def engine(api: HttpServer, converses: bool = True) -> VllmEngine:
    return VllmEngine(ModelServer("plan", api.url, "qwen", timeout_seconds=20), Prompt("Plan it.", converses))


def complete(api: HttpServer, repair: Repair | None = None, converses: bool = True) -> Completion:
    return engine(api, converses).complete(IMAGE, ["a lid"], SCHEMA, repair, lambda: False)


def asked(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.body)
    return body


def answers(*said: Answer) -> Callable[[Request], Answer]:
    """One after the other."""
    left = iter(said)
    return lambda _: next(left)


def test_the_request_holds_picture_prompt_schema_and_asks_for_probabilities() -> None:
    with http_server(answers(chat(PLAN))) as api:
        complete(api)
    [request] = api.requests
    body = asked(request)
    assert request.path == "/v1/chat/completions"
    [message] = body.pop("messages")
    picture, text = message["content"]
    assert text == {"type": "text", "text": "Plan it. Known: a lid"}
    kind, data = picture["image_url"]["url"].split(",")
    assert kind == "data:image/png;base64"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), IMAGE)
    assert body == {
        "model": "qwen",
        "response_format": {"type": "json_schema", "json_schema": {"name": "plan", "schema": SCHEMA, "strict": True}},
        "temperature": 0.0,
        "seed": 0,
        "logprobs": True,
        "top_logprobs": 0,
    }


def test_the_tokens_are_those_that_spell_the_answer() -> None:
    with http_server(answers(chat('{"refused":', '"no_object"}'))) as api:
        completion = complete(api)
    assert completion.text == '{"refused":"no_object"}'
    assert [completion.text[token.start : token.end] for token in completion.tokens] == ['{"refused":', '"no_object"}']
    assert [token.probability for token in completion.tokens] == pytest.approx([0.5, 0.5])


def test_a_model_that_converses_is_told_its_mistake() -> None:
    with http_server(answers(chat(PLAN))) as api:
        complete(api, REPAIR)
    body = asked(api.requests[0])
    first, answer, complaint = body["messages"]
    assert [part["type"] for part in first["content"]] == ["image_url", "text"]
    assert answer == {"role": "assistant", "content": [{"type": "text", "text": "{"}]}
    assert REPAIR.problem in complaint["content"][0]["text"]
    assert body["temperature"] == 0


def test_a_model_that_does_not_draws_again_with_the_seed() -> None:
    with http_server(answers(chat(PLAN))) as api:
        complete(api, REPAIR, converses=False)
    body = asked(api.requests[0])
    assert len(body["messages"]) == 1
    assert (body["temperature"], body["seed"]) == (0.5, 7)


def test_an_answer_that_is_no_plan_is_repaired_once() -> None:
    with http_server(answers(chat('{"category":"car"}'), chat(PLAN))) as api:
        assert plan_image(engine(api), IMAGE, [], 7).category == "safe"
    assert "size_cm: is missing" in asked(api.requests[1])["messages"][2]["content"][0]["text"]


def test_an_answer_that_is_no_plan_after_its_repair_fails_the_stage() -> None:
    with http_server(answers(chat("no"), chat("plan"))) as api, pytest.raises(StageFailed) as caught:
        plan_image(engine(api), IMAGE, [], 7)
    assert caught.value.metadata == {"stage": "plan"}


def test_a_refusal_arrives_as_one() -> None:
    with http_server(answers(chat(dumps(refusal("cut_off"))))) as api, pytest.raises(ImageRefused):
        plan_image(engine(api), IMAGE, [], 7)


def test_an_answer_that_was_cut_off_fails_the_stage_and_says_why() -> None:
    with http_server(answers(chat('{"category"', finish="length"))) as api, pytest.raises(StageFailed, match="tokens"):
        complete(api)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"{}"),
        Answer(body=b'{"choices": []}'),
        Answer(body=b'{"choices": [{"message": {"content": null}, "finish_reason": "stop", "logprobs": null}]}'),
        chat("token_id:17", text="{"),
        chat("{", finish="abort"),
    ],
    ids=["nothing", "no choice", "no probabilities", "other tokens", "aborted"],
)
def test_an_answer_without_what_was_asked_for_is_no_answer(answer: Answer) -> None:
    with http_server(answers(answer)) as api, pytest.raises(Unavailable, match="API"):
        complete(api)


def test_what_the_server_raises_passes_the_planner() -> None:
    with http_server(answers(Answer(429))) as api, pytest.raises(Overloaded):
        plan_image(engine(api), IMAGE, [], 7)


def test_a_caller_that_goes_away_ends_the_servers_work() -> None:
    with http_server(answers(Answer(None))) as api:
        with pytest.raises(Abandoned):
            plan_image(engine(api), IMAGE, [], 7, stop=lambda: bool(api.requests))
        assert api.hung_up.wait(10)
