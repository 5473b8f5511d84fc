"""Pictures a second of the renderer, eager against one Triton kernel for rays: `python -m training.bench_render`."""

from __future__ import annotations

import time
from typing import Annotated

import numpy as np
import torch
import typer

from training.camera import sample_cameras
from training.draw import Split
from training.library import build_library
from training.render import Background, render
from training.scene import Scene

app = typer.Typer(add_completion=False)


@app.command()
def main(
    objects: int = 256,
    processes: int = 1,
    batch: int = 64,
    sizes: Annotated[list[int] | None, typer.Option()] = None,
    samples: Annotated[list[int] | None, typer.Option()] = None,
    backgrounds: Annotated[list[Background] | None, typer.Option()] = None,
    seconds: float = 5.0,
    device: str = "cuda" if torch.cuda.is_available() else "cpu",
) -> None:
    """Print a table of sizes and samples.

    Args:
        batch: objects a call.
        seconds: that each way of each row is timed, after warming up.
    """
    library = build_library(range(objects), Split.TRAIN, processes).to(device)
    rng, generator = np.random.default_rng(0), torch.Generator(device).manual_seed(0)
    batches = []
    for _ in range(4):
        rows = library.similar(batch, torch.Generator().manual_seed(0))
        halves = library.half_extent[rows.to(device)].double().cpu().numpy()
        cameras = torch.as_tensor(sample_cameras(rng, Split.TRAIN, halves), dtype=torch.float32, device=device)
        batches.append((library.scene(rows), cameras))
    print(f"{device}, {batch} objects a call, up to {batches[0][0].owner.shape[1]} solids each")
    print(f"{'background':>10} {'size':>5} {'samples':>7} {'warm-up s':>9} {'eager/s':>9} {'fused/s':>10} {'ratio':>6}")
    for background in backgrounds or list(Background):
        for size in sizes or [128, 192, 320]:
            for rays in samples or [1, 2]:
                slow, _ = rate(batches, size, background, rays, generator, seconds, fused=False)
                fast, warm = rate(batches, size, background, rays, generator, seconds, fused=True)
                print(
                    f"{background.value:>10} {size:5d} {rays:7d} {warm:9.1f} {slow:9.1f} {fast:10.1f}"
                    f" {fast / slow:6.1f}",
                    flush=True,
                )


def rate(
    batches: list[tuple[Scene, torch.Tensor]],
    size: int,
    background: Background,
    samples: int,
    generator: torch.Generator,
    seconds: float,
    *,
    fused: bool,
) -> tuple[float, float]:
    """Pictures a second, and seconds that the first call took."""

    def once(scene: Scene, cameras: torch.Tensor) -> int:
        closed = torch.zeros_like(scene.joint_upper)
        render(scene, cameras, closed, scene.link_valid, size, background, generator, samples=samples, fused=fused)
        if scene.device.type == "cuda":
            torch.cuda.synchronize()
        return len(scene)

    start = time.perf_counter()
    once(*batches[0])
    warm = time.perf_counter() - start
    start, done = time.perf_counter(), 0
    while done == 0 or time.perf_counter() - start < seconds:
        done += once(*batches[done // len(batches[0][1]) % len(batches)])
    return done / (time.perf_counter() - start), warm


if __name__ == "__main__":
    app()
