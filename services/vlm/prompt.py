"""The prompt of the plan stage. There is one text, `prompts/plan.v2.md`, filled in from the vocabulary.

A model folder may hold its own `prompt.txt`: weights that were trained with a short prompt answer to that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from articulation.materials import MATERIALS
from services.vlm.vocabulary import CATEGORIES, LABELS, MAX_PARTS

VERSION = "plan.v2"
MODEL_PROMPT = "prompt.txt"


def plan_prompt(folder: Path | None = None) -> str:
    """The prompt without hints.

    Args:
        folder: model folder whose own prompt goes first.
    """
    if folder is not None and (folder / MODEL_PROMPT).exists():
        return (folder / MODEL_PROMPT).read_text().strip()
    text = (Path(__file__).parent / "prompts" / f"{VERSION}.md").read_text()
    categories = "\n".join(
        f"- {name}: {prior.parts[0]} to {prior.parts[1]} parts; {', '.join(prior.moving)}"
        for name, prior in CATEGORIES.items()
    )
    labels = "\n".join(f"- {label}: {meaning}" for label, meaning in LABELS.items())
    return text.format(
        categories=categories, labels=labels, materials=", ".join(MATERIALS), max_parts=MAX_PARTS
    ).strip()


def with_hints(prompt: str, hints: Sequence[str]) -> str:
    """The prompt, then what the caller knows."""
    stated = [hint.strip() for hint in hints if hint.strip()]
    return f"{prompt} Known: {'; '.join(stated)}" if stated else prompt
