"""What the confidences of refined joints are worth: their expected calibration error on validation objects.

    spark up
    python -m training.bench_refine_confidence --count 60 --seed 101

Each object's reconstruction is refined as the service does it, from the plan that its models made. A joint is right as
in the evaluation: type, axis and line. Reconstructions are taken from `--cases`, a folder of `training.evaluate` with
the same seed, and made through the gateway where it lacks them. Nothing is fitted here: what a plan's confidence is
worth is fitted by `training.vlm_calibrate`, on other objects. `--jobs` processes share the work.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from client.cli import DEFAULT_HOME, MODELS
from client.local.ensemble import Ensemble
from services.refinement import job
from services.refinement.schedule import Schedule
from services.refinement.settings import RefinementSettings
from spark.convert import plan_from_proto
from training.bench_refine import reconstruction
from training.draw import Split
from training.eval_case import CaseFolder, Subject
from training.eval_run import Run, connected
from training.eval_summary import calibration
from training.evaluation_report import reliability_table
from training.jobs import results
from training.refine_cases import own_request
from training.scoring import Belief, Result, Truth, match, score

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Beliefs:
    """Of the planned parts of one object that move, before and after refinement.

    Attributes:
        planned: by the plan stage.
        refined: by the refine stage.
    """

    planned: tuple[Belief, ...]
    refined: tuple[Belief, ...]

    @classmethod
    def of(cls, subject: Subject, run: Run) -> Beliefs:
        """Refine a run's plan with its meshes and pictures."""
        plan, truth = run.plan("shape"), Truth.of(subject.spec)
        *_, last = job.responses(own_request(plan, run), RefinementSettings(), Schedule())
        result = Result(plan, run.meshes())
        matched = match(truth, result)
        refined = replace(result, plan=plan_from_proto(last.result.plan))
        return cls(score(truth, result, matched).beliefs, score(truth, refined, matched).beliefs)


def beliefs(subject: Subject, cases: Path, address: str | None) -> Beliefs | None:
    """Of the subject's reconstruction, made by the gateway at `address` where it is not stored; None without one."""
    with connected(address) as client:
        run = reconstruction(subject, CaseFolder(cases), client)
    return Beliefs.of(subject, run) if run else None


def report(found: Sequence[Beliefs]) -> dict[str, dict[str, Any]]:
    """Expected calibration error and reliability table, before and after."""
    return {
        "planned": calibration([belief for one in found for belief in one.planned]),
        "refined": calibration([belief for one in found for belief in one.refined]),
    }


def page(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The report as Markdown."""
    lines: list[str] = []
    for name, of in figures.items():
        lines += [*reliability_table(f"{name} joints", of), ""]
    for name, of in figures.items():
        error = "none" if of["expected_calibration_error"] is None else f"{of['expected_calibration_error']:.3f}"
        lines.append(f"Expected calibration error over {of['n']} {name} joints: {error}.")
    return "\n".join(lines)


@app.command()
def main(
    count: int = 60,
    seed: int = 101,
    out: Path = Path("out/confidence"),
    cases: Annotated[Path, typer.Option(help="Reconstructions of the same objects.")] = Path("out/val/cases"),
    home: Annotated[Path, typer.Option(envvar="SPARK_HOME", help="Home of the local ensemble.")] = DEFAULT_HOME,
    jobs: Annotated[int, typer.Option(min=1, help="Processes, each with one thread.")] = 1,
) -> None:
    """Refine reconstructions of validation objects, and print how far the confidences of their joints are off."""
    subjects = [Subject.draw(Split.VAL, seed, index) for index in range(count)]
    believe = partial(beliefs, cases=cases, address=Ensemble(home, MODELS).gateway)
    found: list[Beliefs] = []
    for number, (subject, one) in enumerate(zip(subjects, results(believe, subjects, jobs), strict=True), 1):
        what = "no reconstruction"
        if one:
            found.append(one)
            what = f"{sum(belief.right for belief in one.refined)} of {len(one.refined)} joints right"
        typer.echo(f"{number}/{count} {subject.name}: {what}", err=True)
    figures = report(found)
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(figures, indent=2) + "\n")
    typer.echo(page(figures))


if __name__ == "__main__":
    app()
