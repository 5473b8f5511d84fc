"""Model cards and reproducing configurations of the shape stage's models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from training import card
from training.loop import Loop

_CARD = """---
license: apache-2.0
library_name: diffusers
---

# SPARK compact {title}

{million:.2f} million parameters, float16, trained from scratch by `{program}` on objects that this project generates;
it knows little else.

- **Data**: {objects} generated objects of `training.objects`, split TRAIN. No object or picture of anybody else.
- **Training**: {steps} steps of {batch} parts in {seconds:.0f} s on {hardware}; Muon and AdamW (`training/loop.py`),
  exponential moving average of the weights. `training.json` reproduces it.
- **Licence**: Apache-2.0.

## Held-out objects (split VAL)

| measure | value |
| --- | --- |
{rows}

`iou` is the overlap of the insides of single parts, `surface_error` the mean distance between points of the true
surface and the surface found, at most the field's truncation [model units; the object's longest side is 2].
"""


def write_card(
    folder: Path, title: str, settings: dict[str, Any], loop: Loop, model: nn.Module, metrics: dict[str, float]
) -> None:
    """Write `README.md` and `training.json` into a weights folder."""
    shown = {name.removeprefix("held_out_"): value for name, value in metrics.items()}
    card.write_card(
        folder,
        _CARD,
        {**settings, **card.run_facts(loop)},
        metrics,
        title=title,
        rows=card.measure_rows(shown),
        million=card.million_parameters(model),
    )
