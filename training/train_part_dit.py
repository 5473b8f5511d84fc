"""Train the part DiT and its image encoder on the latents of a trained part VAE.

    python -m training.train_part_dit --state STATE --export models/triton/part_dit/1/weights --run-seconds 720 \\
        --total-seconds 720 --device cuda:0 --objects 150000

The VAE is read from EXPORT/vae. Under torchrun every process takes its own device and its own objects.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict

import torch
from torch import Tensor

from services.part_dit.errors import WeightsMissing
from services.part_dit.vae import TripoSGVAEModel
from training.draw import Split
from training.loop import Loop
from training.options import training_parser
from training.part_dit_card import write_card
from training.part_dit_data import Batches, objects
from training.part_dit_judge import Judge
from training.part_dit_model import TOY, PartDiTSize, ShapeModel, export
from training.processes import join
from training.train_vae import compile_blocks

EVALUATE_SECONDS = 60.0
HELD_OUT_OBJECTS, FINAL_OBJECTS = 16, 64
HELD_OUT_QUERIES = 8192


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    name, rank, world = join(options.device)
    device = torch.device(name)
    try:
        _train(options, device, rank, world)
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

    start = time.monotonic()
    share = options.objects // world
    data = objects(vae, share, Split.TRAIN, rank * share, options.processes, size.image_size, options.points)
    seen, final, queries = (2, 2, 256) if options.toy else (HELD_OUT_OBJECTS, FINAL_OBJECTS, HELD_OUT_QUERIES)
    judge = Judge(averaged, vae, size, seen, options.points, queries)
    print(f"{len(data.latents)} parts of {share} objects in {time.monotonic() - start:.0f} s", flush=True)

    if options.compile:
        compile_blocks(model.transformer, dynamic=True)
        for layer in model.image_encoder.encoder.layer:
            layer.compile(dynamic=True)
    loop = Loop(
        "part_dit",
        model,
        options.state,
        options.run_seconds,
        options.total_seconds,
        muon_lr=options.lr,
        adam_lr=options.lr,
        warmup=options.warmup,
        started=started,
    )
    batches = Batches(data, options.parts, seed=loop.step, rank=rank)
    torch.manual_seed(loop.step + rank)
    judged = time.monotonic()

    def loss(step: int) -> dict[str, Tensor]:
        nonlocal judged
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            value = model(batches.next())
        if loop.is_main and time.monotonic() - judged > EVALUATE_SECONDS:
            judged = time.monotonic()
            averaged.load_state_dict(loop.ema_state_dict())
            loop.log(judge())
        return {"loss": value}

    loop.run(loss, log_every=2 if options.toy else 100)
    if not loop.is_main:
        return
    averaged.load_state_dict(loop.ema_state_dict())
    averaged.half().float()  # what is judged is what is shipped
    metrics = Judge(averaged, vae, size, final, options.points, queries)()
    print(json.dumps(metrics), flush=True)
    export(options.export, averaged, vae, size)
    settings = {
        "program": "training.train_part_dit",
        "model": asdict(size),
        "objects": options.objects,
        "batch": options.parts,
        "muon_lr": options.lr,
        "total_seconds": options.total_seconds,
        "processes": world,
        "seed": 0,
    }
    write_card(options.export, "part DiT", settings, loop, averaged, metrics)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = training_parser(__doc__, objects=150_000)
    parser.add_argument("--parts", type=int, default=840, help="parts a step; 840 divides by 1 to 8")
    parser.add_argument("--points", type=int, default=1024, help="surface points that the VAE sees")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--warmup", type=int, default=200, help="steps")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    options = parser.parse_args(arguments)
    if options.toy:
        options.compile, options.processes = False, 1
        options.parts, options.points, options.warmup, options.lr = 24, 128, 10, 5e-3
    return options


if __name__ == "__main__":
    main()
