"""Stage times of the local ensemble on the sample images, the gateway's own time, and the memory of all processes.

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

EXAMPLES = MODELS.parent / "examples"
MEMORY_PERIOD_SECONDS = 0.5

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
) -> None:
    """Reconstruct every sample image and print where the time goes."""
    ensemble = Ensemble(home, MODELS)
    if ensemble.gateway is None:
        raise typer.BadParameter("no ensemble serves; start one with `spark up`", param_hint="--home")
    memory = PeakMemory([member.record.pid for member in ensemble.members() if member.record])
    memory.start()
    rows: dict[str, dict[str, float]] = {}
    images = sorted(examples.glob("*.png"))
    with SparkClient(ensemble.gateway) as client:
        for number, image in enumerate([images[0], *images]):
            start = time.monotonic()
            # A seed of its own: the same image and seed would come from the finished stages' artifacts.
            done = client.result(client.create(image.read_bytes(), seed=time.time_ns() % 2**31))
            wall = time.monotonic() - start
            seconds = {stage_word(s.stage): s.duration.ToMilliseconds() / 1000 for s in done.stages}
            if number:
                parts = {"parts": float(len(done.plan.parts))}
                rows[image.stem] = {**parts, **seconds, "stages": sum(seconds.values()), "wall": wall}
    memory.stop()
    columns = list(next(iter(rows.values())))
    table = Table("image", *columns, title=f"seconds; {os.cpu_count()} cores, {platform.machine()}")
    for name, row in rows.items():
        table.add_row(name, *(f"{row[column]:.1f}" for column in columns))
    medians = {column: statistics.median(row[column] for row in rows.values()) for column in columns}
    table.add_row("median", *(f"{medians[column]:.1f}" for column in columns), style="bold")
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    own = statistics.median((row["wall"] - row["stages"]) / row["stages"] for row in rows.values())
    console.print(f"gateway's own time: {own:.1%} of the stages' (aim: under 3 %)")
    console.print(f"memory of all processes: {memory.peak / 2**30:.2f} GiB at the peak (aim: under 8)")


if __name__ == "__main__":
    app()
