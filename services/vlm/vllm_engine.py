"""The engine on a server: vLLM, which serves the plan model over OpenAI's chat API."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from math import exp
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from articulation.files import png
from articulation.typing import ImageArray
from services.vlm.engine import TEMPERATURE, Completion, Repair, Token
from services.vlm.model_server import ModelServer
from services.vlm.prompt import Prompt
from serving.errors import StageFailed


class _Piece(BaseModel):
    token: str
    logprob: float


class _Pieces(BaseModel):
    content: list[_Piece]


class _Message(BaseModel):
    content: str


class _Choice(BaseModel):
    message: _Message
    logprobs: _Pieces
    finish_reason: Literal["stop", "length"]

    @model_validator(mode="after")
    def _pieces_spell_the_message(self) -> Self:
        if not "".join(piece.token for piece in self.logprobs.content).startswith(self.message.content):
            raise ValueError("the tokens do not spell the message")
        return self


class _Chat(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


class VllmEngine:
    """Asks a server for plans; it decodes under the schema there, for several callers at once.

    vLLM masks the logits by the schema before it takes the probabilities of a token (`--logprobs-mode raw_logprobs`,
    its default), so that they are those of `services.vlm.engine.Token`.
    """

    def __init__(self, server: ModelServer, prompt: Prompt) -> None:
        self._server = server
        self._prompt = prompt

    def complete(
        self,
        image: ImageArray,
        hints: Sequence[str],
        schema: dict[str, Any],
        repair: Repair | None,
        stop: Callable[[], bool],
    ) -> Completion:
        """See `services.vlm.engine.PlanEngine`; further errors are those of `ModelServer.post`.

        Raises:
            StageFailed: the server ran out of tokens before the answer was complete.
        """
        request = {
            "model": self._server.model,
            "messages": self._messages(image, hints, repair),
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "plan", "schema": schema, "strict": True},
            },
            "temperature": TEMPERATURE if self._prompt.draws(repair) else 0.0,
            "seed": 0 if repair is None else repair.seed,
            "logprobs": True,
            "top_logprobs": 0,
        }
        chat = self._server.post("/v1/chat/completions", _Chat, stop, json=request)
        choice = chat.choices[0]
        if choice.finish_reason == "length":
            raise StageFailed(
                f"the plan server's longest answer, {len(choice.logprobs.content)} tokens, holds no whole plan",
                metadata={"stage": "plan"},
            )
        return Completion(choice.message.content, _tokens(choice))

    def _messages(self, image: ImageArray, hints: Sequence[str], repair: Repair | None) -> list[dict[str, Any]]:
        turns = self._prompt.turns(hints, repair)
        messages: list[dict[str, Any]] = [
            {"role": turn.role, "content": [{"type": "text", "text": turn.text}]} for turn in turns
        ]
        data = base64.b64encode(png(image)).decode()
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
        messages[0]["content"].insert(0, picture)
        return messages


def _tokens(choice: _Choice) -> tuple[Token, ...]:
    """The pieces that spell the answer, without the end of the turn."""
    tokens: list[Token] = []
    start = 0
    for piece in choice.logprobs.content:
        end = start + len(piece.token)
        if end > len(choice.message.content):
            break
        tokens.append(Token(start, end, exp(min(piece.logprob, 0.0))))
        start = end
    return tuple(tokens)
