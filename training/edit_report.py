"""How good the image editor is on held-out objects, in numbers and in one picture, and the folder that ships it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from PIL import Image
from torch import Tensor

from services.vlm.edit_model import composite
from services.vlm.edit_pipeline import CompactEditPipeline
from services.vlm.edit_prompt import CHANNELS, EditTask, draw_prompt
from training import card
from training.edit_data import SLOTS, EditBatch, EditData, exact_batch, imagine

EVALUATION_BATCH = 64
PICTURE_ROWS = 12

_CARD = """---
license: apache-2.0
library_name: diffusers
pipeline_tag: image-to-image
---

# compact-edit

Takes one picture of an articulated object and a plan of it, and paints the closed object, each of its parts complete,
or the object with its joints opened, alone on white, seen by the plan's camera. The plan enters as pixels: its boxes,
moved by its joints, cast by its camera (`services/vlm/edit_prompt.py`). A diffusers `UNet2DModel` of {million:.1f}
million parameters in float16 predicts the clean picture and its coverage; {sampling_steps} Euler steps of a rectified
flow sample it at {image_size} x {image_size} pixels. `services.vlm.edit_pipeline.CompactEditPipeline.from_pretrained`
opens the folder. Meant for the embedded default of SPARK; it knows the generated objects it was trained on and little
else.

- **Data**: {objects} generated objects of `training.objects` a run, split TRAIN, each in random surroundings, with
  {edits} edits rendered on white. Prompts were drawn from plans with random errors in boxes, joints, limits and camera,
  one hinge in seventeen on the wrong side, while the target stayed true. No picture or object of anybody else.
- **Training**: {steps} steps of {batch} edits in {seconds:.0f} s on {hardware}; Muon and AdamW (`training/loop.py`),
  exponential moving average of the weights. `training.json` reproduces it.
- **Licence**: Apache-2.0.

## Held-out objects

{judged} objects of the split VAL under imagined (wrong) plans; `exact` are the same under true plans. `psnr` [dB] is
over the whole picture, `iou` compares silhouettes, `prompt_iou` is that of the prompt's boxes: what the plan alone
would give.

| measure | value |
| --- | --- |
{rows}
"""


def evaluate(pipeline: CompactEditPipeline, data: EditData, seed: int) -> dict[str, float]:
    """Mean PSNR [dB] and silhouette IoU per task, under imagined and under exact plans."""
    measures: dict[str, list[Tensor]] = {}
    generator = torch.Generator(data.image.device).manual_seed(seed)
    for slot, task in _first_slots():
        for start in range(0, len(data), EVALUATION_BATCH):
            exact = _rows(data, slot, start, start + EVALUATION_BATCH)
            for suffix, batch in (("", _imagined(data, exact, slot, start, generator)), ("_exact", exact)):
                prompt, edit = _edit(pipeline, batch, seed)
                error = (composite(edit) - composite(batch.target)).square().mean((1, 2, 3))
                truth = batch.target[:, 3] > 0
                values = {
                    f"{task.name.lower()}_psnr{suffix}": -10 * error.clamp(min=1e-8).log10(),
                    f"{task.name.lower()}_iou{suffix}": _iou(edit[:, 3] > 0, truth),
                    f"{task.name.lower()}_prompt_iou{suffix}": _iou(prompt[:, 0] > 0, truth),
                }
                for name, value in values.items():
                    measures.setdefault(name, []).append(value)
    return {name: float(torch.cat(values).mean()) for name, values in measures.items()}


def draw_picture(pipeline: CompactEditPipeline, data: EditData, seed: int, path: Path) -> None:
    """Write a PNG, a row an object: for each task input, prompt (colours carried by the boxes), target and output."""
    generator = torch.Generator(data.image.device).manual_seed(seed)
    columns = []
    for slot, _ in _first_slots():
        exact = _rows(data, slot, 0, PICTURE_ROWS)
        batch = _imagined(data, exact, slot, 0, generator)
        prompt, edit = _edit(pipeline, batch, seed)
        first = CHANNELS.index("carried_r")
        drawn = torch.where(prompt[:, :1] > 0, prompt[:, first : first + 3] * 0.5 + 0.4, 1.0)
        columns += [(batch.image + 1) / 2, drawn, composite(batch.target), composite(edit)]
    sheet = torch.stack(columns).permute(1, 3, 0, 4, 2).flatten(2, 3).flatten(0, 1)
    Image.fromarray((sheet.clamp(0, 1) * 255).byte().cpu().numpy()).save(path)


def export(pipeline: CompactEditPipeline, folder: Path, facts: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    """Write the diffusers folder in float16, its model card, and `training.json`, which reproduces it.

    Args:
        pipeline: with averaged weights; converted in place.
        folder: made when missing.
        facts: fields of the card and of `training.json`.
        metrics: held-out quality.
    """
    pipeline.unet.half()
    pipeline.save_pretrained(folder)
    million = card.million_parameters(pipeline.unet)
    card.write_card(folder, _CARD, facts, metrics, million=million, edits=len(SLOTS), rows=card.measure_rows(metrics))


def averaged_pipeline(unet: torch.nn.Module, weights: dict[str, Tensor]) -> CompactEditPipeline:
    """A pipeline around a copy of `unet` with other weights."""
    copy: Any = type(unet).from_config(unet.config)  # type: ignore[attr-defined]
    copy.load_state_dict(weights)
    copy = copy.to(next(unet.parameters()).device, memory_format=torch.channels_last).eval()
    return CompactEditPipeline(copy, FlowMatchEulerDiscreteScheduler())


def _first_slots() -> list[tuple[int, EditTask]]:
    return [(SLOTS.index(task), task) for task in EditTask]


def _rows(data: EditData, slot: int, start: int, stop: int) -> EditBatch:
    index = torch.arange(start, min(stop, len(data)), device=data.image.device)
    return exact_batch(data, index, torch.full_like(index, slot))


def _imagined(data: EditData, batch: EditBatch, slot: int, start: int, generator: torch.Generator) -> EditBatch:
    plan = imagine(batch.plan, generator)
    fraction = data.fraction[start : start + len(batch.image), slot]
    return EditBatch(plan, batch.image, batch.target, fraction * plan.upper, batch.asked, batch.task)


@torch.no_grad()
def _edit(pipeline: CompactEditPipeline, batch: EditBatch, seed: int) -> tuple[Tensor, Tensor]:
    prompt = draw_prompt(batch.plan, batch.coordinates, batch.asked, batch.task, batch.image)
    return prompt, pipeline(batch.image, prompt, torch.Generator().manual_seed(seed))


def _iou(first: Tensor, second: Tensor) -> Tensor:
    """(B,) intersection over union of masks (B, S, S); 1 where both are empty."""
    both = (first & second).sum((1, 2)).float()
    either = (first | second).sum((1, 2)).float()
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)
