"""Train the texture network: the base colour of random surface points from fallible pictures of the object.

    python -m training.train_texture --state STATE --export models/triton/texture/1/weights --run-seconds 300 \\
        --total-seconds 300 --device cuda:0 --objects 20000
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from services.texture.model import TextureModel
from services.texture.pipeline import TexturePipeline
from training.card import run_facts
from training.loop import Loop
from training.objects import Split, generate_many
from training.options import training_parser
from training.texture_card import write_card
from training.texture_data import POINTS, TextureData, render_data
from training.texture_evaluate import evaluate
from training.texture_jitter import spoil_surface, spoil_view

CONTEXT = 256
TOY: dict[str, Any] = {
    "image_size": 32, "channels": (8, 16, 32), "feature_channels": 8, "width": 32, "num_latents": 4, "num_blocks": 1,
}  # fmt: skip


def colour_loss(
    model: Callable[..., Tensor], data: TextureData, batch: int, queries: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Mean absolute and squared error of sRGB base colours over a random batch of parts, all conditions spoiled."""
    index = torch.randint(len(data), (batch,), generator=generator, device=data.owner.device)
    start = int(torch.randint(POINTS - CONTEXT - queries + 1, ()))
    view = spoil_view(data.view(index), generator)
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


def main(argv: Sequence[str] | None = None) -> None:
    started = time.monotonic()
    arguments = _arguments(argv)
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    device = torch.device(arguments.device)
    settings: dict[str, Any] = TOY if arguments.toy else {}
    model = TextureModel(**settings).to(device)

    start = time.monotonic()
    specs = generate_many(range(arguments.objects), Split.TRAIN, arguments.processes)
    train = render_data(specs, Split.TRAIN, model.image_size, device, seed=0)
    print(f"{len(train)} parts cached in {time.monotonic() - start:.0f} s", flush=True)

    loop = Loop(
        "texture",
        model,
        arguments.state,
        arguments.run_seconds,
        arguments.total_seconds,
        muon_lr=arguments.lr,
        started=started,
    )
    generator = torch.Generator(device).manual_seed(loop.step)
    compute: Callable[..., Tensor] = torch.compile(model) if arguments.compile else model
    loop.run(
        lambda _: colour_loss(compute, train, arguments.batch, arguments.queries, generator),
        log_every=2 if arguments.toy else 100,
    )
    averaged = loop.ema_state_dict()
    model.load_state_dict(averaged)
    model.eval()

    held_out = {}
    for split in (Split.VAL, Split.TEST):
        specs = generate_many(range(arguments.judge), split)
        exact = render_data(specs, split, model.image_size, device, seed=0, camera_error=0.0)
        wrong = render_data(specs, split, model.image_size, device, seed=0)
        held_out[split.value] = {
            "exact inputs": evaluate(model, exact, spoiled=False),
            "spoiled inputs": evaluate(model, wrong, spoiled=True),
        }
    print(json.dumps(held_out, indent=1), flush=True)

    TexturePipeline(model.half()).save_pretrained(arguments.export)
    facts = {
        "program": "training.train_texture",
        "model": dict(model.config),
        "objects": arguments.objects,
        "parts": len(train),
        "batch": arguments.batch,
        "queries": arguments.queries,
        "muon_lr": arguments.lr,
        "total_seconds": arguments.total_seconds,
        "seed": 0,
        **run_facts(loop),
    }
    write_card(arguments.export, facts, held_out, model)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = training_parser(__doc__, objects=20_000)
    parser.add_argument("--batch", type=int, default=256, help="parts a step")
    parser.add_argument("--queries", type=int, default=512, help="surface points a part and step")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--judge", type=int, default=256, help="held-out objects of each split for the model card")
    parser.add_argument("--compile", action="store_true", help="compile the network")
    arguments = parser.parse_args(argv)
    if arguments.toy:
        arguments.compile, arguments.processes = False, 1
        arguments.batch, arguments.queries, arguments.judge = 16, 128, 4
    return arguments


if __name__ == "__main__":
    main()
