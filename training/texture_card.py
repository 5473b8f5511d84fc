"""The model card and the reproducing configuration of the texture network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from training import card

_CARD = """---
license: apache-2.0
library_name: diffusers
tags: [texture, articulated-objects]
---

# compact texture

Predicts the sRGB base colour of a surface point of one part from the photograph, a picture of the closed object on
white, a picture of the part alone, the camera and the meshes (`services/texture/model.py`). {million:.2f} million
parameters, float16; load with `services.texture.pipeline.TexturePipeline.load(folder)`. It is a regression: it draws no
noise, and a seed only picks the surface points from which a part's colours are summed up. Meant for the embedded
default of SPARK; it knows the generated objects it was trained on and little else.

- **Data**: {parts} parts pictured of {objects} generated objects of `training.objects`, split TRAIN, in views drawn
  while training, with wrong cameras, misplaced parts and rough normals (`training/texture_data.py`,
  `training/texture_pool.py`). The image editor painted the guide pictures of {painted:.0%} of the objects under
  imagined plans (`training/texture_paint.py`); those of the others are true ones, blurred, shifted, dulled and tinted
  (`training/texture_jitter.py`).
- **Training**: {steps} steps of {batch} parts x {queries} points in {seconds:.0f} s on {hardware}, {beginning};
  Muon and AdamW (`training/loop.py`), exponential moving average of the weights. `training.json` reproduces it.
- **Licence**: Apache-2.0.

## Held-out objects

PSNR [dB] of base colours over surface points, apart for points that the camera sees and points that it does not. VAL
has new objects; TEST has new layouts, finishes and cameras too. Spoiled inputs carry the same kinds of mistakes as in
training; painted inputs, where listed, have the editor's pictures instead of spoiled ones, as in the service.
`nearest_visible` copies the photograph's pixel at the nearest point in view, `mean_part_color` the mean of the part's
picture. Unseen views are whole unlit pictures of the object from a quarter, half and three quarters around it, PSNR
over the object's pixels, true shapes, {walked_around} objects.

| split | inputs | method | seen | hidden | unseen views |
| --- | --- | --- | --- | --- | --- |
{rows}
"""


def write_card(
    folder: Path, facts: dict[str, Any], held_out: dict[str, dict[str, dict[str, float]]], model: nn.Module
) -> None:
    """Write `README.md` and `training.json` beside the weights.

    Args:
        facts: what reproduces the run, and what it took.
        held_out: split, inputs, then `training.train_texture.HeldOut.judge`.
        model: as trained.
    """
    rows = [
        f"| {split} | {inputs} | {method} | "
        + " | ".join(f"{psnr[f'{method}_{group}']:.2f}" for group in ("seen", "hidden", "unseen_views"))
        + " |"
        for split, by_inputs in held_out.items()
        for inputs, psnr in by_inputs.items()
        for method in ("model", "nearest_visible", "mean_part_color")
    ]
    million = card.million_parameters(model)
    shown = {"rows": "\n".join(rows), "million": million, "beginning": card.beginning(facts)}
    card.write_card(folder, _CARD, facts, held_out, **shown)
