"""The model card and the reproducing configuration of the compact VLM."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from torch import nn

from training import card
from training.vlm_exam import Result

_CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
---

# compact-plan

Reads one picture of an articulated object and writes its plan as one line of JSON: category, size, camera, and for each
part label, material, parent, box and joint (`services/vlm/plan_format.py`). Qwen3-VL architecture, {million:.1f}
million parameters, bfloat16, its own byte-level BPE tokenizer. Meant for the embedded default of SPARK; it knows the
generated objects it was trained on and little else.

- **Data**: {views} photographs of {objects} generated objects of `training.objects`, split TRAIN, taken while it
  learned, most of them in random surroundings, and pictures of `training.negatives` that are to be refused; random
  exposure, contrast, colour, blur and noise. No picture or object of anybody else.
- **Training**: {training}.
  Muon and AdamW (`training/loop.py`), exponential moving average of the weights. While it learned, the vision tower
  also had to tell each spot's part, box and joint (`training/vlm_dense.py`). `training.json` reproduces it.
- **Licence**: Apache-2.0.

## Held-out objects

Greedy answers without hints and without a grammar to one photograph of each of {judged} objects of the split VAL.

| measure | value |
| --- | --- |
{rows}

| category | {columns} |
| --- |{dashes}
{categories}

`training/vlm_evaluate.py` defines the measures. `negatives_refused` is the share of pictures without a whole
articulated object that were refused, `refused` that of the objects; `nll` is in nats a token.
"""

LINE = 100
"""Longest line of a sentence in the card [characters]."""

COLUMNS = (
    "count",
    "labels",
    "tree_accuracy",
    "type_error",
    "success",
    "origin_error",
    "range_iou",
    "box_error",
    "exact",
)
"""Measures of each category."""


def write_card(
    folder: Path, facts: dict[str, Any], result: Result, training: str, model: nn.Module, judged: int
) -> None:
    """Write `README.md` and `training.json` beside the weights.

    Args:
        facts: what reproduces the weights; among them the numbers of `views` and `objects`.
        result: held-out quality of the weights shipped.
        training: how they came to be, in a sentence without its full stop.
        model: as trained.
        judged: objects that `result` was measured on.
    """
    lines = [
        " | ".join([f"| {name}", *(f"{values[key]:.3f}" if key in values else "" for key in COLUMNS)]) + " |"
        for name, values in result.categories.items()
    ]
    card.write_card(
        folder,
        _CARD,
        facts,
        {**result.metrics, "categories": result.categories},
        rows=card.measure_rows(result.metrics),
        million=card.million_parameters(model),
        judged=judged,
        training=textwrap.fill(training, LINE, subsequent_indent="  "),
        columns=" | ".join(COLUMNS),
        dashes=" --- |" * len(COLUMNS),
        categories="\n".join(lines),
    )


def one_run(facts: dict[str, Any]) -> str:
    """A run of `training.train_vlm` in words."""
    return (
        f"{facts['steps']} steps of {facts['batch']} views in {facts['seconds']:.0f} s on {facts['processes']} x"
        f" {facts['hardware']}, {card.beginning(facts)}; those after {facts['best_step']} steps did best in its exam"
    )
