"""Train the compact image editor: pictures on white from input pictures and the raster of a fallible plan.

    python -m training.train_editor --state STATE --export models/vlm/compact-edit --run-seconds 360 \\
        --total-seconds 720 --device cuda:0 --objects 40000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from services.vlm.edit_model import IMAGE_SIZE, WIDTHS, build_unet, predict_edit
from services.vlm.edit_pipeline import DEFAULT_STEPS
from services.vlm.edit_prompt import draw_prompt
from training.card import run_facts
from training.draw import Split
from training.edit_data import EditBatch, draw_batch, render_data
from training.edit_report import averaged_pipeline, draw_picture, evaluate, export
from training.loop import Loop
from training.objects import generate_many
from training.options import training_parser

FROM_NOISE = 0.4
"""Share of the batch that starts from pure noise, the first and hardest sampling step."""
RIM = 5
"""Width of the silhouette's rim that weighs more [pixels]."""
RIM_WEIGHT, OBJECT_WEIGHT = 4.0, 2.0
EDGE_WEIGHT, COVERAGE_WEIGHT = 1.0, 0.3
HELD_OUT_SEED = 1_000_000


@dataclass(frozen=True)
class Settings:
    """What `--toy` changes."""

    widths: tuple[int, ...] = WIDTHS
    image_size: int = IMAGE_SIZE
    layers: int = 2
    batch: int = 256
    judged: int = 256
    log_every: int = 100


TOY = Settings(widths=(16, 32), image_size=32, layers=1, batch=8, judged=8, log_every=5)


def edit_loss(edit: Tensor, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
    """How far a predicted edit is from the truth.

    Args:
        edit: (B, 4, S, S) predicted, in [-1, 1]; only its colours count.
        logits: (B, S, S) of the predicted coverage.
        target: (B, 4, S, S) in [-1, 1].

    Returns:
        "loss" and its terms: L1 of colours and of their differences between neighbours, cross-entropy of coverage, all
        weighted towards the object and the rim of its silhouette.
    """
    cover = (target[:, 3:] + 1) / 2
    grown, shrunk = (nnf.max_pool2d(sign * cover, RIM, 1, RIM // 2) * sign for sign in (1, -1))
    weight = 1 + OBJECT_WEIGHT * cover + RIM_WEIGHT * (grown - shrunk)
    weight = weight / weight.mean((1, 2, 3), keepdim=True)
    error = edit[:, :3] - target[:, :3]
    colour = (weight * error.abs()).mean()
    across = (weight[..., 1:] * (error[..., 1:] - error[..., :-1]).abs()).mean()
    down = (weight[..., 1:, :] * (error[..., 1:, :] - error[..., :-1, :]).abs()).mean()
    coverage = (weight[:, 0] * nnf.binary_cross_entropy_with_logits(logits, cover[:, 0], reduction="none")).mean()
    loss = colour + EDGE_WEIGHT * (across + down) + COVERAGE_WEIGHT * coverage
    return {"loss": loss, "colour": colour, "edges": across + down, "coverage": coverage}


def flow_step(unet: nn.Module, batch: EditBatch, prompt: Tensor, noise: Tensor, sigma: Tensor) -> dict[str, Tensor]:
    """The loss of predicting clean edits from edits at noise levels sigma (B,)."""
    level = sigma[:, None, None, None]
    noisy = (1 - level) * batch.target + level * noise
    edit, logits = predict_edit(unet, noisy, batch.image, prompt, sigma)
    return edit_loss(edit, logits, batch.target)


def main() -> None:
    started = time.monotonic()
    arguments = _arguments()
    settings = TOY if arguments.toy else Settings()
    device = torch.device(arguments.device)
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    unet: nn.Module = build_unet(settings.widths, settings.image_size, settings.layers)
    unet = unet.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loop = Loop("editor", unet, arguments.state, arguments.run_seconds, arguments.total_seconds, started=started)

    start = time.monotonic()
    first = loop.step * 1000  # a resumed run sees new objects
    held_out_specs = generate_many(
        range(HELD_OUT_SEED, HELD_OUT_SEED + settings.judged), Split.VAL, arguments.processes
    )
    held_out = render_data(held_out_specs, Split.VAL, settings.image_size, device, HELD_OUT_SEED)
    specs = generate_many(range(first, first + arguments.objects), Split.TRAIN, arguments.processes)
    data = render_data(specs, Split.TRAIN, settings.image_size, device, first)
    print(f"{len(data)} objects in {time.monotonic() - start:.0f} s", flush=True)

    generator = torch.Generator(device).manual_seed(loop.step)
    draw: Callable[..., Tensor] = torch.compile(draw_prompt) if arguments.compile else draw_prompt
    step_loss: Callable[..., dict[str, Tensor]] = torch.compile(flow_step) if arguments.compile else flow_step

    def loss(step: int) -> dict[str, Tensor]:
        batch = draw_batch(data, settings.batch, generator)
        with torch.no_grad():
            prompt = draw(batch.plan, batch.coordinates, batch.asked, batch.task, batch.image)
        noise = torch.randn(batch.target.shape, device=device, generator=generator)
        level = torch.rand(settings.batch, device=device, generator=generator)
        sigma = torch.where(level < FROM_NOISE, 1.0, (level - FROM_NOISE) / (1 - FROM_NOISE))
        with torch.autocast(device.type, torch.bfloat16):
            return step_loss(unet, batch, prompt, noise, sigma)

    loop.run(loss, settings.log_every)
    pipeline = averaged_pipeline(unet, loop.ema_state_dict())
    metrics = evaluate(pipeline, held_out, HELD_OUT_SEED)
    loop.log(metrics)
    draw_picture(pipeline, held_out, HELD_OUT_SEED, arguments.state / "editor.png")
    facts = {
        "objects": arguments.objects,
        "batch": settings.batch,
        "image_size": settings.image_size,
        "widths": list(settings.widths),
        "total_seconds": arguments.total_seconds,
        "program": "training.train_editor",
        "sampling_steps": DEFAULT_STEPS,
        "judged": settings.judged,
        **run_facts(loop),
    }
    export(pipeline, arguments.export, facts, metrics)


def _arguments() -> argparse.Namespace:
    parser = training_parser(__doc__, objects=40_000)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=None, help="default: on CUDA")
    arguments = parser.parse_args()
    if arguments.compile is None:
        arguments.compile = arguments.device.startswith("cuda")
    if arguments.toy:
        arguments.processes = 1
    return arguments


if __name__ == "__main__":
    main()
