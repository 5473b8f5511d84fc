"""What the plan stage says to a model. There is one text, the folder `prompts/plan.v3`, filled in from the vocabulary.

A model folder may hold its own `prompt.txt`: weights that were trained with a short prompt answer to that one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from articulation.materials import MATERIALS
from services.vlm.engine import Repair
from services.vlm.plan_format import dumps
from services.vlm.vocabulary import CATEGORIES, LABELS, MAX_PARTS, OPENINGS

VERSION = "plan.v3"
MODEL_PROMPT = "prompt.txt"

_FOLDER = Path(__file__).parent / "prompts" / VERSION


@dataclass(frozen=True)
class Turn:
    """What a role, "user" or "assistant", says."""

    role: str
    text: str


@dataclass(frozen=True)
class Prompt:
    """The question to one model.

    Attributes:
        text: without hints.
        converses: whether the model can be told what was wrong with its answer.
    """

    text: str
    converses: bool

    def turns(self, hints: Sequence[str], repair: Repair | None) -> list[Turn]:
        """The conversation up to the answer; its first turn goes with the picture."""
        question = Turn("user", with_hints(self.text, hints))
        if repair is None or not self.converses:
            return [question]
        complaint = (_FOLDER / "repair.md").read_text().format(problem=repair.problem).strip()
        return [question, Turn("assistant", repair.answer), Turn("user", complaint)]

    def draws(self, repair: Repair | None) -> bool:
        """Whether the answer is drawn at random: the one repair of a model that cannot be told its mistake."""
        return repair is not None and not self.converses


def plan_prompt(folder: Path | None = None) -> Prompt:
    """The prompt for a model.

    Args:
        folder: model folder whose own prompt goes first; a model that was trained on one does not converse.
    """
    if folder is not None and (folder / MODEL_PROMPT).exists():
        return Prompt((folder / MODEL_PROMPT).read_text().strip(), converses=False)
    text = (_FOLDER / "prompt.md").read_text()
    filled = text.format(
        categories=_list(
            f"{name}: {prior.parts[0]} to {prior.parts[1]} parts; {', '.join(prior.moving)}"
            for name, prior in CATEGORIES.items()
        ),
        labels=_list(f"{label}: {meaning}" for label, meaning in LABELS.items()),
        openings=_list(f'{part}: "{axis}"' for part, axis in OPENINGS.items()),
        examples=_list(f"{example.picture}:\n  {example.answer}" for example in examples()),
        materials=", ".join(MATERIALS),
        max_parts=MAX_PARTS,
    )
    return Prompt(filled.strip(), converses=True)


@dataclass(frozen=True)
class Example:
    """A picture in words, and the answer to it as a model should write it."""

    picture: str
    answer: str


def examples() -> list[Example]:
    """The few-shot examples of the prompt."""
    entries = json.loads((_FOLDER / "examples.json").read_text())
    return [Example(entry["picture"], dumps(entry["answer"])) for entry in entries]


def with_hints(prompt: str, hints: Sequence[str]) -> str:
    """The prompt, then what the caller knows."""
    stated = [hint.strip() for hint in hints if hint.strip()]
    return f"{prompt} Known: {'; '.join(stated)}" if stated else prompt


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
