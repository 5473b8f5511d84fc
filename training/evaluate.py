"""Evaluate the service on generated objects.

    spark up
    python -m training.evaluate --count 200 --seed 7 --out out/eval

Photographs of test objects go through the public API, as anybody's images do; what comes back is scored against the
objects. Writes `report.json`, `report.md` and pictures. Each object is stored under `OUT/cases` as soon as it is
measured: the same command goes on where it was broken off, and one that asks for more does only what is missing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from articulation.files import png
from client.cli import DEFAULT_HOME, MODELS
from client.errors import ClientError
from client.local.ensemble import Ensemble
from client.sdk import SparkClient
from spark.v1 import reconstruction_service_pb2 as pb
from training.baseline import OBJECTS, mean_shape_scores
from training.draw import Split
from training.eval_ablations import CALLED, Ablations
from training.eval_case import Case, CaseFolder, Subject
from training.eval_measure import measure
from training.eval_run import Run
from training.evaluation_report import write_report
from training.scoring import Truth

STAGES = {name.removeprefix("STAGE_").lower(): number for name, number in pb.Stage.items() if number}
QUALITIES = {name.removeprefix("QUALITY_").lower(): number for name, number in pb.Quality.items() if number}
NOT_SERVING = ("UNAVAILABLE", "MODEL_NOT_READY", "CANCELLED")
"""Codes and reasons of a service that is not there, or whose connection another thread's failure has closed: they say
nothing about the object, so the evaluation stops."""


def is_not_serving(error: ClientError) -> bool:
    """Whether an error is one of `NOT_SERVING`."""
    return error.code in NOT_SERVING or error.reason in NOT_SERVING


app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Evaluator:
    """Brings one object after the other to a complete case, doing only what is not stored yet.

    Attributes:
        client: of the gateway.
        folder: of the stored cases.
        last_stage: the stage to stop after.
        quality: preset.
        ablations: the services to run ablations on; None for none.
        mean_of: training objects in each category's mean shape.
    """

    client: SparkClient
    folder: CaseFolder
    last_stage: int
    quality: int
    ablations: Ablations | None = None
    mean_of: int = OBJECTS

    def stored(self, subject: Subject) -> Case | None:
        """The complete case, if nothing is left to do."""
        case = self.folder.case(subject)
        return case if case and not self._missing(case) else None

    def case(self, subject: Subject) -> Case:
        """Measured, and ablated if asked; stored before it returns.

        Raises:
            ClientError: the service is not there, or lacks a model.
            training.eval_ablations.AblationFailed: one behind it is not there.
        """
        truth = Truth.of(subject.spec)
        case = self.folder.case(subject) or self._measured(subject, truth)
        run = self.folder.run(subject)
        for name in self._missing(case):
            assert self.ablations is not None and run is not None, "measured cases have their files"
            case = replace(case, ablations={**case.ablations, name: self.ablations.scores(name, truth, run)})
            self.folder.save(case)
        return case

    def _missing(self, case: Case) -> list[str]:
        """Ablations that are asked for and not yet stored."""
        wanted = CALLED if self.ablations and case.measures else ()
        return [name for name in wanted if name not in case.ablations]

    def _measured(self, subject: Subject, truth: Truth) -> Case:
        spec = subject.spec
        case = Case(
            name=subject.name,
            split=subject.split,
            category=spec.category,
            style=spec.style,
            fingerprint=subject.fingerprint(),
            mean_shape=mean_shape_scores(truth, self.mean_of),
        )
        try:
            run = self.folder.run(subject) or self._run(subject)
        except ClientError as error:
            if is_not_serving(error):
                raise
            case = replace(case, error=f"{error.code} {error.reason}: {error}".strip())
        else:
            case = replace(case, models=run.models(), measures=measure(truth, subject.camera, run))
        self.folder.save(case)
        return case

    def _run(self, subject: Subject) -> Run:
        photo = subject.photograph()
        run = Run.fetch(self.client, png(photo), subject.seed, self.last_stage, self.quality)
        self.folder.save_run(subject, run)
        return run


def evaluate(
    evaluator: Evaluator, subjects: Sequence[Subject], parallel: int = 1, say: Callable[[str], None] = print
) -> list[Case]:
    """The cases of all subjects, in order, `parallel` of them at a time.

    Args:
        say: told a line about each, with the time that the rest will take.

    Raises:
        ClientError, training.eval_ablations.AblationFailed, KeyboardInterrupt: what was measured before is stored.
    """
    found = {case.name: case for case in map(evaluator.stored, subjects) if case}
    if found:
        say(f"{len(found)} of {len(subjects)} are stored")
    begin = time.monotonic()
    pool = ThreadPoolExecutor(parallel)
    try:
        futures = [pool.submit(evaluator.case, subject) for subject in subjects if subject.name not in found]
        for number, future in enumerate(as_completed(futures), 1):
            case = future.result()
            found[case.name] = case
            left = (time.monotonic() - begin) / number * (len(futures) - number)
            say(f"{len(found)}/{len(subjects)} {case.category} {case.name}: {case.line()}; {left / 60:.0f} min left")
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        evaluator.client.close()  # ends the calls that the threads are waiting for
        raise
    pool.shutdown()
    return [found[subject.name] for subject in subjects]


@app.command()
def main(
    count: int = 200,
    seed: int = 7,
    out: Path = Path("out/eval"),
    server: Annotated[
        str | None, typer.Option(envvar="SPARK_SERVER", help="Gateway address; default: the local ensemble.")
    ] = None,
    home: Annotated[Path, typer.Option(envvar="SPARK_HOME", help="Home of the local ensemble.")] = DEFAULT_HOME,
    last_stage: Annotated[str, typer.Option(help=f"Stop after one of: {', '.join(STAGES)}.")] = "package",
    quality: Annotated[str, typer.Option(help=f"One of: {', '.join(QUALITIES)}.")] = "standard",
    split: Annotated[Split, typer.Option(help="`val` to develop on; `test` only to report.")] = Split.TEST,
    validation: Annotated[int, typer.Option(help="Validation objects to compare the test split with.")] = 0,
    ablate: Annotated[bool, typer.Option(help="Also run the ablations; needs the local ensemble.")] = False,
    parallel: Annotated[int, typer.Option(help="Objects at a time; the gateway may queue them.")] = 2,
) -> None:
    """Evaluate the service at an address on generated objects that training never saw."""
    for value, known, name in ((last_stage, STAGES, "--last-stage"), (quality, QUALITIES, "--quality")):
        if value not in known:
            raise typer.BadParameter(f"must be one of {', '.join(known)}", param_hint=name)
    ensemble = Ensemble(home, MODELS)
    address = server or ensemble.gateway
    if address is None or (ablate and ensemble.gateway is None):
        raise typer.BadParameter("no local ensemble serves; start one with `spark up`", param_hint="--home")
    torch.set_num_threads(1)  # the services need the cores
    numbered = [(split, index) for index in range(count)]
    numbered += [(Split.VAL, index) for index in range(validation)] if split is not Split.VAL else []
    subjects = [Subject.draw(of, seed, index) for of, index in numbered]
    folder = CaseFolder(out / "cases")
    with ExitStack() as stack:
        client = stack.enter_context(SparkClient(address))
        services = stack.enter_context(Ablations.of(ensemble)) if ablate else None
        evaluator = Evaluator(client, folder, STAGES[last_stage], QUALITIES[quality], services)
        try:
            cases = evaluate(evaluator, subjects, parallel, lambda line: typer.echo(line, err=True))
        except KeyboardInterrupt:
            typer.echo("stopped; the same command goes on from here", err=True)
            sys.exit(130)
    asked = {"split": split.value, "count": count, "seed": seed, "last_stage": last_stage, "quality": quality}
    report = write_report(out, cases, {subject.name: subject for subject in subjects}, folder, asked)
    typer.echo(report.read_text())
    sys.exit(0 if any(case.measures for case in cases) else 1)


if __name__ == "__main__":
    app()
