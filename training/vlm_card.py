"""The model card and the reproducing configuration of the compact VLM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from training import card

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

- **Data**: {samples} views of {objects} generated objects of `training.objects`, split TRAIN, in random surroundings,
  with random exposure, colour cast, blur and noise. No picture or object of anybody else.
- **Training**: {steps} steps of {batch} samples in {seconds:.0f} s on {hardware}; Muon and AdamW (`training/loop.py`),
  exponential moving average of the weights. `training.json` reproduces it.
- **Licence**: Apache-2.0.

## Held-out objects

Greedy answers without hints and without a grammar to {judged} objects of the split VAL.

| measure | value |
| --- | --- |
{rows}

`type_error` and `axis_error` count the moving parts of the truth whose matched part is missing or has another joint
type (or axis); `box_error` is the mean distance of box faces in model units; `view_error` is in degrees.
"""


def write_card(folder: Path, facts: dict[str, Any], metrics: dict[str, float], model: nn.Module, judged: int) -> None:
    """Write `README.md` and `training.json` beside the weights.

    Args:
        facts: what reproduces the run, and what it took.
        metrics: held-out quality.
        model: as trained.
        judged: objects that `metrics` were measured on.
    """
    rows, million = card.measure_rows(metrics), card.million_parameters(model)
    card.write_card(folder, _CARD, facts, metrics, rows=rows, million=million, judged=judged)
