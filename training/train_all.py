"""Train the compact family side by side, one accelerator a model where there are enough of them.

    python -m training.train_all --state STATE --export MODELS --seconds 1200

The part DiT learns on the latents of the part VAE, so those two run one after the other; the rest is independent. A
model's failure leaves the others running and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Run:
    """One training program.

    Attributes:
        name: `training.train_NAME`.
        share: of the total time, in (0, 1].
        objects: training objects.
    """

    name: str
    share: float
    objects: int


QUEUES = (
    (Run("vae", 0.15, 25_000), Run("part_dit", 0.85, 80_000)),
    (Run("vlm", 1.0, 80_000),),
    (Run("editor", 1.0, 30_000),),
    (Run("texture", 0.5, 12_000),),
)
"""Each queue is worked off in order; queue i uses accelerator i modulo their number."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True, help="checkpoints, curves and logs; continued if there")
    parser.add_argument("--export", type=Path, required=True, help="the `models` folder to write")
    parser.add_argument("--seconds", type=float, required=True, help="time of the whole family, data included")
    parser.add_argument("--objects-scale", type=float, default=1.0, help="fraction of the usual number of objects")
    arguments = parser.parse_args()
    devices = [f"cuda:{i}" for i in range(torch.cuda.device_count())] or ["cpu"]
    arguments.state.mkdir(parents=True, exist_ok=True)
    failures: list[str] = []
    workers = [
        threading.Thread(target=_work, args=(queue, devices[i % len(devices)], arguments, failures))
        for i, queue in enumerate(QUEUES)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        sys.exit(f"failed: {', '.join(failures)}")


def _work(queue: tuple[Run, ...], device: str, arguments: argparse.Namespace, failures: list[str]) -> None:
    for run in queue:
        seconds = run.share * arguments.seconds
        command = [sys.executable, "-m", f"training.train_{run.name}", f"--device={device}"]
        command += [f"--state={arguments.state}", f"--export={export_folder(arguments.export, run.name)}"]
        command += [f"--run-seconds={seconds}", f"--total-seconds={seconds}"]
        command += [f"--objects={max(1, int(run.objects * arguments.objects_scale))}"]
        start = time.monotonic()
        with (arguments.state / f"{run.name}.log").open("ab") as log:
            code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
        print(f"{run.name}: exit {code} after {time.monotonic() - start:.0f} s", flush=True)
        if code:
            failures.append(run.name)
            return


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
