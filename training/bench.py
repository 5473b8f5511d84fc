"""Stage times of the local ensemble on the sample images by preset, the gateway's own time, and the memory it takes.

    spark up
    python -m training.bench

The first image warms the services up and is not counted. The gateway's own time is the wall time of the whole job less
the sum of its stages' times.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from client.cli import DEFAULT_HOME, MODELS
from client.local.ensemble import Ensemble
from client.progress import stage_word
from client.sdk import SparkClient
from spark.v1 import reconstruction_service_pb2 as pb

EXAMPLES = MODELS.parent / "examples"
MEMORY_PERIOD_SECONDS = 0.5

Row = dict[str, float]

app = typer.Typer(add_completion=False)


class PeakMemory(threading.Thread):
    """Samples the proportional set size of process trees; `peak` [bytes] after `stop`."""

    def __init__(self, pids: list[int]) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._roots = [psutil.Process(pid) for pid in pids]
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(MEMORY_PERIOD_SECONDS):
            total = 0
            for process in [p for root in self._roots for p in (root, *root.children(recursive=True))]:
                try:
                    total += process.memory_full_info().pss
                except psutil.NoSuchProcess:
                    continue
            self.peak = max(self.peak, total)

    def stop(self) -> None:
        self._stopped.set()
        self.join()


@app.command()
def main(
    examples: Annotated[Path, typer.Option(help="Folder of PNG images.")] = EXAMPLES,
    home: Annotated[Path, typer.Option(envvar="SPARK_HOME", help="Home of the running ensemble.")] = DEFAULT_HOME,
    quality: Annotated[list[str], typer.Option(help="Presets, one table each.")] = ["draft", "standard"],  # noqa: B006
) -> None:
    """Reconstruct every sample image at every preset and print where the time goes."""
    ensemble = Ensemble(home, MODELS)
    if ensemble.gateway is None:
        raise typer.BadParameter("no ensemble serves; start one with `spark up`", param_hint="--home")
    memory = PeakMemory([member.record.pid for member in ensemble.members() if member.record])
    memory.start()
    console = Console(width=None if sys.stdout.isatty() else 120)
    images = sorted(examples.glob("*.png"))
    rows: dict[str, dict[str, Row]] = {}
    with SparkClient(ensemble.gateway) as client:
        timed(client, images[0], pb.QUALITY_DRAFT)
        for preset in quality:
            number = pb.Quality.Value(f"QUALITY_{preset.upper()}")
            rows[preset] = {image.stem: timed(client, image, number) for image in images}
            console.print(table(preset, rows[preset]))
    memory.stop()
    every = [row for of in rows.values() for row in of.values()]
    own = statistics.median((row["wall"] - row["stages"]) / row["stages"] for row in every)
    console.print(f"gateway's own time: {own:.1%} of the stages' (aim: under 3 %)")
    console.print(f"memory of all processes: {memory.peak / 2**30:.2f} GiB at the peak (aim: under 6)")


def timed(client: SparkClient, image: Path, quality: int) -> Row:
    """Seconds of each stage, of all, and of the whole job, beside the number of parts."""
    start = time.monotonic()
    # A seed of its own: the same image and seed would come from the finished stages' artifacts.
    done = client.result(client.create(image.read_bytes(), seed=time.time_ns() % 2**31, quality=quality))
    wall = time.monotonic() - start
    seconds = {stage_word(s.stage): s.duration.ToMilliseconds() / 1000 for s in done.stages}
    return {"parts": float(len(done.plan.parts)), **seconds, "stages": sum(seconds.values()), "wall": wall}


def table(preset: str, rows: dict[str, Row]) -> Table:
    """One row an image, and the medians."""
    columns = list(next(iter(rows.values())))
    out = Table("image", *columns, title=f"{preset}: seconds; {os.cpu_count()} cores, {platform.machine()}")
    for name, row in rows.items():
        out.add_row(name, *(f"{row[column]:.1f}" for column in columns))
    medians = (statistics.median(row[column] for row in rows.values()) for column in columns)
    out.add_row("p50", *(f"{value:.1f}" for value in medians), style="bold")
    return out


if __name__ == "__main__":
    app()
