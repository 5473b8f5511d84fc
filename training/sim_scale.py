"""A simulated day of the chart's autoscaling beside fixed replicas: latency, GPU hours, cold starts.

    make sim-scale PEAK=2000
    python -m training.sim_scale --peak 2000 --hardware cpu --values mine.yaml

Reconstructions arrive at random (Poisson), few at night and `--peak` an hour at noon, and pass the six stages with the
measured times of `training/stage_times.toml`. Replicas, thresholds and waits are those of the rendered chart. Left out:
nodes that must come first, requests that fail, and calls that find a busy replica although another one is free.
"""

from __future__ import annotations

import math
import tomllib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import simpy
import typer
from rich.console import Console
from rich.table import Table

from training.scale_autoscaler import Autoscaler
from training.scale_chart import CHART, Scaling, scalings
from training.scale_pools import Gateways, Pool, Process, Task

TIMES = Path(__file__).with_name("stage_times.toml")
SERVER = {
    "plan": "vlm", "guide": "vlm", "shape": "part_dit", "texture": "texture", "refine": "refinement",
    "package": "gateway",
}  # fmt: skip
DAY_SECONDS = 24 * 3600
SCRAPE_SECONDS = 15
WINDOW_SECONDS = 60
"""What the queries of the model servers average over."""
BUSY = 0.8
"""How much of fixed replicas' time is planned with."""

Steps = Sequence[tuple[str, float]]
"""Components that a reconstruction passes, and its seconds there."""


class NotMeasured(ValueError):
    """There are no stage times for this hardware."""


@dataclass(frozen=True)
class Hardware:
    """Medians of the stages [s], and how long a replica of each component takes to start [s]."""

    stages: Mapping[str, float]
    cold_starts: Mapping[str, float]


@dataclass(frozen=True)
class Outcome:
    """What a policy made of a day.

    Attributes:
        latencies: from request to asset, of every reconstruction in the order of arrival [s].
        replica_hours: by component.
        gpu_hours: of all replicas.
        cold_starts: replicas that came in the course of the day.
    """

    latencies: tuple[float, ...]
    replica_hours: Mapping[str, float]
    gpu_hours: float
    cold_starts: int


def hardware(name: str, path: Path = TIMES) -> Hardware:
    """A table of the data file.

    Raises:
        NotMeasured: there is none of that name, or it has no stage times.
    """
    tables = tomllib.loads(path.read_text())
    if name not in tables:
        raise NotMeasured(f"{path.name} has no table {name}; it has {', '.join(tables)}")
    stages = tables[name].get("stages", {})
    if missing := SERVER.keys() - stages.keys():
        raise NotMeasured(f"{path.name}: {name}.stages lacks {', '.join(sorted(missing))}")
    return Hardware(stages, tables[name]["cold_starts"])


def day(peak: float, trough: float, seconds: float, rng: np.random.Generator) -> list[float]:
    """Times of arrival [s]: a Poisson process whose rate swings between `trough` and `peak` an hour once a day."""
    count = rng.poisson(peak / 3600 * seconds)
    times = np.sort(rng.uniform(0, seconds, count))
    swing = (1 - np.cos(2 * np.pi * times / DAY_SECONDS)) / 2
    kept = rng.uniform(0, peak, count) < trough + (peak - trough) * swing
    return [float(time) for time in times[kept]]


def works(count: int, stages: Mapping[str, float], spread: float, rng: np.random.Generator) -> list[Steps]:
    """The steps of each reconstruction: times around the medians, their logarithms with a deviation of `spread`."""
    factors = np.exp(spread * rng.standard_normal((count, len(stages))))
    return [
        [(SERVER[stage], seconds * float(factor)) for (stage, seconds), factor in zip(stages.items(), row, strict=True)]
        for row in factors
    ]


def simulate(
    arrivals: Sequence[float],
    work: Sequence[Steps],
    components: Mapping[str, Scaling],
    cold_starts: Mapping[str, float],
    fixed: Mapping[str, int] | None = None,
) -> Outcome:
    """Let reconstructions arrive and wait until the last one is done.

    Args:
        arrivals: times [s], in order.
        work: of each, what it needs.
        components: as the chart scales them.
        cold_starts: by component [s].
        fixed: replicas by component; None to let the chart scale.
    """
    env = simpy.Environment()
    pools: dict[str, Pool] = {
        name: (Gateways if name == "gateway" else Pool)(env, one.places, cold_starts[name])
        for name, one in components.items()
    }
    for name, pool in pools.items():
        pool.start(components[name].fewest if fixed is None else fixed[name])
        if fixed is None:
            demand = _now(pool) if name == "gateway" else _averaged(env, pool)
            env.process(Autoscaler(components[name], demand).run(pool))
    latencies = [math.nan] * len(arrivals)

    def reconstruction(number: int) -> Process:
        steps = deque((pools[component], seconds) for component, seconds in work[number])
        task = Task(env.event(), env.now, steps=steps)
        pools["gateway"].put(task)
        yield task.done
        latencies[number] = env.now - arrivals[number]

    def arrive() -> Process:
        begun = []
        for number, time in enumerate(arrivals):
            yield env.timeout(time - env.now)
            begun.append(env.process(reconstruction(number)))
        yield simpy.AllOf(env, begun)

    env.run(until=env.process(arrive()))
    hours = {name: pool.paid() / 3600 for name, pool in pools.items()}
    return Outcome(
        latencies=tuple(latencies),
        replica_hours=hours,
        gpu_hours=sum(hours[name] * components[name].gpus for name in components),
        cold_starts=sum(pool.cold_starts for pool in pools.values()),
    )


def _now(pool: Pool) -> Callable[[], float]:
    return lambda: pool.pending


def _averaged(env: simpy.Environment, pool: Pool) -> Callable[[], float]:
    """The mean of what Prometheus has read in the last minute."""
    read: deque[int] = deque([0], maxlen=WINDOW_SECONDS // SCRAPE_SECONDS)

    def scrape() -> Process:
        while True:
            read.append(pool.pending)
            yield env.timeout(SCRAPE_SECONDS)

    env.process(scrape())
    return lambda: sum(read) / len(read)


def replicas_for(rate: float, stages: Mapping[str, float], components: Mapping[str, Scaling]) -> dict[str, int]:
    """Fixed replicas that are busy four fifths of their time at a rate [1/s]; a gateway packages one at a time."""
    seconds = {name: sum(stages[stage] for stage in stages if SERVER[stage] == name) for name in components}
    held = sum(stages.values()) / components["gateway"].places
    return {
        name: max(1, math.ceil(rate * (max(needed, held) if name == "gateway" else needed) / BUSY))
        for name, needed in seconds.items()
    }


def main(
    peak: Annotated[float, typer.Option(help="reconstructions an hour at noon")] = 2000,
    trough: Annotated[float, typer.Option(help="share of that at midnight")] = 0.05,
    hours: Annotated[float, typer.Option(help="simulated time")] = 24,
    hardware_name: Annotated[str, typer.Option("--hardware", help="table of training/stage_times.toml")] = "cpu",
    values: Annotated[list[Path] | None, typer.Option(help="files of values; default: production")] = None,
    spread: Annotated[float, typer.Option(help="deviation of the logarithm of stage times")] = 0.25,
    seed: int = 7,
) -> None:
    """Print what autoscaling and fixed replicas make of the same day."""
    components = scalings(values or [CHART / "values-production.yaml"])
    measured = hardware(hardware_name)
    rng = np.random.default_rng(seed)
    arrivals = day(peak, peak * trough, hours * 3600, rng)
    work = works(len(arrivals), measured.stages, spread, rng)
    mean = len(arrivals) / (hours * 3600)
    policies = {
        "autoscaled": None,
        "fixed for the peak": replicas_for(peak / 3600, measured.stages, components),
        "fixed for the mean": replicas_for(mean, measured.stages, components),
    }
    table = Table(
        title=f"{len(arrivals)} reconstructions in {hours:g} h, up to {peak:g} an hour, stage times of {hardware_name}"
    )
    for column in ("policy", "p50 s", "p95 s", "p99 s", "GPU h", "gateway h", "cold starts", "replicas"):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for name, fixed in policies.items():
        outcome = simulate(arrivals, work, components, measured.cold_starts, fixed)
        table.add_row(
            name,
            *(f"{np.quantile(outcome.latencies, level):.0f}" for level in (0.5, 0.95, 0.99)),
            f"{outcome.gpu_hours:.0f}",
            f"{outcome.replica_hours['gateway']:.0f}",
            str(outcome.cold_starts),
            " ".join(f"{count}" for count in fixed.values()) if fixed else "by demand",
        )
    console = Console(width=110)
    console.print(table)
    console.print(f"stage times: {hardware_name}; replicas: {', '.join(components)}; seed {seed}")


if __name__ == "__main__":
    typer.run(main)
