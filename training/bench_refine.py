"""How much refinement repairs: joints of generated objects started wrong.

    spark up
    python -m training.bench_refine --count 200 --seed 7 --out out/refine

Every moving joint starts 20 degrees off in axis and 0.15 in origin, one in five with the wrong type; the camera and the
told openings are off as well. `ground_truth_shapes` refines the objects' own meshes against a true open picture,
`compact` what the service's models made of a photograph of the same object, `no_refinement` is the start of the former.
Writes `report.json`. Each object is stored under `OUT/objects` as soon as it is measured: the same command goes on
where it was broken off. Reconstructions are taken from `--cases`, a folder of `training.evaluate` with the same seed,
and made through the gateway where it lacks them; without a gateway, `compact` counts only those that are there.
`--jobs` processes share the work; CPU seconds are each object's own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from pydantic import TypeAdapter

from articulation.files import png
from client.cli import DEFAULT_HOME, MODELS
from client.errors import ClientError
from client.local.ensemble import Ensemble
from client.sdk import SparkClient
from services.refinement import job
from services.refinement.schedule import Schedule
from services.refinement.settings import RefinementSettings
from spark.convert import plan_from_proto
from spark.v1 import reconstruction_service_pb2 as pb
from training.draw import Split
from training.eval_case import CaseFolder, Subject
from training.eval_run import Run, connected
from training.evaluate import is_not_serving
from training.jobs import results
from training.refine_cases import CameraError, JointError, Trial, errors, with_own_shapes, with_true_shapes
from training.whole_file import written_whole

PAPER = "The paper, on its own data: axis 18.0 -> 9.0 degrees, pivot 0.239 -> 0.165, types right 0.80 -> 0.95 (means)."

Values = dict[str, float | int | None]

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Outcome:
    """One object before and after.

    Attributes:
        start: of the joints that are scored.
        end: the same joints.
        camera: before and after.
        seconds: CPU time of the refinement.
        missed: true joints whose part was not reconstructed; they are not scored.
    """

    start: tuple[JointError, ...]
    end: tuple[JointError, ...]
    camera: tuple[CameraError, CameraError]
    seconds: float
    missed: int

    def line(self) -> str:
        right = sum(error.type_right for error in self.end)
        axis = " ".join(f"{np.degrees(error.axis):.1f}" for error in self.end)
        origin = " ".join("-" if error.origin is None else f"{error.origin:.3f}" for error in self.end)
        return f"{right} of {len(self.end)} types, axis [deg] {axis}, origin {origin}, {self.seconds:.1f} s"


@dataclass(frozen=True)
class Refined:
    """What is stored of one object.

    Attributes:
        name: `Subject.name`.
        fingerprint: `Subject.fingerprint`, and the version of the refinement.
        true_shapes: with its own meshes.
        own_shapes: with reconstructed ones; None where there is no reconstruction.
    """

    name: str
    fingerprint: str
    true_shapes: Outcome
    own_shapes: Outcome | None


_REFINED = TypeAdapter(Refined)


@dataclass(frozen=True)
class Bench:
    """Refines one object after the other.

    Attributes:
        out: where outcomes are stored.
        cases: stored reconstructions.
        client: of the gateway that makes further ones; None for none.
    """

    out: Path
    cases: CaseFolder
    client: SparkClient | None = None

    def refined(self, subject: Subject) -> Refined:
        """Stored or measured, and stored before it returns.

        Raises:
            ClientError: the service is not there, or lacks a model.
        """
        path = self.out / "objects" / f"{subject.name}.json"
        fingerprint = f"{job.VERSION}-{subject.fingerprint()}"
        known = _REFINED.validate_json(path.read_bytes()) if path.exists() else None
        if known and known.fingerprint != fingerprint:
            known = None
        if known and known.own_shapes:
            return known
        run = reconstruction(subject, self.cases, self.client)
        if known and run is None:
            return known
        true_shapes = known.true_shapes if known else outcome(with_true_shapes(subject))
        own_shapes = outcome(with_own_shapes(subject, run)) if run else None
        found = Refined(subject.name, fingerprint, true_shapes, own_shapes)
        with written_whole(path) as part:
            part.write_bytes(_REFINED.dump_json(found, indent=1))
        return found


def reconstruction(subject: Subject, cases: CaseFolder, client: SparkClient | None) -> Run | None:
    """That of the subject's photograph; None where the service refuses it or is not asked.

    Args:
        subject: the object.
        cases: where reconstructions are stored.
        client: of the gateway that makes those that are missing; None for none.

    Raises:
        ClientError: the service is not there, or lacks a model.
    """
    stored = cases.run(subject)
    if stored is None and client:
        photo = png(subject.photograph())
        try:
            stored = Run.fetch(client, photo, subject.seed, pb.STAGE_SHAPE, pb.QUALITY_STANDARD)
        except ClientError as error:
            if is_not_serving(error):
                raise
            return None
        cases.save_run(subject, stored)
    return stored if stored and stored.meshes() else None


def outcome(trial: Trial) -> Outcome:
    """Refine one object as the service does."""
    begin = time.process_time()
    *_, last = job.responses(trial.request, RefinementSettings(), Schedule())
    seconds = time.process_time() - begin
    plan = plan_from_proto(last.result.plan)
    before, after = (CameraError.of(p.camera, trial.camera, trial.points) for p in (trial.start, plan))
    return Outcome(errors(trial, trial.start), errors(trial, plan), (before, after), seconds, trial.missed)


def refined(subject: Subject, out: Path, cases: Path, address: str | None) -> Refined:
    """As `Bench.refined`, with a client of the gateway at `address`, if there is one."""
    with connected(address) as client:
        return Bench(out, CaseFolder(cases), client).refined(subject)


def bench(subjects: Sequence[Subject], outcomes: Iterable[Refined], say: Callable[[str], None]) -> list[Refined]:
    """The outcomes of all subjects; `say` is told a line about each, with the time that the rest will take."""
    found: list[Refined] = []
    begin = time.monotonic()
    for number, (subject, one) in enumerate(zip(subjects, outcomes, strict=True), 1):
        found.append(one)
        left = (time.monotonic() - begin) / number * (len(subjects) - number) / 60
        own = one.own_shapes
        say(f"{number}/{len(subjects)} {subject.spec.category} {subject.name}: {one.true_shapes.line()}")
        say(f"    compact: {own.line() if own else 'no reconstruction'}; {left:.0f} min left")
    return found


def report(refined: Sequence[Refined]) -> dict[str, Values]:
    """The figures of each condition by its name."""
    exact = [one.true_shapes for one in refined]
    own = [one.own_shapes for one in refined if one.own_shapes]
    return {
        "ground_truth_shapes": summary([x.end for x in exact], exact),
        "compact": summary([x.end for x in own], own),
        "no_refinement": summary([x.start for x in exact], exact) | {"seconds_p50": 0.0, "seconds_p90": 0.0},
    }


def summary(guesses: Sequence[Sequence[JointError]], outcomes: Sequence[Outcome]) -> Values:
    """Figures over all joints of some objects, `guesses` being the start or the end of each."""
    joints = [error for one in guesses for error in one]
    starts = [error for one in outcomes for error in one.start]
    degrees = [float(np.degrees(error.axis)) for error in joints]
    origins = [error.origin for error in joints if error.origin is not None]
    worse = [one.worse_than(start) for one, start in zip(joints, starts, strict=True)]
    ended = [guess is one.end for guess, one in zip(guesses, outcomes, strict=True)]
    cameras = [one.camera[end] for one, end in zip(outcomes, ended, strict=True)]
    return {
        "n": len(outcomes),
        "joints": len(joints),
        "joints_without_part": sum(one.missed for one in outcomes),
        "axis_error_deg_median": percentile(degrees, 50),
        "axis_error_deg_p90": percentile(degrees, 90),
        "origin_error_median": percentile(origins, 50),
        "origin_error_p90": percentile(origins, 90),
        "type_accuracy": float(np.mean([error.type_right for error in joints])) if joints else None,
        "worse_than_start": float(np.mean(worse)) if joints else None,
        "seconds_p50": percentile([one.seconds for one in outcomes], 50),
        "seconds_p90": percentile([one.seconds for one in outcomes], 90),
        "camera_azimuth_deg_median": percentile([float(np.degrees(camera.azimuth)) for camera in cameras], 50),
        "camera_fov_deg_median": percentile([float(np.degrees(camera.fov)) for camera in cameras], 50),
        "camera_reprojection_median": percentile([camera.reprojection for camera in cameras], 50),
    }


def percentile(values: Sequence[float], rank: int) -> float | None:
    """None of nothing."""
    return float(np.percentile(values, rank)) if values else None


def table(figures: dict[str, Values]) -> str:
    """The report as Markdown, a column a condition."""
    lines = ["| | " + " | ".join(figures) + " |", "| --- |" + " --- |" * len(figures)]
    for name in next(iter(figures.values())):
        cells = ["-" if (value := of[name]) is None else f"{value:.4g}" for of in figures.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def wrong_joints(refined: Sequence[Refined]) -> str:
    """The labels whose types end wrong with true shapes, with how many of how many."""
    ends = [error for one in refined for error in one.true_shapes.end]
    counts = []
    for label in sorted({error.label for error in ends}):
        wrong = [not error.type_right for error in ends if error.label == label]
        if any(wrong):
            counts.append(f"{label} {sum(wrong)} of {len(wrong)}")
    return "wrong types: " + (", ".join(counts) or "none")


@app.command()
def main(
    count: int = 200,
    seed: int = 7,
    out: Path = Path("out/refine"),
    split: Annotated[Split, typer.Option(help="`val` to develop on; `test` only to report.")] = Split.TEST,
    cases: Annotated[Path, typer.Option(help="Reconstructions of the same objects.")] = Path("out/eval/cases"),
    home: Annotated[Path, typer.Option(envvar="SPARK_HOME", help="Home of the local ensemble.")] = DEFAULT_HOME,
    jobs: Annotated[int, typer.Option(min=1, help="Processes, each with one thread.")] = 1,
) -> None:
    """Refine generated objects that start wrong, and print what becomes of them."""
    subjects = [Subject.draw(split, seed, index) for index in range(count)]
    refine = partial(refined, out=out, cases=cases, address=Ensemble(home, MODELS).gateway)
    found = bench(subjects, results(refine, subjects, jobs), lambda line: typer.echo(line, err=True))
    figures = report(found)
    (out / "report.json").write_text(json.dumps(figures, indent=2) + "\n")
    typer.echo(f"{table(figures)}\n\n{wrong_joints(found)}\n{PAPER}")


if __name__ == "__main__":
    app()
