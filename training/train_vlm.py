"""Train the compact VLM to write plans: teacher forcing on the JSON of generated objects.

    python -m training.train_vlm --state STATE --export models/vlm/compact-plan --run-seconds 600 \\
        --total-seconds 600 --device cuda:0 --objects 150000
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import Qwen3VLForConditionalGeneration

from training.card import run_facts
from training.loop import Loop
from training.objects import Split
from training.options import training_parser
from training.vlm_card import write_card
from training.vlm_data import OPENING, PlanData, augment, build_data
from training.vlm_evaluate import answers, score
from training.vlm_folder import write_folder
from training.vlm_model import TOY, Layout, ModelSize, build_model, decode, encode_images, layout, patches
from training.vlm_tokenizer import build_tokenizer

SPREAD = (0.05, 0.12, 0.66, 0.12, 0.05)
"""Target probability of an integer and of its neighbours: numbers are near each other, which single tokens are not."""

VALIDATION = 256


def soft_targets(tokenizer: Tokenizer, device: str) -> tuple[Tensor, Tensor]:
    """For each token the tokens that share its target probability.

    Returns:
        (V, 5) ids and (V, 5) weights: an integer and its neighbours with the same comma, any other token alone.
    """
    vocabulary = tokenizer.get_vocab()
    ids = torch.arange(len(vocabulary))[:, None].repeat(1, len(SPREAD))
    weights = torch.zeros(ids.shape)
    weights[:, len(SPREAD) // 2] = 1
    for token, index in vocabulary.items():
        comma, digits = ("," if token.startswith(",") else ""), token.removeprefix(",")
        if not digits.removeprefix("-").isdecimal():
            continue
        near = [f"{comma}{int(digits) + step}" for step in range(-2, 3)]
        if str(int(digits)) == digits and all(name in vocabulary for name in near):
            ids[index] = torch.tensor([vocabulary[name] for name in near])
            weights[index] = torch.tensor(SPREAD)
    return ids.to(device), weights.to(device)


def sequence_loss(
    model: Qwen3VLForConditionalGeneration,
    table: Layout,
    soft: tuple[Tensor, Tensor],
    pixels: Tensor,
    ids: Tensor,
    targets: Tensor,
) -> tuple[Tensor, Tensor]:
    """Cross-entropy against soft targets, and negative log-likelihood of the true tokens, both per answer token [nat].

    Args:
        pixels: (B, N, C) patches.
        ids, targets: (B, T).
    """
    hidden = decode(model, table, encode_images(model, table, pixels), ids)[:, table.start : -1]
    logits = functional.linear(hidden, model.model.language_model.embed_tokens.weight)
    logp = logits.float().log_softmax(-1)
    wanted = targets[:, table.start + 1 :]
    mask = (wanted >= 0).float()
    near, weights = soft[0][wanted.clamp(min=0)], soft[1][wanted.clamp(min=0)]
    cross = -(logp.gather(-1, near) * weights).sum(-1)
    exact = -logp.gather(-1, wanted.clamp(min=0)[..., None])[..., 0]
    return (cross * mask).sum() / mask.sum(), (exact * mask).sum() / mask.sum()


def main() -> None:
    started = time.monotonic()
    arguments = _arguments()
    size = TOY if arguments.toy else ModelSize()
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    device = arguments.device
    tokenizer = build_tokenizer()
    model = build_model(size, tokenizer.get_vocab()).to(device)
    start = time.monotonic()

    def samples(split: Split, count: int) -> PlanData:
        return build_data(range(count), split, tokenizer, size.image, size.grid**2, device, arguments.processes)

    train = samples(Split.TRAIN, arguments.objects)
    held_out = samples(Split.VAL, min(VALIDATION, arguments.objects))
    print(f"{len(train)} samples of {train.ids.shape[1]} tokens in {time.monotonic() - start:.0f} s", flush=True)

    opening = len(tokenizer.encode(OPENING).ids)
    table = layout(model, size, opening, max(train.ids.shape[1], held_out.ids.shape[1]))
    soft = soft_targets(tokenizer, device)
    compute: Callable[..., tuple[Tensor, Tensor]] = sequence_loss
    if arguments.compile:
        compute = torch.compile(sequence_loss, fullgraph=True)
    loop = Loop(
        "vlm",
        model,
        arguments.state,
        arguments.run_seconds,
        arguments.total_seconds,
        muon_lr=arguments.lr,
        started=started,
    )
    held_pixels = patches(held_out.images.float() / 255, size.patch)

    def loss(step: int) -> dict[str, Tensor]:
        rows = torch.randint(len(train), (arguments.batch,), device=device)
        pixels = patches(augment(train.images[rows]), size.patch)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            cross, exact = compute(model, table, soft, pixels, train.ids[rows], train.targets[rows])
            scalars = {"loss": cross, "nll": exact}
            if (step + 1) % 500 == 0:
                with torch.no_grad():
                    values = sequence_loss(model, table, soft, held_pixels, held_out.ids, held_out.targets)
                scalars["held_out_nll"] = values[1]
        return scalars

    loop.run(loss, log_every=10 if arguments.toy else 100)
    state = loop.ema_state_dict()
    averaged = {name: state[name] for name, _ in model.named_parameters()}
    model.load_state_dict(averaged, strict=False)
    judged = held_out.images[: arguments.judge]
    metrics = score(answers(model, table, size.patch, judged, train.ids.shape[1], tokenizer), held_out)
    print(json.dumps(metrics), flush=True)
    write_folder(arguments.export, model, averaged, tokenizer, size)
    facts = {
        "program": "training.train_vlm",
        "model": asdict(size),
        "objects": arguments.objects,
        "samples": len(train),
        "batch": arguments.batch,
        "muon_lr": arguments.lr,
        "total_seconds": arguments.total_seconds,
        "seed": 0,
        **run_facts(loop),
    }
    write_card(arguments.export, facts, metrics, model, len(judged))


def _arguments() -> argparse.Namespace:
    parser = training_parser(__doc__, objects=150_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--judge", type=int, default=64, help="held-out objects to answer for the model card")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    arguments = parser.parse_args()
    if arguments.toy:
        arguments.compile, arguments.processes = False, 1
        arguments.batch, arguments.judge = min(arguments.batch, 16), 4
    return arguments


if __name__ == "__main__":
    main()
