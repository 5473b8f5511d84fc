"""How the running service does on pictures from outside: the kitchen of others, and the path-traced furniture.

    spark up
    python -m training.outside.evaluate --out out/outside

A report, and nothing else: no weight or setting is ever chosen by these pictures. The labels are plans, so joints and
trees are scored, with parts matched by their boxes; shapes have no truth here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

from articulation.metrics import articulation_scores, match_parts, sample_surface
from articulation.plan import Plan
from articulation.typing import ImageArray
from client.cli import DEFAULT_HOME, MODELS
from client.errors import ClientError
from client.local.ensemble import Ensemble
from client.sdk import SparkClient
from spark.v1 import reconstruction_service_pb2 as pb
from training.eval_run import Run
from training.outside.labels import Labelled, load
from training.scoring import MATCH_POINTS, Scores, box_mesh, joint_summary, tree_summary

SETS = {"kitchen": Path("examples/kitchen"), "traced": Path("examples/outside")}
PICTURE = 256
HEADING = "| picture | answer | part count | joints right | confidence |\n| --- | --- | --- | --- | --- |\n"

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the service made of one picture: scores, or the error that it answered."""

    subject: Labelled
    scores: Scores | None = None
    confidence: float = 0.0
    error: str = ""
    preview: ImageArray | None = None

    def line(self) -> str:
        if self.scores is None:
            return f"| {self.subject.name} | {self.error} | | | |"
        right = sum(joint.success for joint in self.scores.joints)
        parts = "right" if self.scores.part_count_right else "wrong"
        return (
            f"| {self.subject.name} | asset | {parts} | {right} of {len(self.scores.joints)} | {self.confidence:.2f} |"
        )


def score(label: Plan, plan: Plan) -> Scores:
    """Joints and tree of a plan against a label."""
    rng = np.random.default_rng(0)
    guess, truth = (
        [sample_surface(box_mesh(part.box), MATCH_POINTS, rng) for part in one.parts] for one in (plan, label)
    )
    tree = articulation_scores(plan.articulation(), label.articulation(), match_parts(guess, truth))
    return Scores(None, None, tree.joints, tree.tree_accuracy, tree.part_count_right, ())


def reconstruct(client: SparkClient, subject: Labelled) -> Outcome:
    """Send one picture through the whole service."""
    try:
        run = Run.fetch(client, subject.picture, 0, pb.STAGE_PACKAGE, pb.QUALITY_STANDARD)
    except ClientError as error:
        return Outcome(subject, error=error.reason or error.code)
    plan = run.plan()
    return Outcome(subject, score(subject.plan, plan), plan.confidence, preview=run.picture("asset/preview.png"))


def report(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures of one set."""
    scores = [one.scores for one in outcomes if one.scores]
    return {
        "n": len(outcomes),
        "coverage": len(scores) / len(outcomes),
        **(joint_summary(scores) | tree_summary(scores) if scores else {}),
    }


def montage(outcomes: Sequence[Outcome]) -> ImageArray:
    """A row a picture: the input, and the asset closed and opened where there is one."""
    rows = []
    for one in outcomes:
        tiles = [_square(_picture(one.subject))]
        side = 0 if one.preview is None else one.preview.shape[0]
        for place in (1, 2):
            tile = None if one.preview is None else one.preview[:, place * side : (place + 1) * side]
            tiles.append(np.full((PICTURE, PICTURE, 3), 255, np.uint8) if tile is None else _square(tile))
        rows.append(np.concatenate(tiles, axis=1))
    return np.concatenate(rows)


def _picture(subject: Labelled) -> ImageArray:
    return np.asarray(Image.open(io.BytesIO(subject.picture)).convert("RGB"))


def _square(picture: ImageArray) -> ImageArray:
    return np.asarray(Image.fromarray(picture).resize((PICTURE, PICTURE)))


@app.command()
def main(
    out: Path = Path("out/outside"),
    server: Annotated[
        str | None, typer.Option(envvar="SPARK_SERVER", help="Gateway address; default: the local ensemble.")
    ] = None,
    home: Annotated[Path, typer.Option(envvar="SPARK_HOME", help="Home of the local ensemble.")] = DEFAULT_HOME,
) -> None:
    """Reconstruct every labelled picture and write report.json, report.md and a montage a set."""
    address = server or Ensemble(home, MODELS).gateway
    if address is None:
        raise typer.BadParameter("no local ensemble serves; start one with `spark up`", param_hint="--server")
    out.mkdir(parents=True, exist_ok=True)
    figures, pages = {}, ["# Pictures from outside"]
    with SparkClient(address) as client:
        for name, folder in SETS.items():
            outcomes = []
            for subject in load(folder):
                outcomes.append(reconstruct(client, subject))
                typer.echo(outcomes[-1].line(), err=True)
            figures[name] = report(outcomes)
            Image.fromarray(montage(outcomes)).save(out / f"{name}.jpg", quality=85)
            rows = [f"| {key} | {value:.4g} |" for key, value in figures[name].items() if value is not None]
            pages += [f"## {name}", "| metric | value |\n| --- | --- |\n" + "\n".join(rows)]
            pages += [HEADING + "\n".join(one.line() for one in outcomes)]
    (out / "report.json").write_text(json.dumps(figures, indent=2) + "\n")
    (out / "report.md").write_text("\n\n".join(pages) + "\n")
    typer.echo(out / "report.md")


if __name__ == "__main__":
    app()
