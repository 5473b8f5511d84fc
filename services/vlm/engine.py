"""What the plan stage needs of a VLM engine: `transformers_engine` runs in this process, `vllm_engine` on a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from articulation.typing import ImageArray

TEMPERATURE = 0.5
"""Of answers that are drawn at random."""


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


@dataclass(frozen=True)
class Repair:
    """Why there is a second try, and what may come of it.

    Attributes:
        answer: the first answer, which was no plan.
        problem: what is wrong with it, for a model that can be told so.
        seed: draws another answer of a model that cannot.
    """

    answer: str
    problem: str
    seed: int


class Abandoned(Exception):
    """`stop` asked to end before the answer was complete."""


class PlanEngine(Protocol):
    """A VLM that answers in JSON."""

    def complete(
        self,
        image: ImageArray,
        hints: Sequence[str],
        schema: dict[str, Any],
        repair: Repair | None,
        stop: Callable[[], bool],
    ) -> Completion:
        """Describe the picture in a document of the schema.

        The likeliest token is taken each time, but for the repair of a model that cannot be told its mistake.

        Args:
            image: (H, W, 3) sRGB.
            hints: what the caller knows, in words.
            schema: JSON Schema 2020-12 that the text is decoded under.
            repair: the answer that this one is to replace, if it is a second try.
            stop: asked again and again; true abandons the answer.

        Raises:
            Abandoned: `stop` returned true.
            serving.errors.SparkError: the model is out of reach, as its server says.
        """
        ...
