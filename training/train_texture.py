"""Train the texture network: the base colour of random surface points from fallible pictures of the object.

    python -m training.train_texture --state STATE --export models/triton/texture/1/weights --run-seconds 600 \\
        --total-seconds 600 --device cuda:0 --objects 400000 --library STATE/library.pt --editor models/vlm/compact-edit
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from services.texture.model import TextureModel
from services.texture.pipeline import TexturePipeline
from training.card import run_facts
from training.draw import Split
from training.library import build_library, cached_library
from training.loop import Loop
from training.options import training_parser
from training.processes import join
from training.texture_card import write_card
from training.texture_data import POINTS, TextureData, render_data
from training.texture_evaluate import colorists, evaluate
from training.texture_jitter import spoil_surface, spoil_view
from training.texture_judge import unseen_psnr
from training.texture_paint import PAINTED, Painter
from training.texture_pool import Pool

ADAM_LR = 2e-4
"""Learning rate of the convolutions; with 1e-3, and 1e-4 for the matrices, a run diverged after 2000 steps."""
CONTEXT = 256
POOL_EVERY = 8
"""Steps between looks at the clock for new views."""

JUDGE_SECONDS = 90.0
WALKED_AROUND = 48
"""Objects that are judged in unseen views, one after the other."""

TOY: dict[str, Any] = {
    "image_size": 32, "channels": (8, 16, 32), "feature_channels": 8, "width": 32, "num_latents": 4, "num_mixers": 1,
}  # fmt: skip


def colour_loss(
    model: Callable[..., Tensor], data: TextureData, batch: int, queries: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Mean absolute and squared error of sRGB base colours over a random batch of parts, all conditions spoiled.

    Large parts come up more often than small ones, as they do in a picture.
    """
    x, y, z = data.box[:, 3:].unbind(-1)
    index = torch.multinomial((x * y + y * z + z * x).sqrt() + 0.1, batch, replacement=True, generator=generator)
    start = int(torch.randint(POINTS - CONTEXT - queries + 1, ()))
    view = spoil_view(data.view(index), data.painted[data.owner[index]], generator)
    context, context_normals, _, _ = data.surface(index, slice(start, start + CONTEXT))
    points, normals, albedo, seen = data.surface(index, slice(start + CONTEXT, start + CONTEXT + queries))
    surfaces = [(points, normals), (context, context_normals)]
    view, ((points, normals), (context, context_normals)) = spoil_surface(view, surfaces, generator)
    with torch.autocast(index.device.type, torch.bfloat16):
        error = model(view, points, normals, context, context_normals) - albedo
    absolute = error.abs().mean(-1)
    scalars = {"loss": absolute.mean() + error.square().mean()}
    for name, group in (("seen", seen), ("hidden", ~seen)):
        scalars[f"l1_{name}"] = (absolute.detach() * group).sum() / group.sum().clamp(min=1)
    return scalars


class HeldOut:
    """Objects of a split that training never sees, pictured once under each kind of inputs, from the same views.

    Exact inputs are true. Spoiled inputs have wrong cameras and surfaces, and pictures with mistakes added. Painted
    inputs, given a painter, have the editor's pictures instead, as in the service.
    """

    def __init__(
        self, split: Split, count: int, size: int, device: torch.device, processes: int, painter: Painter | None
    ) -> None:
        self.library = build_library(range(count), split, processes).to(device)
        self.rows = torch.arange(count)
        self._size = size // 2
        exact, told = (self._picture(split, size, error) for error in (0.0, 1.0))
        self._inputs = {"exact inputs": (exact, False), "spoiled inputs": (told, True)}
        if painter:
            generator = torch.Generator(device).manual_seed(0)
            self._inputs["painted inputs"] = painter.paint(told, self.library.scene(self.rows), 1.0, generator), True

    def _picture(self, split: Split, size: int, camera_error: float) -> TextureData:
        generator = torch.Generator(self.library.device).manual_seed(0)
        rng = np.random.default_rng(0)
        return render_data(self.library, self.rows, split, size, generator, rng, camera_error)

    def glance(self, model: TextureModel) -> dict[str, float]:
        """PSNR [dB] of seen and hidden points under the inputs that are most like the service's."""
        data, spoiled = list(self._inputs.values())[-1]
        return evaluate({"val": model}, data, spoiled)

    def judge(self, model: TextureModel) -> dict[str, dict[str, float]]:
        """PSNR [dB] under each kind of inputs, as `evaluate`, and of whole pictures from unseen views."""
        found = {}
        for name, (data, spoiled) in self._inputs.items():
            methods = colorists(model)
            found[name] = evaluate(methods, data, spoiled) | {
                f"{key}_unseen_views": unseen_psnr(own, self.library, self.rows[:WALKED_AROUND], data, self._size)
                for key, own in methods.items()
            }
        return found


def main(argv: Sequence[str] | None = None) -> None:
    started = time.monotonic()
    arguments = _arguments(argv)
    name, rank, world = join(arguments.device)
    try:
        _train(arguments, torch.device(name), rank, world, started)
    finally:
        if world > 1:
            torch.distributed.destroy_process_group()


def _train(arguments: argparse.Namespace, device: torch.device, rank: int, world: int, started: float) -> None:
    torch.manual_seed(rank)
    torch.set_float32_matmul_precision("high")
    settings: dict[str, Any] = TOY if arguments.toy else {}
    model = TextureModel(**settings).to(device, memory_format=torch.channels_last)
    averaged = TextureModel(**settings).to(device).eval()
    if arguments.init:
        warm_start(model, arguments.export)

    library = cached_library(arguments.library, range(arguments.objects), Split.TRAIN, arguments.processes).to(device)
    print(f"{len(library)} objects after {time.monotonic() - started:.0f} s", flush=True)
    loop = Loop(
        "texture",
        model,
        arguments.state,
        arguments.run_seconds,
        arguments.total_seconds,
        muon_lr=arguments.lr,
        adam_lr=ADAM_LR,
        warmup=5 if arguments.toy else 200,
        started=started,
    )
    seed = loop.step * world + rank
    painter = Painter.load(arguments.editor, device) if arguments.editor else None
    pool = Pool(library, Split.TRAIN, arguments.pictured, model.image_size, seed, arguments.fresh, painter)
    print(f"{len(pool.data)} parts pictured after {time.monotonic() - started:.0f} s", flush=True)
    watched = HeldOut(Split.VAL, arguments.watch, model.image_size, device, 1, painter) if loop.is_main else None
    generator = torch.Generator(device).manual_seed(seed)
    compute: Callable[..., Tensor] = torch.compile(model) if arguments.compile else model
    judged = time.monotonic()

    def loss(step: int) -> dict[str, Tensor]:
        nonlocal judged
        if step % POOL_EVERY == 0:
            pool.keep_fresh()
        if watched and time.monotonic() - judged > JUDGE_SECONDS:
            averaged.load_state_dict(loop.ema_state_dict())
            loop.log({**watched.glance(averaged), "parts": float(pool.drawn), "render_seconds": pool.seconds})
            judged = time.monotonic()
        return colour_loss(compute, pool.data, arguments.batch // world, arguments.queries, generator)

    loop.run(loss, log_every=2 if arguments.toy else 100)
    if not loop.is_main:
        return
    averaged.load_state_dict(loop.ema_state_dict())
    averaged.half().float()  # what is judged is what is shipped
    held_out = {
        split.value: HeldOut(split, arguments.judge, model.image_size, device, arguments.processes, painter).judge(
            averaged
        )
        for split in (Split.VAL, Split.TEST)
    }
    print(json.dumps(held_out, indent=1), flush=True)
    TexturePipeline(averaged.half()).save_pretrained(arguments.export)
    facts = {
        "program": "training.train_texture",
        "model": dict(model.config),
        "objects": len(library),
        "parts": pool.drawn * world,
        "painted": PAINTED if painter else 0.0,
        "fresh": arguments.fresh,
        "batch": arguments.batch,
        "queries": arguments.queries,
        "walked_around": min(arguments.judge, WALKED_AROUND),
        "init": arguments.init,
        "muon_lr": arguments.lr,
        "adam_lr": ADAM_LR,
        "total_seconds": arguments.total_seconds,
        "seed": 0,
        **run_facts(loop),
    }
    write_card(arguments.export, facts, held_out, averaged)


def warm_start(model: TextureModel, folder: Path) -> bool:
    """Take the weights of an exported folder, if they have the model's names and shapes; whether they did."""
    file = folder / "model" / "diffusion_pytorch_model.safetensors"
    if not file.is_file():
        return False
    saved, own = load_file(file), model.state_dict()
    if {key: value.shape for key, value in saved.items()} != {key: value.shape for key, value in own.items()}:
        return False
    model.load_state_dict({key: value.float() for key, value in saved.items()})
    return True


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = training_parser(__doc__, objects=20_000)
    parser.add_argument("--batch", type=int, default=256, help="parts a step, of all processes")
    parser.add_argument("--queries", type=int, default=512, help="surface points a part and step")
    parser.add_argument("--editor", type=Path, help="folder of the image editor that paints the guide's pictures")
    parser.add_argument("--pictured", type=int, default=192, help="objects pictured together")
    parser.add_argument("--fresh", type=float, default=0.75, help="share of the time that goes into new views")
    parser.add_argument("--lr", type=float, default=4e-5, help="of the matrices")
    parser.add_argument("--watch", type=int, default=64, help="validation objects judged during training")
    parser.add_argument("--judge", type=int, default=256, help="held-out objects of each split for the model card")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=None, help="compile the network")
    arguments = parser.parse_args(argv)
    if arguments.compile is None:
        arguments.compile = arguments.device.startswith("cuda")
    if arguments.toy:
        arguments.compile, arguments.processes, arguments.pictured, arguments.fresh = False, 1, 1, 0.1
        arguments.batch, arguments.queries, arguments.watch, arguments.judge = 16, 128, 1, 2
    return arguments


if __name__ == "__main__":
    main()
