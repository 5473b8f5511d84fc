"""Measure the shape stage as it ships, on this machine: seconds a object, and quality on held-out objects.

python -m training.part_dit_bench --weights models/triton/part_dit/1/weights --objects 16 --steps 10
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.precision import best_dtype
from training.part_dit_judge import Judge

POINTS, QUERIES = 1024, 2048


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--objects", type=int, default=16, help="of the split VAL")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--resolution", type=int, default=96)
    parser.add_argument("--dtype", help="such as float32; default: what the service computes in")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--full", action="store_true", help="also every condition left out")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    dtype = getattr(torch, options.dtype) if options.dtype else best_dtype(device)
    pipeline = PartDiTPipeline.load(options.weights, dtype).to(device)
    pipeline.set_progress_bar_config(disable=True)  # type: ignore[no-untyped-call]
    judge = Judge(pipeline, options.objects, POINTS, QUERIES)
    report: dict[str, float | str] = {"dtype": str(dtype).removeprefix("torch.")}
    report |= {f"seconds_{count}_parts": value for count, value in seconds(judge, options).items()}
    report |= judge.full() if options.full else judge.quick(options.steps, options.guidance)
    print(json.dumps(report, indent=2))


def seconds(judge: Judge, options: argparse.Namespace) -> dict[int, float]:
    """Median seconds of a whole request for each count of parts."""
    taken: dict[int, float] = {}
    for group in judge.groups:
        times = []
        for index, picture in enumerate(group.object_images):
            own = slice(index * group.count, (index + 1) * group.count)
            start = time.monotonic()
            judge.pipeline(
                picture, group.part_images[own], group.parents[own], group.planned[own],
                num_inference_steps=options.steps, guidance_scale=options.guidance, resolution=options.resolution,
            )  # fmt: skip
            times.append(time.monotonic() - start)
        taken[group.count] = round(statistics.median(times), 2)
    return taken


if __name__ == "__main__":
    main()
