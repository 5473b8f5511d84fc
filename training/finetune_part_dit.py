"""Fine-tune a part DiT in the published layout, on one GPU or several; its VAE and image encoder stay as they are.

    python -m torch.distributed.run --nproc-per-node 8 -m training.finetune_part_dit --weights FOLDER --out FOLDER \\
        --state STATE --hierarchy 11 --positions --boxes --total-steps 100000

Every GPU holds the whole model with its optimiser and average in float32, and computes in bfloat16. What `--state`
holds is continued: the same options give the same weights whether a run was broken off or not.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from services.part_dit.errors import InvalidInput
from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.transformer import PartCrafterDiTModel
from training import card
from training.bench_gpu import Ceilings, ghost_of
from training.curves import thin
from training.encoded_objects import EncodedSet, encode_generated
from training.flow_matching import FlowBatch, FlowMatching, with_additions
from training.loop import Loop
from training.processes import join

MAX_SHARD = "2GB"

CEILING_SIDE, CPU_CEILING_SIDE = 8192, 256
"""Of the matrix product that the operations are held against."""

_CARD = """---
library_name: diffusers
---

# Part DiT, fine-tuned

{million:.1f} million parameters of the transformer, float16, fine-tuned by `{program}`; VAE and image encoder as they
were. The licence is that of the weights that it began with.

- **Data**: {objects} encoded objects, {tokens} latent tokens a part.
- **Training**: {steps} steps of {batch} objects in {seconds:.0f} s on {processes} x {hardware}; AdamW, rectified flow,
  exponential moving average of the weights. `training.json` holds the settings.
"""


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    device, rank, world = join(options.device)
    try:
        finetune(options, torch.device(device), rank, world)
    finally:
        if world > 1:
            torch.distributed.destroy_process_group()


def finetune(options: argparse.Namespace, device: torch.device, rank: int, world: int) -> Loop:
    """Encode what is not encoded yet, train, and have rank 0 write the folder.

    Raises:
        checkpoints.errors.CheckpointError: weights or state that cannot be used.
        InvalidInput: options or data that do not fit them.
    """
    started = time.monotonic()
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    if options.batch < world:
        raise InvalidInput("batch", f"{options.batch} objects cannot be shared by {world} processes")
    pipeline = PartDiTPipeline.load(options.weights, device=device)
    model = with_additions(
        pipeline.transformer, hierarchy=options.hierarchy, positions=options.positions, boxes=options.boxes
    )
    pipeline.register_modules(transformer=model)  # type: ignore[no-untyped-call]
    seeds = range(rank, options.objects, world)
    folder = options.data or options.state / "objects"
    encode_generated(folder, pipeline, seeds, tokens=options.tokens, points=options.points)
    if world > 1:
        torch.distributed.barrier()
    data = EncodedSet(folder, pipeline, options.tokens)
    for frozen in (pipeline.vae, pipeline.image_encoder_dinov2):
        frozen.to("cpu")
    print(f"[{rank}] {len(data)} objects after {time.monotonic() - started:.0f} s", flush=True)

    model.train().enable_gradient_checkpointing()
    flow = FlowMatching(model, pipeline.scheduler)
    loop = Loop(
        "part_dit",
        flow,
        options.state,
        run_steps=options.run_steps or options.total_steps,
        total_steps=options.total_steps,
        muon_lr=None,
        adam_lr=options.lr,
        warmup=options.warmup,
        ema=options.ema,
        checkpoint_seconds=60 * options.save_minutes,
        started=started,
    )
    pace: dict[int, float] = {}

    def loss(number: int) -> dict[str, Tensor]:
        if number % options.log_every == 0:  # a line of the curve has just waited for the device
            pace[number] = time.monotonic()
        batch = FlowBatch.draw(data.share(number, options.batch, rank, world)).to(device)
        scalars: dict[str, Tensor] = flow(batch, sum(data.parts(number, options.batch)) / world)
        return scalars

    loop.run(loss, log_every=options.log_every)
    peak = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else 0.0
    print(f"[{rank}] peak memory {peak:.1f} GiB", flush=True)
    if not loop.is_main:
        return loop
    facts: dict[str, Any] = {
        "program": "training.finetune_part_dit",
        "objects": len(data),
        "batch": options.batch,
        "tokens": options.tokens,
        "lr": options.lr,
        "warmup": options.warmup,
        "total_steps": options.total_steps,
        "ema": options.ema,
        "processes": world,
        **card.run_facts(loop),
    }
    facts["speed"] = {"peak_gib": peak, **speed(pace, model, data, options, world)}
    print(json.dumps(facts["speed"]), flush=True)
    export(options.out, pipeline, loop)
    card.write_card(options.out, _CARD, facts, {}, million=card.million_parameters(model))
    thin(loop.curve, options.out / loop.curve.name)
    return loop


def speed(
    pace: Mapping[int, float], model: PartCrafterDiTModel, data: EncodedSet, options: argparse.Namespace, world: int
) -> dict[str, float]:
    """Seconds a step, and operations a second of one process beside a large matrix product's.

    Operations are those of the forward and backward pass; what is computed twice to save memory counts once.

    Args:
        pace: when a step began; the first of them is not timed.
    """
    timed = sorted(pace)[1:]
    if len(timed) < 2:
        return {}
    first, last = timed[0], timed[-1]
    seconds = (pace[last] - pace[first]) / (last - first)
    each = {count: operations(model, count, data.image_tokens, options.tokens) for count in set(data.counts)}
    total = sum(each[count] for step in range(first, last) for count in data.parts(step, options.batch))
    rate = total / (last - first) / seconds / world
    device = model.device
    on_gpu = device.type == "cuda"
    dtype, side = (torch.bfloat16, CEILING_SIDE) if on_gpu else (torch.float32, CPU_CEILING_SIDE)
    ceiling = Ceilings.measure(device, dtype, side).operations
    return {
        "seconds_a_step": seconds,
        "objects_a_second": options.batch / seconds,
        "tera_operations_a_second": rate / 1e12,
        "ceiling_tera_operations_a_second": ceiling / 1e12,
        "share_of_ceiling": rate / ceiling,
    }


def operations(model: PartCrafterDiTModel, parts: int, image_tokens: int, tokens: int) -> float:
    """Multiplications and additions of the forward and backward pass of one object, counted without values."""
    ghost = ghost_of(model)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        images = torch.empty(parts, image_tokens, ghost.config["cross_attention_dim"], dtype=model.dtype)
        ghost(
            torch.empty(parts, tokens, ghost.in_channels, dtype=model.dtype),
            torch.empty(parts),
            images,
            global_encoder_hidden_states=images[:1],
            parent_index=torch.zeros(parts, dtype=torch.int64),
            boxes=torch.empty(parts, 6),
        )
    return 3.0 * float(counter.get_total_flops())


def export(folder: Path, pipeline: PartDiTPipeline, loop: Loop) -> None:
    """Write the pipeline with the averaged transformer, in float16, as `PartDiTPipeline.load` opens it."""
    loop.module.load_state_dict(loop.ema_state_dict())
    for name, module in (("transformer", pipeline.transformer), ("vae", pipeline.vae)):
        module.half().register_to_config(_name_or_path=name)  # the folder is to hold no path of this machine
    pipeline.image_encoder_dinov2.half().config._name_or_path = "image_encoder_dinov2"
    pipeline.save_pretrained(folder, max_shard_size=MAX_SHARD)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """What `finetune` is to do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="folder in PartCrafter's layout to begin with")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--state", type=Path, required=True, help="checkpoint and curve; continued if there")
    parser.add_argument("--data", type=Path, help="folder of encoded objects; default: objects/ in --state")
    parser.add_argument("--objects", type=_whole, default=0, help="generated objects that the data are to hold")
    parser.add_argument("--batch", type=_positive, default=16, help="objects a step, over all processes")
    parser.add_argument("--tokens", type=_positive, default=512, help="latent tokens a part")
    parser.add_argument("--points", type=_positive, default=204_800, help="surface points of a part that the VAE sees")
    parser.add_argument("--hierarchy", type=_whole, nargs="*", default=[], help="blocks to be followed by the tree's")
    parser.add_argument("--positions", action="store_true", help="embed the link's index in the plan")
    parser.add_argument("--boxes", action="store_true", help="accept planned boxes")
    parser.add_argument("--total-steps", type=_positive, required=True, help="over all runs; sets the learning rate")
    parser.add_argument("--run-steps", type=_positive, help="of this run; default: all that are left")
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--warmup", type=_positive, default=1000, help="steps")
    parser.add_argument("--ema", type=float, default=0.9999)
    parser.add_argument("--log-every", type=_positive, default=10, help="steps")
    parser.add_argument("--save-minutes", type=float, default=30.0, help="between checkpoints")
    parser.add_argument("--device", default="cuda")
    return parser.parse_args(arguments)


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


if __name__ == "__main__":
    main()
