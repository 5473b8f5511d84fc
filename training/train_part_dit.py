"""Train the part DiT and its image encoder on the latents of a trained part VAE.

    python -m training.train_part_dit --state STATE --export models/triton/part_dit/1/weights --run-seconds 1080 \\
        --total-seconds 1080 --device cuda:0 --library STATE/library.pt

The VAE is read from EXPORT/vae. Under torchrun every process takes its own device and draws its own views.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict

import torch
from torch import Tensor

from services.part_dit.errors import WeightsMissing
from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.vae import TripoSGVAEModel
from training.draw import Split
from training.graphs import GraphedStep
from training.library import cached_library
from training.loop import Loop
from training.options import training_parser
from training.part_dit_card import DIT_LEGEND, write_card
from training.part_dit_data import Pool
from training.part_dit_judge import GUIDANCE, STEPS, Judge
from training.part_dit_model import TOY, PartDiTSize, ShapeModel, export, pipeline, warm_start
from training.processes import join
from training.train_vae import compile_blocks

RENEW_STEPS = 25
EVALUATE_SECONDS = 120.0
HELD_OUT_OBJECTS, FINAL_OBJECTS = 24, 32
JUDGE_SECONDS = 60.0
"""Kept of a run for the last judgement."""

HELD_OUT_QUERIES = 4096


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    device, rank, world = join(options.device)
    try:
        _train(options, torch.device(device), rank, world)
    finally:
        if world > 1:
            torch.distributed.destroy_process_group()


def _train(options: argparse.Namespace, device: torch.device, rank: int, world: int) -> None:
    started = time.monotonic()
    size = TOY if options.toy else PartDiTSize()
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    if not (options.export / "vae" / "config.json").exists():
        raise WeightsMissing(f"{options.export} holds no vae: run training.train_vae first")
    vae = TripoSGVAEModel.from_pretrained(options.export / "vae", torch_dtype=torch.float32).to(device).eval()
    vae.register_to_config(_name_or_path="vae")  # the export is to hold no path of this machine
    channels, tokens = vae.config.latent_channels, vae.config.num_query_tokens
    model = ShapeModel(size, channels, tokens).to(device)
    averaged = ShapeModel(size, channels, tokens).to(device).eval()
    if options.init and (options.export / "model_index.json").exists():
        print(f"{_warm_start(model, options)} tensors are the shipped ones", flush=True)

    library = cached_library(options.library, range(options.objects), Split.TRAIN, options.processes).to(device)
    pool = Pool(
        library, vae, Split.TRAIN, objects=options.views, size=size.image_size, points=options.points,
        parts=options.parts, together=options.together,
    )  # fmt: skip
    seen, final, queries = (2, 2, 256) if options.toy else (HELD_OUT_OBJECTS, FINAL_OBJECTS, HELD_OUT_QUERIES)
    judge = Judge(pipeline(averaged, vae, size), seen, options.points, queries)
    print(f"{len(library)} objects after {time.monotonic() - started:.0f} s", flush=True)

    if options.compile:
        compile_blocks(model.transformer, dynamic=True)
        for layer in model.image_encoder.encoder.layer:
            layer.compile(dynamic=True)
    kept = 0.0 if options.toy else JUDGE_SECONDS
    loop = Loop(
        "part_dit",
        model,
        options.state,
        options.run_seconds - kept,
        options.total_seconds - kept,
        muon_lr=options.lr,
        adam_lr=options.lr,
        warmup=options.warmup,
        ema=0.999,
        started=started,
    )
    # A run that continues another is to see other views of the objects than it.
    pool.seed(loop.step * world + rank)
    torch.manual_seed(loop.step * world + rank)
    pool.fill()
    print(f"{len(pool)} views after {time.monotonic() - started:.0f} s", flush=True)
    step = GraphedStep(model, options.graphs and device.type == "cuda")
    judged = time.monotonic()

    def loss(number: int) -> dict[str, Tensor]:
        nonlocal judged
        if number % RENEW_STEPS == 0:
            pool.keep_fresh()
        scalars = step(*pool.next().tensors())
        if loop.is_main and time.monotonic() - judged > EVALUATE_SECONDS:
            averaged.load_state_dict(loop.ema_state_dict())
            loop.log({**judge.quick(), "views": float(pool.drawn)})
            judged = time.monotonic()
        return scalars

    loop.run(loss, log_every=2 if options.toy else 100)
    if not loop.is_main:
        return
    averaged.load_state_dict(loop.ema_state_dict())
    averaged.half().float()  # what is judged is what is shipped
    final_judge = Judge(pipeline(averaged, vae, size), final, options.points, queries)
    metrics = {**final_judge.full(), **final_judge.settings()}
    print(json.dumps(metrics), flush=True)
    export(options.export, averaged, vae, size)
    settings = {
        "program": "training.train_part_dit",
        "model": asdict(size),
        "objects": options.objects,
        "views": pool.drawn,
        "batch": options.parts,
        "muon_lr": options.lr,
        "total_seconds": options.total_seconds,
        "init": options.init,
        "processes": world,
        "seed": 0,
    }
    legend = DIT_LEGEND.format(steps=STEPS, guidance=GUIDANCE)
    write_card(options.export, "part DiT", settings, loop, averaged, metrics, legend)


def _warm_start(model: ShapeModel, options: argparse.Namespace) -> int:
    shipped = PartDiTPipeline.load(options.export)
    return warm_start(model.transformer, shipped.transformer.state_dict()) + warm_start(
        model.image_encoder, shipped.image_encoder_dinov2.state_dict()
    )


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = training_parser(__doc__, objects=150_000)
    parser.add_argument("--parts", type=int, default=840, help="parts a step; 840 divides by 1 to 8")
    parser.add_argument("--points", type=int, default=1024, help="surface points that the VAE sees")
    parser.add_argument("--views", type=int, default=100_000, help="that the pool holds; 300 kB each")
    parser.add_argument("--together", type=int, default=1024, help="parts rendered together")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--warmup", type=int, default=200, help="steps")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--no-graphs", dest="graphs", action="store_false", help="launch kernels one by one")
    options = parser.parse_args(arguments)
    if options.toy:
        options.compile, options.processes = False, 1
        options.parts, options.points, options.warmup, options.lr = 24, 128, 10, 5e-3
        options.views, options.together = 12, 8
    return options


if __name__ == "__main__":
    main()
