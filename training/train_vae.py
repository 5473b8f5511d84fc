"""Train the part VAE: surface points of single parts, in their box frames, to a truncated signed distance field.

    python -m training.train_vae --state STATE --export models/triton/part_dit/1/weights --run-seconds 180 \\
        --total-seconds 180 --device cuda:0 --objects 30000
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
from training.graphs import GraphedStep
from training.library import Library, build_library, cached_library
from training.loop import Loop
from training.options import training_parser
from training.part_dit_card import VAE_LEGEND, write_card
from training.part_dit_data import encode
from training.part_dit_model import MAX_SHARD, warm_start
from training.part_dit_surface import distance_queries, point_clouds, solids

KL_WEIGHT = 1e-3
EVALUATE_SECONDS = 30.0
HELD_OUT_OBJECTS = 64
OBJECTS_AT_ONCE = 1024


@dataclass(frozen=True)
class VaeSize:
    """Configuration of the compact part VAE and of its batches; the truncation is in units of the box frame."""

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
    """Parts of many objects: `clouds` (P, N, 6) and `queries` (P, Q, 4), both float16, in box frames.

    `weights` (P,) is how often each is to be seen: a cabinet is harder than a knob, and there are fewer of them.
    """

    clouds: Tensor
    queries: Tensor
    weights: Tensor


class Reconstruction(nn.Module):
    """The VAE's loss: absolute error of the field in units of the truncation, and a light pull to the normal."""

    def __init__(self, vae: TripoSGVAEModel, truncation: float) -> None:
        super().__init__()
        self.vae = vae
        self.truncation = truncation

    def forward(self, cloud: Tensor, query: Tensor) -> dict[str, Tensor]:
        kind = "cuda" if cloud.is_cuda else "cpu"
        with torch.autocast(kind, torch.bfloat16, enabled=cloud.is_cuda, cache_enabled=False):
            posterior = self.vae.encode(cloud)
            field = self.vae.query(self.vae.decode(posterior.sample()), query[..., :3])
        target = (-query[..., 3] / self.truncation).clamp(-1, 1)
        error, kl = (field - target).abs().mean(), posterior.kl()
        return {"loss": error + KL_WEIGHT * kl, "error": error.detach(), "kl": kl.detach()}


def main(arguments: list[str] | None = None) -> None:
    started = time.monotonic()
    options = _parse(arguments)
    size = TOY if options.toy else VaeSize()
    device = torch.device(options.device)
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    library = cached_library(options.library, range(options.objects), Split.TRAIN, options.processes)
    train = load(library.to(device), options.sampled, options.pool)
    count = min(HELD_OUT_OBJECTS, options.objects)
    held_out = load(build_library(range(count), Split.VAL).to(device), count, options.pool)
    del library
    print(f"{len(train.clouds)} parts after {time.monotonic() - started:.0f} s", flush=True)

    vae = TripoSGVAEModel(**asdict(size)).to(device)
    averaged = TripoSGVAEModel(**asdict(size)).to(device)
    if options.init and (options.export / "vae" / "config.json").exists():
        shipped = TripoSGVAEModel.from_pretrained(options.export / "vae", torch_dtype=torch.float32)
        print(f"{warm_start(vae, shipped.state_dict())} tensors are the shipped ones", flush=True)
    if options.compile:
        compile_blocks(vae)
    loop = Loop(
        "vae",
        vae,
        options.state,
        options.run_seconds,
        options.total_seconds,
        muon_lr=options.lr,
        adam_lr=options.lr,
        ema=0.999,
        started=started,
    )
    step = GraphedStep(Reconstruction(vae, size.truncation), options.graphs and device.type == "cuda")
    judged = time.monotonic()

    def loss(number: int) -> dict[str, Tensor]:
        nonlocal judged
        rows = train.weights.multinomial(options.batch, replacement=True)
        scalars = step(window(train.clouds, rows, options.points), window(train.queries, rows, options.queries))
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
        "objects": min(options.objects, options.sampled),
        "batch": options.batch,
        "points": options.points,
        "queries": options.queries,
        "muon_lr": options.lr,
        "kl_weight": KL_WEIGHT,
        "total_seconds": options.total_seconds,
        "init": options.init,
        "seed": 0,
    }
    write_card(options.export / "vae", "part VAE", settings, loop, averaged, metrics, VAE_LEGEND)


def load(library: Library, objects: int, pool: int) -> Parts:
    """Sample `pool` surface points and as many distances for each part of about `objects` of the library's objects."""
    generator = torch.Generator(library.device).manual_seed(0)
    # Every n-th object: the library is in the order of complexity, and so are the chunks that are made of it.
    rows = torch.arange(0, len(library), max(1, len(library) // objects))
    clouds, queries, weights = [], [], []
    for chunk in rows.split(OBJECTS_AT_ONCE):
        scene = library.scene(chunk)
        clouds.append(point_clouds(scene, pool, generator))
        queries.append(distance_queries(scene, clouds[-1], pool, generator))
        weights.append(solids(scene).float().sqrt())
    return Parts(torch.cat(clouds), torch.cat(queries), torch.cat(weights))


def window(pool: Tensor, rows: Tensor, count: int) -> Tensor:
    """(P, N, C) -> (len(rows), count, C) float32: a random stretch of each chosen row; the pool is in random order."""
    start = int(torch.randint(pool.shape[1] - count + 1, ()))
    return pool[rows, start : start + count].float()


@torch.no_grad()
def evaluate(vae: TripoSGVAEModel, parts: Parts, points: int, truncation: float) -> dict[str, float]:
    """Reconstruct held-out parts from posterior means: mean overlap of insides among queries near the surface and
    anywhere, and mean distance between true surface points and the reconstructed surface [half sides of the box]."""
    overlaps, errors = [], []
    for cloud, query in zip(parts.clouds.split(128), parts.queries.split(128), strict=True):
        tokens = vae.decode(vae.encode(cloud[:, :points].float()).mean)
        inside, truth = vae.query(tokens, query[..., :3].float()) > 0, query[..., 3] < 0
        overlaps.append((inside & truth).sum(1) / (inside | truth).sum(1).clamp(min=1))
        errors.append((vae.query(tokens, cloud[:, :points, :3].float()).abs() * truncation).mean(1))
    return {
        "held_out_iou": float(torch.cat(overlaps).mean()),
        "held_out_surface_error": float(torch.cat(errors).mean()),
    }


def compile_blocks(module: nn.Module, dynamic: bool | None = None) -> None:
    """Compile the transformer blocks one by one: blocks of one kind share a kernel, so it takes seconds."""
    torch._dynamo.config.recompile_limit = 64
    for block in module.modules():
        if isinstance(block, Block):
            block.compile(dynamic=dynamic)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = training_parser(__doc__, objects=30_000)
    parser.add_argument("--sampled", type=int, default=30_000, help="of the objects, about; 160 kB each")
    parser.add_argument("--batch", type=int, default=512, help="parts a step")
    parser.add_argument("--points", type=int, default=1024, help="surface points that the encoder sees")
    parser.add_argument("--queries", type=int, default=1024, help="distances a part and step")
    parser.add_argument("--pool", type=int, default=2048, help="points and distances kept a part")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--no-graphs", dest="graphs", action="store_false", help="launch kernels one by one")
    options = parser.parse_args(arguments)
    if options.toy:
        options.compile, options.processes = False, 1
        options.batch, options.points, options.queries, options.pool = 16, 128, 128, 256
    return options


if __name__ == "__main__":
    main()
