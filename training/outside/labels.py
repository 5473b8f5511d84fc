"""Pictures with labels: NAME.jpg beside NAME.json, the plan as the VLM would have to write it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from articulation.plan import Plan
from articulation.typing import ImageArray
from services.vlm.plan_format import from_document, to_document

QUALITY = 88
"""Of the JPEG files."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """One picture: its file's bytes, as anybody would upload them, and the true plan."""

    name: str
    picture: bytes
    plan: Plan


def save(folder: Path, name: str, picture: ImageArray, plan: Plan) -> None:
    """Write a picture and its label.

    Raises:
        articulation.errors.InvalidArticulation: the plan format cannot describe the label.
    """
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(folder / f"{name}.jpg", quality=QUALITY)
    (folder / f"{name}.json").write_text(json.dumps(to_document(plan), indent=1) + "\n")


def load(folder: Path) -> Iterator[Labelled]:
    """Every picture of a folder that has a label, by name."""
    for label in sorted(folder.glob("*.json")):
        plan = from_document(json.loads(label.read_text()))
        yield Labelled(label.stem, label.with_suffix(".jpg").read_bytes(), plan)
