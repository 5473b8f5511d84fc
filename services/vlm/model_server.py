"""A model behind an HTTP server with OpenAI's API, such as vLLM: calls, and what their failures mean."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from services.vlm.engine import Abandoned
from serving.errors import DeadlineExceeded, ModelNotReady, Overloaded, SparkError, StageFailed, Unavailable

CONNECT_SECONDS = 5.0
PROBE_SECONDS = 5.0
STOP_SECONDS = 0.05
"""How often a call asks whether it is still wanted."""
RETRY_SECONDS = 5.0
"""When to come back, where the server does not say."""

A = TypeVar("A", bound=BaseModel)

_log = structlog.get_logger(__name__)


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


class ModelServer:
    """One model of one server; calls may be made from several threads at once.

    Args:
        stage: that the model serves, "plan" or "guide"; errors name it.
        url: of the server, without the API's `/v1`.
        model: name by which the server knows the model.
        api_key: sent as a bearer token, unless empty.
        timeout_seconds: longest time of a call [s].
    """

    def __init__(self, stage: str, url: str, model: str, api_key: str = "", timeout_seconds: float = 120.0) -> None:
        self.model = model
        self._stage = stage
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout = timeout_seconds
        self._certificates = ssl.create_default_context()

    def post(self, path: str, answer: type[A], stop: Callable[[], bool], **content: Any) -> A:
        """POST to a path such as `/v1/chat/completions` and read the answer; `content` is what httpx takes.

        Raises:
            Abandoned: `stop` returned true; the connection is closed, by which the server knows.
            Unavailable: the server cannot be reached, failed (5xx) or does not speak the API.
            Overloaded: it has too much to do (429).
            DeadlineExceeded: it did not answer in time.
            ModelNotReady: it does not know the model or the key (401, 403, 404).
            StageFailed: it refuses this request (any other 4xx).
        """
        response = asyncio.run(self._post(path, stop, content))
        if not response.is_success:
            raise self._refusal(response)
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            self._log_failure(problem=str(error))
            raise self._unavailable("does not answer in the API that was expected") from error

    async def is_ready(self) -> bool:
        """Whether the server is healthy and serves the model."""
        try:
            async with self._client(PROBE_SECONDS) as client:
                health = await client.get("/health")
                listed = await client.get("/v1/models")
            models = _Models.model_validate_json(listed.content) if listed.is_success else _Models(data=[])
        except (httpx.HTTPError, ValidationError):
            return False
        return health.is_success and self.model in {served.id for served in models.data}

    def _client(self, seconds: float | None) -> httpx.AsyncClient:
        limit = httpx.Timeout(seconds, connect=CONNECT_SECONDS)
        return httpx.AsyncClient(
            base_url=self._url, headers=self._headers, timeout=limit, verify=self._certificates, trust_env=False
        )

    async def _post(self, path: str, stop: Callable[[], bool], content: dict[str, Any]) -> httpx.Response:
        async with self._client(None) as client:
            call = asyncio.create_task(client.post(path, **content))
            try:
                async with asyncio.timeout(self._timeout):
                    while not call.done():
                        if stop():
                            raise Abandoned
                        await asyncio.wait([call], timeout=STOP_SECONDS)
                return call.result()
            except TimeoutError as error:
                raise DeadlineExceeded(
                    f"the {self._stage} server did not answer in {self._timeout:g} s", metadata=self._peer
                ) from error
            except httpx.TransportError as error:
                self._log_failure(problem=repr(error))
                raise self._unavailable("cannot be reached") from error
            finally:
                call.cancel()

    def _refusal(self, response: httpx.Response) -> SparkError:
        status = response.status_code
        self._log_failure(status=status, problem=response.text[:1000])
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return Overloaded(f"the {self._stage} server has too much to do", retry_after=_retry_after(response))
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND):
            problem = "does not know the model" if status == httpx.codes.NOT_FOUND else "refuses the API key"
            return ModelNotReady(f"the {self._stage} server {problem}", metadata={"model": self.model})
        if response.is_client_error:
            return StageFailed(
                f"the {self._stage} server refuses the request (HTTP {status})", metadata={"stage": self._stage}
            )
        return self._unavailable(f"failed (HTTP {status})", retry_after=_retry_after(response))

    def _unavailable(self, problem: str, retry_after: timedelta | None = None) -> Unavailable:
        return Unavailable(f"the {self._stage} server {problem}", metadata=self._peer, retry_after=retry_after)

    @property
    def _peer(self) -> dict[str, str]:
        return {"peer": f"{self._stage}_server"}

    def _log_failure(self, **facts: Any) -> None:
        _log.warning("the model server failed", stage=self._stage, url=self._url, model=self.model, **facts)


def _retry_after(response: httpx.Response) -> timedelta:
    """What the header `retry-after` says in seconds; its other form, a date, is not read."""
    said = response.headers.get("retry-after", "")
    return timedelta(seconds=int(said) if said.isdecimal() else RETRY_SECONDS)
