"""Train the compact family side by side on the accelerators that there are.

    python -m training.train_all --state STATE --export MODELS --seconds 1200

The objects are generated once, for all models. The part DiT learns on the latents of the part VAE, and the texture
network from the pictures that the editor paints, so those run one after the other; the rest is independent. A model's
failure stops what builds on it, leaves the others running and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from training.curves import thin
from training.draw import Split
from training.library import cached_library

OBJECTS = 400_000
"""Training objects of the shared library."""

PROCESSES_KEPT_FREE = 4
"""Cores left to the main process and the system while objects are generated."""


@dataclass(frozen=True)
class Run:
    """One training program.

    Attributes:
        name: `training.train_NAME`.
        share: of the total time, in (0, 1].
        accelerators: which ones, counted from 0, modulo their number; several train together.
    """

    name: str
    share: float
    accelerators: tuple[int, ...]


QUEUES = (
    (Run("vae", 0.14, (1,)), Run("part_dit", 0.86, (1,))),
    (Run("vlm", 1.0, (0, 2)),),
    (Run("editor", 0.55, (3,)), Run("texture", 0.45, (3,))),
)
"""Each queue is worked off in order, and all queues side by side. Of two accelerators the plan model has one alone: it
is the largest, and what it misses no other model brings back."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True, help="checkpoints, curves and logs; continued if there")
    parser.add_argument("--export", type=Path, required=True, help="the `models` folder to write")
    parser.add_argument("--seconds", type=float, required=True, help="time of the whole family, data included")
    parser.add_argument("--objects", type=int, default=OBJECTS, help="in the shared library")
    parser.add_argument("--init", action="store_true", help="start from the weights that --export holds")
    parser.add_argument("--only", nargs="*", help="names of the models to train; default: all")
    arguments = parser.parse_args()
    start = time.monotonic()
    arguments.state.mkdir(parents=True, exist_ok=True)
    processes = max(1, (os.cpu_count() or 1) - PROCESSES_KEPT_FREE)
    library = arguments.state / "library.pt"
    objects = cached_library(library, range(arguments.objects), Split.TRAIN, processes, documents=True)
    print(f"{len(objects)} objects after {time.monotonic() - start:.0f} s", flush=True)
    del objects
    seconds = arguments.seconds - (time.monotonic() - start)
    failures: list[str] = []
    queues = [[run for run in queue if not arguments.only or run.name in arguments.only] for queue in QUEUES]
    workers = [threading.Thread(target=_work, args=(queue, seconds, arguments, failures)) for queue in queues]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        sys.exit(f"failed: {', '.join(failures)}")


def _work(queue: list[Run], seconds: float, arguments: argparse.Namespace, failures: list[str]) -> None:
    for run in queue:
        export = export_folder(arguments.export, run.name)
        command, devices = _command(run)
        command += _options(run, seconds, arguments)
        start = time.monotonic()
        with (arguments.state / f"{run.name}.log").open("ab") as log:
            code = subprocess.run(
                command, stdout=log, stderr=subprocess.STDOUT, check=False, env={**os.environ, **devices}
            ).returncode
        print(f"{run.name}: exit {code} after {time.monotonic() - start:.0f} s", flush=True)
        if code:
            failures.append(run.name)
            return
        thin(arguments.state / f"{run.name}-curve.jsonl", export / f"{run.name}-curve.jsonl")


def _options(run: Run, seconds: float, arguments: argparse.Namespace) -> list[str]:
    """What the program is told besides its device; `seconds` are the whole family's."""
    options = [f"--state={arguments.state}", f"--export={export_folder(arguments.export, run.name)}"]
    options += [f"--library={arguments.state / 'library.pt'}", f"--objects={arguments.objects}"]
    options += [f"--run-seconds={run.share * seconds}", f"--total-seconds={run.share * seconds}"]
    if run.name == "texture":
        options.append(f"--editor={export_folder(arguments.export, 'editor')}")
    return options + ["--init"] * arguments.init


def _command(run: Run) -> tuple[list[str], dict[str, str]]:
    """The program's command line and the accelerators that it sees, as environment variables."""
    program = ["-m", f"training.train_{run.name}"]
    present = torch.cuda.device_count()
    if not present:
        return [sys.executable, *program], {}
    chosen = sorted({index % present for index in run.accelerators})
    visible = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, chosen))}
    if len(chosen) == 1:
        return [sys.executable, *program, "--device=cuda:0"], visible
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = [f"--nproc-per-node={len(chosen)}", "--master-addr=127.0.0.1", f"--master-port={port}"]
    return [sys.executable, "-m", "torch.distributed.run", *launcher, *program, "--device=cuda"], visible


def export_folder(models: Path, name: str) -> Path:
    """Where a model's shippable folder lies in the `models` tree."""
    return (
        models
        / {
            "vae": "triton/part_dit/1/weights",
            "part_dit": "triton/part_dit/1/weights",
            "texture": "triton/texture/1/weights",
            "vlm": "vlm/compact-plan",
            "editor": "vlm/compact-edit",
        }[name]
    )


if __name__ == "__main__":
    main()
