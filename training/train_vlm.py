"""Train the compact VLM to write plans: teacher forcing on the JSON of generated objects, photographed meanwhile.

    python -m training.train_vlm --state STATE --export models/vlm/compact-plan --run-seconds 600 \\
        --total-seconds 600 --device cuda:0 --library STATE/library.pt

Several processes, started by torchrun, take different photographs and step together. The weights that do best in the
held-out exam are shipped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.card import run_facts
from training.draw import Split
from training.library import cached_library
from training.loop import Loop
from training.options import training_parser
from training.processes import join
from training.vlm_answers import tokenise
from training.vlm_card import one_run, write_card
from training.vlm_data import LENGTH_STEP, Ring, Studio, augment, opening_tokens
from training.vlm_exam import Exam, Result
from training.vlm_folder import same_model, write_folder
from training.vlm_loss import Student, plan_loss, soft_targets
from training.vlm_model import TOY, Layout, ModelSize, build_model, layout, patches
from training.vlm_tokenizer import build_tokenizer
from training.whole_file import written_whole

EXAM_SECONDS = 240.0
"""Between exams."""


def main(arguments: list[str] | None = None) -> None:
    started = time.monotonic()
    options = _parse(arguments)
    name, rank, processes = join(options.device)
    device = torch.device(name)
    size = TOY if options.toy else ModelSize()
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    torch._dynamo.config.recompile_limit = 32
    tokenizer = build_tokenizer()
    student = Student(build_model(size, tokenizer.get_vocab()), size)
    if options.init:
        student.vlm.load_state_dict(same_model(options.export, student.vlm, tokenizer), strict=False)
    student.to(device)
    loop = Loop(
        "vlm",
        student,
        options.state,
        options.run_seconds,
        options.total_seconds,
        muon_lr=options.lr,
        started=started,
    )
    seed = 2 * (rank + processes * loop.step)
    torch.manual_seed(seed)

    seeds = range(options.objects)
    library = cached_library(options.library, seeds, Split.TRAIN, options.processes, documents=True).to(device)
    answers = tokenise(library.documents, tokenizer, device)
    held_out = cached_library(None, range(options.exam), Split.VAL, 1, documents=True).to(device)
    held_out_answers = tokenise(held_out.documents, tokenizer, device)
    print(f"rank {rank}: {len(library)} objects after {time.monotonic() - started:.0f} s", flush=True)
    studio = Studio(library, answers, tokenizer, size, Split.TRAIN, seed)
    examiner = Studio(held_out, held_out_answers, tokenizer, size, Split.VAL, 0)
    exam = Exam(examiner, held_out_answers, len(held_out), tokenizer)
    ring = Ring(studio, answers, options.ring, options.chunk, seed + 1)
    print(f"rank {rank}: {ring.fill(options.ring // 8):.0f} views a second", flush=True)

    longest = max(studio.longest, examiner.longest)
    table = layout(student.vlm, size, opening_tokens(tokenizer), (longest // LENGTH_STEP + 1) * LENGTH_STEP)
    soft = soft_targets(tokenizer, device)
    pupil = Student(build_model(size, tokenizer.get_vocab()), size).to(device)
    best = Best(options.state / "vlm-best.pt")
    learn: Callable[..., dict[str, Tensor]] = torch.compile(_learn, fullgraph=True) if options.compile else _learn
    groups = np.random.default_rng(loop.step)  # alike in all processes, so that their sequences are about as long
    due = 0.0
    examined = time.monotonic()

    def examine() -> None:
        result = exam.sit(pupil, loop.ema_state_dict(), table, soft, size.patch)
        loop.log({f"held_out_{key}": value for key, value in result.metrics.items()})
        best.offer(result, loop.step)

    def loss(step: int) -> dict[str, Tensor]:
        nonlocal due, examined
        due += options.fresh
        while due >= options.chunk:
            ring.renew()
            due -= options.chunk
        if loop.is_main and time.monotonic() - examined > EXAM_SECONDS:
            examine()
            examined = time.monotonic()
        views, ids, targets = ring.batch(options.batch, groups.random())
        torch._dynamo.maybe_mark_dynamic(ids, 1)
        torch._dynamo.maybe_mark_dynamic(targets, 1)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            return learn(student, table, soft, size.patch, views.images, (views.links, views.parts), (ids, targets))

    loop.run(loss, log_every=2 if options.toy else 100)
    if not loop.is_main:
        return
    examine()
    result = best.result
    print(json.dumps({**result.metrics, "categories": result.categories}), flush=True)
    write_folder(options.export, student.vlm, result.weights, tokenizer, size)
    facts = {
        "program": "training.train_vlm",
        "model": asdict(size),
        "objects": len(library),
        "views": ring.taken * processes,
        "processes": processes,
        "batch": options.batch * processes,
        "fresh": options.fresh * processes,
        "muon_lr": options.lr,
        "init": options.init,
        "total_seconds": options.total_seconds,
        "seed": 0,
        "best_step": best.step,
        **run_facts(loop),
    }
    write_card(options.export, facts, result, one_run(facts), student.vlm, len(exam))


def _learn(
    student: Student,
    table: Layout,
    soft: tuple[Tensor, Tensor],
    patch: int,
    images: Tensor,
    labels: tuple[Tensor, Tensor],
    sequences: tuple[Tensor, Tensor],
) -> dict[str, Tensor]:
    """Losses of a batch of (B, S, S, 3) uint8 pictures."""
    return plan_loss(student, table, soft, patches(augment(images), patch), labels, sequences)


class Best:
    """The best exam result of all runs so far, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content: dict[str, Any] = {}
        if path.exists():
            self._content = torch.load(path, map_location="cpu", weights_only=True)

    @property
    def result(self) -> Result:
        return Result(**self._content["result"])

    @property
    def step(self) -> int:
        return int(self._content["step"])

    def offer(self, result: Result, step: int) -> None:
        """Keep the result if it is better."""
        if not self._content or result.quality > self._content["result"]["quality"]:
            self._content = {"result": vars(result), "step": step}
            with written_whole(self._path) as part:
                torch.save(self._content, part)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = training_parser(__doc__, objects=400_000)
    parser.add_argument("--batch", type=int, default=256, help="views a step and process")
    parser.add_argument("--fresh", type=float, default=48, help="new views a step and process; may be below 1")
    parser.add_argument("--chunk", type=int, default=80, help="views photographed at a time")
    parser.add_argument("--ring", type=int, default=24_576, help="latest views kept, a process")
    parser.add_argument("--exam", type=int, default=768, help="held-out objects")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    options = parser.parse_args(arguments)
    if options.toy:
        options.compile, options.processes = False, 1
        options.batch, options.fresh, options.chunk, options.ring, options.exam = 8, 0.5, 8, 64, 4
    return options


if __name__ == "__main__":
    main()
