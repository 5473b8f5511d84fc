"""How good the image editor is on held-out objects, in numbers and in one picture, and the folder that ships it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from PIL import Image
from torch import Tensor

from services.vlm.edit_model import ASKED, CARRIED, SEEN, composite
from services.vlm.edit_pipeline import CompactEditPipeline
from services.vlm.edit_prompt import EditTask, draw_prompt
from training import card
from training.edit_data import SLOTS, EditBatch, EditData, exact_batch, imagined_batch

EVALUATION_BATCH = 64
PICTURE_ROWS = 12
SEED = 0
STEPS = (1, 2, 3)
"""Numbers of sampling steps that compete."""

SAME_IOU, SAME_PSNR = 0.002, 0.1
"""A step more must gain at least one of these, in mean silhouette IoU or mean PSNR [dB]."""

_CARD = """---
license: apache-2.0
library_name: diffusers
pipeline_tag: image-to-image
---

# compact-edit

Takes one picture of an articulated object and a plan of it, and paints the closed object, each of its parts complete,
or the object with its joints opened, alone on white, seen by the plan's camera. The plan enters as pixels: its boxes,
moved by its joints, cast by its camera (`services/vlm/edit_prompt.py`). A network of {million:.1f} million parameters
in float16, a diffusers `UNet2DModel` over 2 x 2 pixel blocks with a head at full resolution
(`services/vlm/edit_model.py`), predicts the clean picture as a mixture of the input's colours and made-up ones, and its
coverage; {sampling_steps} Euler steps of a rectified flow sample it at {image_size} x {image_size} pixels.
`services.vlm.edit_pipeline.CompactEditPipeline.from_pretrained` opens the folder. Meant for the embedded default of
SPARK; it knows the generated objects it was trained on and little else.

- **Data**: {objects} generated objects of `training.objects`, split TRAIN, in ever new views ({views_of_last_run} in
  the last run), each in random surroundings and with {edits} edits rendered on white. Prompts were drawn from plans
  with random errors in boxes, joints, limits and camera, one hinge in seventeen on the wrong side and small parts left
  out, while the target stayed true. No picture or object of anybody else.
- **Training**: {steps} steps of {batch} edits in {seconds:.0f} s on {hardware}, {beginning};
  Muon and AdamW (`training/loop.py`), exponential moving average of the weights. `training.json` reproduces it.
- **Licence**: Apache-2.0.

## Held-out objects

{judged} objects of the split VAL under imagined (wrong) plans; `exact` are the same under true plans. `iou` compares
silhouettes, `prompt_iou` is that of the prompt's boxes: what the plan alone would give. `psnr` [dB] is over the whole
picture, `psnr_seen` over the object's pixels whose point the input shows, `psnr_hidden` over its others;
`carried_psnr_seen` is that of the input's own colours. `sharpness` is the mean difference between neighbouring pixels,
relative to the truth's.

| measure | value |
| --- | --- |
{rows}

Sampling steps, mean of the three tasks under imagined plans:

| steps | iou | psnr |
| --- | --- | --- |
{step_rows}
"""


def evaluate(pipeline: CompactEditPipeline, data: EditData, steps: int) -> dict[str, float]:
    """Means over the views of silhouette IoU, PSNR [dB] and sharpness per task, under imagined and exact plans."""
    measures: dict[str, list[Tensor]] = {}
    generator = torch.Generator(data.image.device).manual_seed(SEED)
    for slot, task in _first_slots():
        for rows in torch.arange(len(data), device=data.image.device).split(EVALUATION_BATCH):
            slots = torch.full_like(rows, slot)
            exact = exact_batch(data, rows, slots)
            seen = _prompt(exact)[:, SEEN] > 0
            for suffix, batch in (("", imagined_batch(data, rows, slots, generator)), ("_exact", exact)):
                prompt = _prompt(batch)
                for name, value in measure(_edit(pipeline, batch, prompt, steps), batch.target, prompt, seen).items():
                    measures.setdefault(f"{task.name.lower()}_{name}{suffix}", []).append(value)
    return {name: float(torch.cat(values).nanmean()) for name, values in measures.items()}


def measure(edit: Tensor, target: Tensor, prompt: Tensor, seen: Tensor) -> dict[str, Tensor]:
    """(B,) values of each measure; NaN where an edit has no such pixels.

    Args:
        edit: (B, 4, S, S) in [-1, 1].
        target: (B, 4, S, S) in [-1, 1].
        prompt: (B, C, S, S) that the edit was asked with.
        seen: (B, S, S) bool, where the input picture shows the point.
    """
    truth, drawn = target[:, 3] > 0, edit[:, 3] > 0
    picture, wanted = composite(edit), composite(target)
    error = (picture - wanted).square().mean(1)
    carried = ((prompt[:, CARRIED] + 1) / 2 - wanted).square().mean(1)
    everywhere = torch.ones_like(truth)
    both = truth & drawn
    return {
        "iou": _iou(drawn, truth),
        "prompt_iou": _iou(prompt[:, ASKED] > 0, truth),
        "psnr": _psnr(error, everywhere),
        "psnr_seen": _psnr(error, truth & seen),
        "carried_psnr_seen": _psnr(carried, truth & seen),
        "psnr_hidden": _psnr(error, truth & ~seen),
        "sharpness": _mean(_contrast(picture), both) / _mean(_contrast(wanted), both).clamp(min=1e-3),
    }


def fewest_steps(pipeline: CompactEditPipeline, data: EditData) -> tuple[int, dict[int, dict[str, float]]]:
    """The fewest sampling steps that are about as good as any, and mean IoU and PSNR of the tasks for each number."""
    scores = {}
    for steps in STEPS:
        values = evaluate(pipeline, data, steps)
        scores[steps] = {
            name: sum(values[f"{task.name.lower()}_{name}"] for task in EditTask) / len(EditTask)
            for name in ("iou", "psnr")
        }
    best = {name: max(score[name] for score in scores.values()) for name in ("iou", "psnr")}
    good = [
        steps
        for steps, score in scores.items()
        if score["iou"] >= best["iou"] - SAME_IOU and score["psnr"] >= best["psnr"] - SAME_PSNR
    ]
    return min(good, default=max(STEPS, key=lambda steps: scores[steps]["iou"])), scores


def draw_picture(pipeline: CompactEditPipeline, data: EditData, path: Path) -> None:
    """Write a PNG, a row a view: for each task input, prompt (colours carried by the boxes), target and output."""
    generator = torch.Generator(data.image.device).manual_seed(SEED)
    columns = []
    for slot, _ in _first_slots():
        rows = torch.linspace(0, len(data) - 1, min(PICTURE_ROWS, len(data)), device=data.image.device).long()
        batch = imagined_batch(data, rows, torch.full_like(rows, slot), generator)
        prompt = _prompt(batch)
        drawn = torch.where(prompt[:, ASKED, None] > 0, prompt[:, CARRIED] * 0.5 + 0.4, 1.0)
        edit = _edit(pipeline, batch, prompt)
        columns += [(batch.image + 1) / 2, drawn, composite(batch.target), composite(edit)]
    sheet = torch.stack(columns).permute(1, 3, 0, 4, 2).flatten(2, 3).flatten(0, 1)
    Image.fromarray((sheet.clamp(0, 1) * 255).byte().cpu().numpy()).save(path)


def export(pipeline: CompactEditPipeline, folder: Path, facts: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    """Write the diffusers folder in float16, its model card, and `training.json`, which reproduces it.

    Args:
        pipeline: with averaged weights; converted in place.
        folder: replaced.
        facts: fields of the card and of `training.json`.
        metrics: held-out quality.
    """
    if folder.exists():
        shutil.rmtree(folder)
    pipeline.model.half()
    pipeline.save_pretrained(folder)
    million = card.million_parameters(pipeline.model)
    step_rows = "\n".join(
        f"| {steps} | {score['iou']:.4f} | {score['psnr']:.2f} |" for steps, score in facts["judged_steps"].items()
    )
    shown = {"edits": len(SLOTS), "rows": card.measure_rows(metrics), "step_rows": step_rows}
    card.write_card(folder, _CARD, facts, metrics, million=million, beginning=card.beginning(facts), **shown)


def averaged_pipeline(model: torch.nn.Module, weights: dict[str, Tensor]) -> CompactEditPipeline:
    """A pipeline around a copy of `model` with other weights."""
    copy: Any = type(model).from_config(model.config)  # type: ignore[attr-defined]
    copy.load_state_dict(weights)
    copy = copy.to(next(model.parameters()).device, memory_format=torch.channels_last).eval()
    return CompactEditPipeline(copy, FlowMatchEulerDiscreteScheduler())


def _first_slots() -> list[tuple[int, EditTask]]:
    return [(SLOTS.index(task), task) for task in EditTask]


@torch.no_grad()
def _prompt(batch: EditBatch) -> Tensor:
    return draw_prompt(batch.plan, batch.coordinates, batch.asked, batch.task, batch.image)


def _edit(pipeline: CompactEditPipeline, batch: EditBatch, prompt: Tensor, steps: int | None = None) -> Tensor:
    return pipeline(batch.image, prompt, torch.Generator().manual_seed(SEED), steps)


def _iou(first: Tensor, second: Tensor) -> Tensor:
    """(B,) intersection over union of masks (B, S, S); 1 where both are empty."""
    both = (first & second).sum((1, 2)).float()
    either = (first | second).sum((1, 2)).float()
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def _psnr(error: Tensor, where: Tensor) -> Tensor:
    """(B,) decibels of squared errors (B, S, S) over the pixels `where` (B, S, S)."""
    return -10 * _mean(error, where).clamp(min=1e-8).log10()


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """(B,) mean of values (B, S, S) over the pixels `where` (B, S, S); NaN where there are none."""
    return (values * where).sum((1, 2)) / where.sum((1, 2))


def _contrast(picture: Tensor) -> Tensor:
    """(B, S, S) mean difference to the neighbour on the right and below, of a picture (B, 3, S, S)."""
    across = torch.nn.functional.pad((picture[..., 1:] - picture[..., :-1]).abs(), (0, 1))
    down = torch.nn.functional.pad((picture[..., 1:, :] - picture[..., :-1, :]).abs(), (0, 0, 0, 1))
    return (across + down).mean(1)
