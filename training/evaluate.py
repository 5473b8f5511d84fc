"""Evaluate the service on the test split.

    spark up
    python -m training.evaluate --count 100 --seed 7 --out out/eval

Photographs of test objects go through the public API, as anybody's images do; what comes back is scored against the
objects (`training/scoring.py`), beside the mean shape of each category (`training/baseline.py`). Writes `report.json`,
`report.md` and its pictures.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from articulation.asset import Mesh
from articulation.files import png
from articulation.typing import ImageArray
from client.cli import DEFAULT_HOME, MODELS
from client.errors import ClientError
from client.local.ensemble import Ensemble
from client.sdk import SparkClient
from gateway.meshes import read_glb
from spark.convert import plan_from_proto
from spark.v1 import reconstruction_service_pb2 as pb
from training.baseline import baseline_scores
from training.draw import Split
from training.evaluation_report import Case, write_report
from training.objects import CATEGORIES, ObjectSpec, generate
from training.preview import photograph
from training.scoring import Result, score

IMAGE_SIZE = 512
SEED_STRIDE = 1_000_000
"""Test objects of one evaluation seed lie this far from the next one's."""
STAGES = {name.removeprefix("STAGE_").lower(): number for name, number in pb.Stage.items() if number}

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Answer:
    """What came back for one image: a result, or the error's code and message; and the asset's preview, if any."""

    result: Result | None
    error: str = ""
    preview: ImageArray | None = None


def held_out_objects(count: int, seed: int, split: Split = Split.TEST) -> list[ObjectSpec]:
    """`count` objects of a split, the categories in turn."""
    return [generate(seed * SEED_STRIDE + index, split, CATEGORIES[index % len(CATEGORIES)]) for index in range(count)]


def reconstruct(client: SparkClient, image: ImageArray, seed: int, last_stage: int) -> Answer:
    """Send one image through the service and fetch what scoring needs."""
    try:
        done = client.result(client.create(png(image), seed=seed, last_stage=last_stage))
        return read_answer(client, done)
    except ClientError as error:
        return Answer(None, f"{error.code} {error.reason}: {error}".strip())


def read_answer(client: SparkClient, done: pb.Reconstruction) -> Answer:
    """The plan, the part meshes and the preview of a finished reconstruction."""
    files = {artifact.path: artifact.digest for stage in done.stages for artifact in stage.artifacts}
    plan = plan_from_proto(done.plan)
    paths = [f"shape/parts/{part.name}.glb" for part in plan.parts]
    meshes = tuple(Mesh(*read_glb(client.download(files[path]))) for path in paths if path in files)
    seconds = sum(stage.duration.ToMilliseconds() for stage in done.stages) / 1000
    preview = None
    if "asset/preview.png" in files:
        data = client.download(files["asset/preview.png"])
        preview = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    return Answer(Result(plan, meshes, seconds), preview=preview)


def evaluate(
    client: SparkClient, specs: Sequence[ObjectSpec], seed: int, last_stage: int, split: Split, parallel: int = 1
) -> list[Case]:
    """Photograph, reconstruct and score each object, `parallel` of them at a time."""

    def one(numbered: tuple[int, ObjectSpec]) -> Case:
        index, spec = numbered
        image = photograph(spec, split, IMAGE_SIZE, seed * SEED_STRIDE + index)
        answer = reconstruct(client, image, seed, last_stage)
        scores = score(spec, answer.result) if answer.result else None
        case = Case(index, spec, image, scores, answer.error, answer.preview)
        typer.echo(f"{index + 1}/{len(specs)} {spec.category}: {case.line()}", err=True)
        return case

    with ThreadPoolExecutor(parallel) as pool:
        return list(pool.map(one, enumerate(specs)))


@app.command()
def main(
    count: int = 100,
    seed: int = 7,
    out: Path = Path("out/eval"),
    server: Annotated[
        str | None, typer.Option(envvar="SPARK_SERVER", help="Gateway address; default: the local ensemble.")
    ] = None,
    home: Annotated[Path, typer.Option(envvar="SPARK_HOME", help="Home of the local ensemble.")] = DEFAULT_HOME,
    last_stage: Annotated[str, typer.Option(help=f"Stop after one of: {', '.join(STAGES)}.")] = "package",
    split: Annotated[Split, typer.Option(help="`val` to develop on; `test` only to report.")] = Split.TEST,
    parallel: Annotated[int, typer.Option(help="Reconstructions in flight; the gateway may queue them.")] = 1,
    baseline_objects: Annotated[int, typer.Option(help="Training objects in each mean shape.")] = 64,
) -> None:
    """Evaluate the service at an address on generated objects that training never saw."""
    if last_stage not in STAGES:
        raise typer.BadParameter(f"must be one of {', '.join(STAGES)}", param_hint="--last-stage")
    address = server or Ensemble(home, MODELS).gateway
    if address is None:
        raise typer.BadParameter("no local ensemble serves; start one with `spark up`", param_hint="--server")
    specs = held_out_objects(count, seed, split)
    with SparkClient(address) as client:
        cases = evaluate(client, specs, seed, STAGES[last_stage], split, parallel)
    baseline = [asdict(one) for one in baseline_scores(specs, baseline_objects)]
    means = {name: float(np.mean([one[name] for one in baseline])) for name in baseline[0]}
    asked = {"split": split.value, "count": count, "seed": seed, "last_stage": last_stage}
    report = write_report(out, cases, means, asked)
    typer.echo(report.read_text())
    sys.exit(0 if any(case.scores for case in cases) else 1)


if __name__ == "__main__":
    app()
