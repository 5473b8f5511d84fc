"""Train the compact image editor: pictures on white from input pictures and the raster of a fallible plan.

    python -m training.train_editor --state STATE --export models/vlm/compact-edit --run-seconds 360 \\
        --total-seconds 720 --device cuda:0 --library LIBRARY
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from services.vlm.edit_model import ASKED, SEEN, EditModel
from services.vlm.edit_prompt import draw_prompt
from training.card import run_facts
from training.draw import Split
from training.edit_data import SLOTS, EditBatch, draw_batch
from training.edit_pool import Pool
from training.edit_report import averaged_pipeline, draw_picture, evaluate, export, fewest_steps
from training.library import build_library, cached_library
from training.loop import Loop
from training.options import training_parser

FROM_NOISE = 0.8
"""Share of the batch that starts from pure noise, the first and hardest sampling step, and for now the only one that
the exported pipeline takes."""
REACH = 9
"""How far beyond silhouette and prompt an edit's pixels still count in full [pixels]."""
ELSEWHERE = 0.05
"""Weight of the pixels beyond."""
RIM = 5
"""Width of the silhouette's rim that weighs more [pixels]."""
RIM_WEIGHT, HIDDEN_WEIGHT = 4.0, 1.0
EDGE_WEIGHT, TONE_WEIGHT, COVERAGE_WEIGHT, OVERLAP_WEIGHT = 1.0, 1.0, 0.3, 0.1
RENEW_EVERY = 8
"""Steps between looks at whether new views are due."""
USES = 5
"""How often an edit is learnt from, on average and under ever other plans, before its view makes room."""
HELD_OUT_SEED = 1_000_000


@dataclass(frozen=True)
class Settings:
    """What `--toy` changes."""

    image_size: int = 256
    widths: tuple[int, ...] = (32, 64, 112, 160)
    layers: int = 2
    head_width: int = 16
    batch: int = 128
    views: int = 2048
    chunk: int = 32
    judged: int = 256
    log_every: int = 100


TOY = Settings(image_size=32, widths=(16, 32), layers=1, head_width=8, batch=8, views=8, chunk=4, judged=4, log_every=5)


def edit_loss(edit: Tensor, logits: Tensor, target: Tensor, prompt: Tensor) -> dict[str, Tensor]:
    """How far a predicted edit is from the truth.

    Args:
        edit: (B, 4, S, S) predicted, in [-1, 1]; only its colours count.
        logits: (B, S, S) of the predicted coverage.
        target: (B, 4, S, S) in [-1, 1].
        prompt: (B, C, S, S) that the edit was asked with.

    Returns:
        "loss" and its terms: L1 of colours, of their differences between neighbours and of their mean over the
        silhouette, which the photograph's light shifts as a whole; cross-entropy of coverage, and how little the
        silhouettes overlap. A small part counts as much as a large one: weights are relative to the
        region about the part.
    """
    cover = (target[:, 3:] + 1) / 2
    grown, shrunk = (nnf.max_pool2d(sign * cover, RIM, 1, RIM // 2) * sign for sign in (1, -1))
    region = torch.maximum(cover, prompt[:, ASKED, None])
    for kernel in ((1, 2 * REACH + 1), (2 * REACH + 1, 1)):
        region = nnf.max_pool2d(region, kernel, 1, (kernel[0] // 2, kernel[1] // 2))
    hidden = 1 - prompt[:, SEEN, None]
    color_weight = relative(ELSEWHERE + grown * (1 + HIDDEN_WEIGHT * hidden))
    cover_weight = relative(ELSEWHERE + region + RIM_WEIGHT * (grown - shrunk))
    error = edit[:, :3] - target[:, :3]
    color = (color_weight * error.abs()).mean()
    across = (color_weight[..., 1:] * (error[..., 1:] - error[..., :-1]).abs()).mean()
    down = (color_weight[..., 1:, :] * (error[..., 1:, :] - error[..., :-1, :]).abs()).mean()
    tone = ((error * cover).sum((2, 3)) / cover.sum((2, 3)).clamp(min=1)).abs().mean()
    entropy = nnf.binary_cross_entropy_with_logits(logits, cover[:, 0], reduction="none")
    coverage = (cover_weight[:, 0] * entropy).mean()
    chance = logits.sigmoid()
    both, either = (chance * cover[:, 0]).sum((1, 2)), (chance + cover[:, 0]).sum((1, 2))
    apart = (1 - 2 * both / either.clamp(min=1)).mean()
    painted = color + EDGE_WEIGHT * (across + down) + TONE_WEIGHT * tone
    loss = painted + COVERAGE_WEIGHT * coverage + OVERLAP_WEIGHT * apart
    terms = {"color": color, "edges": across + down, "tone": tone, "coverage": coverage, "apart": apart}
    return {"loss": loss, **terms}


def relative(weight: Tensor) -> Tensor:
    """Weights (B, 1, S, S) with a mean of one an image."""
    return weight / weight.mean((1, 2, 3), keepdim=True)


def flow_step(model: nn.Module, batch: EditBatch, prompt: Tensor, noise: Tensor, sigma: Tensor) -> dict[str, Tensor]:
    """The loss of predicting clean edits from edits at noise levels sigma (B,)."""
    level = sigma[:, None, None, None]
    noisy = (1 - level) * batch.target + level * noise
    edit, logits = model(noisy, batch.image, prompt, sigma)
    return edit_loss(edit, logits, batch.target, prompt)


def first_model(settings: Settings, shipped: Path | None) -> nn.Module:
    """A fresh network, or the shipped one."""
    model: nn.Module
    if shipped is not None:
        model = EditModel.from_pretrained(shipped / "model", torch_dtype=torch.float32)
        return model
    model = EditModel(
        image_size=settings.image_size, widths=settings.widths, layers=settings.layers, head_width=settings.head_width
    )
    return model


def main() -> None:
    started = time.monotonic()
    arguments = _arguments()
    settings = TOY if arguments.toy else Settings()
    device = torch.device(arguments.device)
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    model = first_model(settings, arguments.export if arguments.init else None)
    model = model.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    loop = Loop("editor", model, arguments.state, arguments.run_seconds, arguments.total_seconds, started=started)

    held_out_seeds = range(HELD_OUT_SEED, HELD_OUT_SEED + settings.judged)
    held_out_library = build_library(held_out_seeds, Split.VAL, arguments.processes).to(device)
    held_out = Pool(held_out_library, Split.VAL, settings.judged, settings.image_size, 0, settings.chunk).data
    library = cached_library(arguments.library, range(arguments.objects), Split.TRAIN, arguments.processes).to(device)
    pool = Pool(library, Split.TRAIN, settings.views, settings.image_size, loop.step, settings.chunk)
    print(f"{len(library)} objects, {pool.drawn} views of them in {pool.seconds:.0f} s", flush=True)

    generator = torch.Generator(device).manual_seed(loop.step)
    draw: Callable[..., Tensor] = torch.compile(draw_prompt) if arguments.compile else draw_prompt
    step_loss: Callable[..., dict[str, Tensor]] = torch.compile(flow_step) if arguments.compile else flow_step

    def loss(step: int) -> dict[str, Tensor]:
        if step % RENEW_EVERY == 0:
            pool.keep_fresh(RENEW_EVERY * settings.batch // (USES * len(SLOTS)))
        batch = draw_batch(pool.data, settings.batch, generator)
        with torch.no_grad():
            prompt = draw(batch.plan, batch.coordinates, batch.asked, batch.task, batch.image)
        noise = torch.randn(batch.target.shape, device=device, generator=generator)
        level = torch.rand(settings.batch, device=device, generator=generator)
        sigma = torch.where(level < FROM_NOISE, 1.0, (level - FROM_NOISE) / (1 - FROM_NOISE))
        with torch.autocast(device.type, torch.bfloat16):
            terms = step_loss(model, batch, prompt, noise, sigma)
        return {**terms, "views": torch.tensor(pool.drawn), "render_seconds": torch.tensor(pool.seconds)}

    loop.run(loss, settings.log_every)
    pipeline = averaged_pipeline(model, loop.ema_state_dict())
    steps, judged = fewest_steps(pipeline, held_out)
    pipeline.register_to_config(steps=steps)  # type: ignore[no-untyped-call]
    metrics = evaluate(pipeline, held_out, steps)
    loop.log(metrics)
    draw_picture(pipeline, held_out, arguments.state / "editor.png")
    facts = {
        **asdict(settings),
        "objects": len(library),
        "views_of_last_run": pool.drawn,
        "init": arguments.init,
        "total_seconds": arguments.total_seconds,
        "program": "training.train_editor",
        "sampling_steps": steps,
        "judged_steps": judged,
        **run_facts(loop),
    }
    export(pipeline, arguments.export, facts, metrics)


def _arguments() -> argparse.Namespace:
    parser = training_parser(__doc__, objects=400_000)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=None, help="default: on CUDA")
    arguments = parser.parse_args()
    if arguments.compile is None:
        arguments.compile = arguments.device.startswith("cuda")
    if arguments.toy:
        arguments.processes = 1
    return arguments


if __name__ == "__main__":
    main()
