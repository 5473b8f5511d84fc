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

{legend}
"""


VAE_LEGEND = """Every part is scaled to its own box. `iou` is the overlap of the insides of single parts,
`surface_error` the mean distance between points of the true surface and the surface found, in half sides of the box."""

DIT_LEGEND = """Pictures are exact renders; faces of boxes are off by about .03 unless the name says otherwise. `iou` is
the overlap of the insides of single parts, `empty` the share of parts without a surface; `part_chamfer`, `part_f_...`
compare single parts, `chamfer` and `f_...` whole objects (longest side 2; exact fields reach about .024 and .066).
`vae_...` is what the VAE alone reaches from the true parts. {steps} steps and guidance {guidance}, where the name does
not say it."""


def write_card(
    folder: Path,
    title: str,
    settings: dict[str, Any],
    loop: Loop,
    model: nn.Module,
    metrics: dict[str, float],
    legend: str,
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
        legend=legend,
        million=card.million_parameters(model),
    )
