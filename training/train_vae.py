"""Train the part VAE: surface points of single parts to a truncated signed distance field.

    python -m training.train_vae --state STATE --export models/triton/part_dit/1/weights --run-seconds 120 \\
        --total-seconds 120 --device cuda:0 --objects 40000
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from services.part_dit.attention import Block
from services.part_dit.vae import TripoSGVAEModel
from training.draw import Split
from training.loop import Loop
from training.options import training_parser
from training.part_dit_card import write_card
from training.part_dit_data import distance_queries, encode, point_clouds, views
from training.part_dit_model import MAX_SHARD

KL_WEIGHT = 1e-3
EVALUATE_SECONDS = 20.0
HELD_OUT_OBJECTS = 64


@dataclass(frozen=True)
class VaeSize:
    """Configuration of the compact part VAE and of its batches."""

    latent_channels: int = 16
    num_attention_heads: int = 3
    width_encoder: int = 192
    width_decoder: int = 192
    num_layers_encoder: int = 3
    num_layers_decoder: int = 6
    mlp_ratio: float = 2.0
    num_query_tokens: int = 32
    truncation: float = 0.1


TOY = VaeSize(
    latent_channels=8,
    num_attention_heads=2,
    width_encoder=32,
    width_decoder=32,
    num_layers_encoder=1,
    num_layers_decoder=1,
    num_query_tokens=8,
)


@dataclass(frozen=True)
class Parts:
    """Parts of many objects: `clouds` (P, N, 6) and `queries` (P, Q, 4), both float16."""

    clouds: Tensor
    queries: Tensor


def main(arguments: list[str] | None = None) -> None:
    started = time.monotonic()
    options = _parse(arguments)
    size = TOY if options.toy else VaeSize()
    device = torch.device(options.device)
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    start = time.monotonic()
    train = load(options.objects, Split.TRAIN, device, options.pool, options.processes)
    held_out = load(min(HELD_OUT_OBJECTS, options.objects), Split.VAL, device, options.pool, 1)
    print(f"{len(train.clouds)} parts in {time.monotonic() - start:.0f} s", flush=True)

    vae = TripoSGVAEModel(**asdict(size)).to(device)
    averaged = TripoSGVAEModel(**asdict(size)).to(device)
    if options.compile:
        compile_blocks(vae)
    loop = Loop(
        "vae",
        vae,
        options.state,
        options.run_seconds,
        options.total_seconds,
        muon_lr=2e-3,
        adam_lr=2e-3,
        started=started,
    )
    judged = time.monotonic()

    def loss(step: int) -> dict[str, Tensor]:
        nonlocal judged
        rows = torch.randint(len(train.clouds), (options.batch,), device=device)
        cloud = window(train.clouds, rows, options.points)
        query = window(train.queries, rows, options.queries)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            scalars = objective(vae, cloud, query, size.truncation)
        if time.monotonic() - judged > EVALUATE_SECONDS:
            judged = time.monotonic()
            averaged.load_state_dict(loop.ema_state_dict())
            loop.log(evaluate(averaged, held_out, options.points, size.truncation))
        return scalars

    loop.run(loss, log_every=2 if options.toy else 100)
    averaged.load_state_dict(loop.ema_state_dict())
    averaged.fit_normalisation(encode(averaged, train.clouds[:, : options.points]))
    averaged.half().float()  # what is judged is what is shipped
    metrics = evaluate(averaged, held_out, options.points, size.truncation)
    print(json.dumps(metrics), flush=True)
    averaged.half().save_pretrained(options.export / "vae", max_shard_size=MAX_SHARD)
    settings = {
        "program": "training.train_vae",
        "model": asdict(size),
        "objects": options.objects,
        "batch": options.batch,
        "points": options.points,
        "queries": options.queries,
        "muon_lr": 2e-3,
        "kl_weight": KL_WEIGHT,
        "total_seconds": options.total_seconds,
        "seed": 0,
    }
    write_card(options.export / "vae", "part VAE", settings, loop, averaged, metrics)


def load(objects: int, split: Split, device: torch.device, pool: int, processes: int) -> Parts:
    """Sample `pool` surface points and as many distances for each part of `objects` objects."""
    generator = torch.Generator(device).manual_seed(0)
    clouds, queries = [], []
    for view in views(objects, split, device, 0, processes):
        clouds.append(point_clouds(view.scene, pool, generator))
        queries.append(distance_queries(view.scene, clouds[-1], pool, generator))
    return Parts(torch.cat(clouds), torch.cat(queries))


def window(pool: Tensor, rows: Tensor, count: int) -> Tensor:
    """(P, N, C) -> (len(rows), count, C) float32: a random stretch of each chosen row; the pool is in random order."""
    start = int(torch.randint(pool.shape[1] - count + 1, ()))
    return pool[rows, start : start + count].float()


def objective(vae: TripoSGVAEModel, cloud: Tensor, query: Tensor, truncation: float) -> dict[str, Tensor]:
    """Absolute error of the field in units of the truncation, and a light pull of the latents to the normal."""
    posterior = vae.encode(cloud)
    field = vae.query(vae.decode(posterior.sample()), query[..., :3])
    target = (-query[..., 3] / truncation).clamp(-1, 1)
    error, kl = (field - target).abs().mean(), posterior.kl()
    return {"loss": error + KL_WEIGHT * kl, "error": error, "kl": kl}


@torch.no_grad()
def evaluate(vae: TripoSGVAEModel, parts: Parts, points: int, truncation: float) -> dict[str, float]:
    """Reconstruct held-out parts from posterior means: overlap of insides among queries near the surface and anywhere,
    and mean distance between true surface points and the reconstructed surface [model units]."""
    inside, both, error, count = 0.0, 0.0, 0.0, 0
    for cloud, query in zip(parts.clouds.split(128), parts.queries.split(128), strict=True):
        tokens = vae.decode(vae.encode(cloud[:, :points].float()).mean)
        predicted = vae.query(tokens, query[..., :3].float()) > 0
        truth = query[..., 3] < 0
        both += float((predicted & truth).sum())
        inside += float((predicted | truth).sum())
        distance = vae.query(tokens, cloud[:, :points, :3].float()).abs() * truncation
        error += float(distance.sum())
        count += distance.numel()
    return {"held_out_iou": both / max(inside, 1.0), "held_out_surface_error": error / count}


def compile_blocks(module: nn.Module, dynamic: bool | None = None) -> None:
    """Compile the transformer blocks one by one: blocks of one kind share a kernel, so it takes seconds."""
    torch._dynamo.config.recompile_limit = 64
    for block in module.modules():
        if isinstance(block, Block):
            block.compile(dynamic=dynamic)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = training_parser(__doc__, objects=40_000)
    parser.add_argument("--batch", type=int, default=512, help="parts a step")
    parser.add_argument("--points", type=int, default=1024, help="surface points that the encoder sees")
    parser.add_argument("--queries", type=int, default=1024, help="distances a part and step")
    parser.add_argument("--pool", type=int, default=2048, help="points and distances kept a part")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    options = parser.parse_args(arguments)
    if options.toy:
        options.compile, options.processes = False, 1
        options.batch, options.points, options.queries, options.pool = 16, 128, 128, 256
    return options


if __name__ == "__main__":
    main()
