"""What the plan stage needs of a VLM engine; `services.vlm.transformers_engine` is the in-process one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from articulation.typing import ImageArray


@dataclass(frozen=True)
class Token:
    """A piece of the answer: its place `text[start:end]`, and its probability among what the schema admitted there."""

    start: int
    end: int
    probability: float


@dataclass(frozen=True)
class Completion:
    """An answer; the tokens cover it from left to right."""

    text: str
    tokens: tuple[Token, ...]


class Abandoned(Exception):
    """`stop` asked to end before the answer was complete."""


class PlanEngine(Protocol):
    """A VLM that answers in JSON.

    An engine is not asked for a second answer before it gave the first.
    """

    def complete(
        self,
        image: ImageArray,
        hints: Sequence[str],
        schema: dict[str, Any],
        seed: int | None,
        stop: Callable[[], bool],
    ) -> Completion:
        """Describe the picture in a document of the schema.

        Args:
            image: (H, W, 3) sRGB.
            hints: what the caller knows, in words.
            schema: JSON Schema 2020-12 that the text is decoded under.
            seed: draws the tokens at random; None takes the likeliest each time.
            stop: asked once a token; true abandons the answer.

        Raises:
            Abandoned: `stop` returned true.
        """
        ...
