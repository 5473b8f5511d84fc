"""What the failures of a model server mean, against real HTTP on loopback."""

import json
import socket
from collections.abc import Callable
from datetime import timedelta

import pytest
from http_server import Answer, Request, http_server
from pydantic import BaseModel

from services.vlm.engine import Abandoned
from services.vlm.model_server import ModelServer
from serving.errors import DeadlineExceeded, ModelNotReady, Overloaded, SparkError, StageFailed, Unavailable


class Said(BaseModel):
    text: str


def server(url: str, seconds: float = 20.0) -> ModelServer:
    return ModelServer("plan", url, "compact-plan", api_key="secret", timeout_seconds=seconds)


def ask(url: str, seconds: float = 20.0, stop: Callable[[], bool] = lambda: False) -> Said:
    return server(url, seconds).post("/v1/say", Said, stop, json={"word": 1})


def listing(*names: str) -> bytes:
    return json.dumps({"data": [{"id": name} for name in names]}).encode()


def test_an_answer_is_read_and_the_key_was_sent() -> None:
    with http_server(lambda _: Answer(body=b'{"text": "yes", "more": 1}')) as api:
        assert ask(api.url + "/").text == "yes"
    [request] = api.requests
    assert (request.path, json.loads(request.body)) == ("/v1/say", {"word": 1})
    assert request.headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, Unavailable),
        (400, StageFailed),
        (401, ModelNotReady),
        (403, ModelNotReady),
        (404, ModelNotReady),
        (413, StageFailed),
        (429, Overloaded),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_each_status_is_a_typed_error(status: int, error: type[SparkError]) -> None:
    with (
        http_server(lambda _: Answer(status, b'{"error": "secret"}', {"retry-after": "7"})) as api,
        pytest.raises(error) as caught,
    ):
        ask(api.url)
    assert type(caught.value) is error
    assert "secret" not in caught.value.message
    assert len(api.requests) == 1
    if status in (429, 503):
        assert caught.value.retry_after == timedelta(seconds=7)


def test_an_overloaded_server_that_names_no_time_still_gives_one() -> None:
    with http_server(lambda _: Answer(429)) as api, pytest.raises(Overloaded) as caught:
        ask(api.url)
    assert caught.value.retry_after is not None


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"text": 1}', b"\xff"])
def test_an_answer_in_another_form_is_no_answer(body: bytes) -> None:
    with http_server(lambda _: Answer(body=body)) as api, pytest.raises(Unavailable, match="API"):
        ask(api.url)


def test_nobody_listening_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable) as caught:
            ask(f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert caught.value.metadata == {"peer": "plan_server"}


def test_a_server_that_hangs_up_halfway_is_unavailable() -> None:
    with http_server(lambda _: Answer(body=b"{", headers={"content-length": "100"})) as api, pytest.raises(Unavailable):
        ask(api.url, seconds=10)


def test_a_server_that_hangs_exceeds_the_time_and_is_hung_up_on() -> None:
    with http_server(lambda _: Answer(None)) as api:
        with pytest.raises(DeadlineExceeded) as caught:
            ask(api.url, seconds=0.2)
        assert api.hung_up.wait(10)
    assert caught.value.metadata == {"peer": "plan_server"}


def test_stopping_hangs_up() -> None:
    with http_server(lambda _: Answer(None)) as api:
        with pytest.raises(Abandoned):
            ask(api.url, stop=lambda: bool(api.requests))
        assert api.hung_up.wait(10)


@pytest.mark.parametrize(
    ("health", "models", "ready"),
    [
        (Answer(), Answer(body=listing("other", "compact-plan")), True),
        (Answer(), Answer(body=listing("other")), False),
        (Answer(503), Answer(body=listing("compact-plan")), False),
        (Answer(), Answer(401), False),
        (Answer(), Answer(body=b"<html>"), False),
    ],
)
async def test_ready_is_healthy_and_with_the_model(health: Answer, models: Answer, ready: bool) -> None:
    def answer(request: Request) -> Answer:
        return {"/health": health, "/v1/models": models}[request.path]

    with http_server(answer) as api:
        assert await server(api.url).is_ready() is ready


async def test_a_server_that_is_away_is_not_ready() -> None:
    with http_server(lambda _: Answer()) as api:
        url = api.url
    assert not await server(url).is_ready()
