"""Whether what is returned is fit for simulation: generated objects' photographs to assets, each checked.

    spark up
    python -m training.bench_assets --count 200 --seed 7 --out out/assets

Reconstructions are taken from `--cases`, a folder of `training.evaluate` with the same seed, and made through the
gateway where it lacks them; without a gateway, only those that are there count. Their plans and textured meshes are
packaged again as they were, by the package stage as it is now, and the folder is checked as `spark validate
--manipulate` does. An asset that the stage withholds is not returned: it is counted and named, and no figure is of it.

Writes `report.json`. Each asset is stored under `OUT/objects` as soon as it is checked: the same command goes on where
it was broken off, and checks again what was packaged by other code. `--jobs` processes share the work.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from pydantic import TypeAdapter

import articulation
import gateway.package
from articulation.files import png
from articulation.joint import JointType
from client.cli import DEFAULT_HOME, MODELS
from client.errors import ClientError
from client.local.ensemble import Ensemble
from client.sdk import SparkClient
from gateway.package.build import build_asset
from gateway.package.errors import PackageError
from gateway.package.validate import MIN_REACH, JointCheck, ValidationReport, validate_by_hand
from gateway.package.write import write_asset
from gateway.quality import preset
from gateway.stages.package import asset_name
from spark.v1 import reconstruction_service_pb2 as pb
from training.draw import Split
from training.eval_case import CaseFolder, Subject
from training.eval_run import Run, connected
from training.evaluate import is_not_serving
from training.jobs import results
from training.whole_file import written_whole

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Checked:
    """What is stored of one object.

    Attributes:
        name: `Subject.name`.
        category: of the object.
        fingerprint: `Subject.fingerprint`, and the code that packaged it.
        withheld: why no asset was returned; empty for one that was.
        report: of the asset that was returned.
    """

    name: str
    category: str
    fingerprint: str
    withheld: str
    report: ValidationReport | None

    def problems(self) -> tuple[str, ...]:
        """Why it fails, a sentence each."""
        return (self.withheld,) if self.report is None else self.report.problems

    def line(self) -> str:
        if self.report is None:
            return f"withheld: {self.withheld}"
        tried = [one for one in self.report.manipulations or () if one.applicable]
        opened = sum(not one.problems for one in tried)
        return "; ".join((f"{opened} of {len(tried)} opened by hand", *self.report.problems))


_CHECKED = TypeAdapter(Checked)


@dataclass(frozen=True)
class Goal:
    """One figure that the report must reach.

    Attributes:
        key: in the report.
        words: what it is.
        limit: the least, or, of what should be small, the most.
        small: whether it should be small.
    """

    key: str
    words: str
    limit: float
    small: bool = False

    def is_met(self, value: float) -> bool:
        return value <= self.limit if self.small else value >= self.limit


GOALS = (
    Goal("loads_and_drives", "assets that load and reach their limits in MuJoCo and PyBullet", 1.0),
    Goal("penetration_max", "deepest penetration over the travel, of the diagonal", 0.01, small=True),
    Goal("drift_mm_max", "furthest that a slide moves by itself [mm]", 1.0, small=True),
    Goal("drift_rad_max", "furthest that a hinge moves by itself [rad]", 0.01, small=True),
    Goal("links_physical", "links with positive mass and an inertia of a solid", 1.0),
    Goal("links_center_inside", "links with their centre of mass inside their hull", 1.0),
    Goal("manipulation_success", "doors, drawers and lids that a hand opens", 0.9),
)


@dataclass(frozen=True)
class Bench:
    """Checks one object's asset after the other.

    Attributes:
        out: where what was found is stored.
        cases: stored reconstructions.
        client: of the gateway that makes further ones; None for none.
    """

    out: Path
    cases: CaseFolder
    client: SparkClient | None = None

    def checked(self, subject: Subject) -> Checked | None:
        """Stored or checked, and stored before it returns; None for a subject that was never reconstructed.

        Raises:
            ClientError: the service is not there, or lacks a model.
        """
        path = self.out / "objects" / f"{subject.name}.json"
        fingerprint = f"{code_digest()}-{subject.fingerprint()}"
        if path.exists():
            known = _CHECKED.validate_json(path.read_bytes())
            if known.fingerprint == fingerprint:
                return known
        run = self._run(subject)
        if run is None:
            return None
        withheld, report = (run, None) if isinstance(run, str) else check(run)
        found = Checked(subject.name, subject.spec.category, fingerprint, withheld, report)
        with written_whole(path) as part:
            part.write_bytes(_CHECKED.dump_json(found, indent=1))
        return found

    def _run(self, subject: Subject) -> Run | str | None:
        """The reconstruction of the subject's photograph, or why the service made none before it came to packaging."""
        stored, case = self.cases.run(subject), self.cases.case(subject)
        if stored is not None:
            return stored
        if case is not None and case.error:
            return case.error
        if self.client is None:
            return None
        try:
            run = Run.fetch(self.client, png(subject.photograph()), subject.seed, pb.STAGE_PACKAGE, pb.QUALITY_STANDARD)
        except ClientError as error:
            if is_not_serving(error):
                raise
            return f"{error.code} {error.reason}: {error}".strip()
        self.cases.save_run(subject, run)
        return run


def check(run: Run) -> tuple[str, ValidationReport | None]:
    """Package a reconstruction and check the folder: why it is withheld, or an empty string and what was found."""
    plan, meshes = run.plan(), run.textured()
    if len(meshes) != len(plan.parts):
        return "it ended before its meshes were textured", None
    try:
        asset = build_asset(
            plan, meshes, asset_name(plan), preset(run.reconstruction().options.quality).collision_pieces
        )
    except PackageError as error:
        return str(error), None
    with tempfile.TemporaryDirectory() as scratch:
        write_asset(asset, Path(scratch))
        report, _ = validate_by_hand(Path(scratch))
    by_hand = {problem for one in report.manipulations or () for problem in one.problems}
    withheld = [problem for problem in report.problems if problem not in by_hand]
    return ("; ".join(withheld), None) if withheld else ("", report)


@cache  # of the code as it was imported, whoever edits it meanwhile
def code_digest() -> str:
    """Of the code that packages and checks."""
    folders = (Path(path) for module in (articulation, gateway.package) for path in module.__path__)
    sources = sorted(source for folder in folders for source in folder.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]


def checked(subject: Subject, out: Path, cases: Path, address: str | None) -> Checked | None:
    """As `Bench.checked`, with a client of the gateway at `address`, if there is one."""
    with connected(address) as client:
        return Bench(out, CaseFolder(cases), client).checked(subject)


def bench(subjects: Sequence[Subject], outcomes: Iterable[Checked | None], say: Callable[[str], None]) -> list[Checked]:
    """The outcomes of those that were reconstructed; `say` is told a line about each, with the time that is left."""
    found: list[Checked] = []
    begin = time.monotonic()
    for number, (subject, one) in enumerate(zip(subjects, outcomes, strict=True), 1):
        left = (time.monotonic() - begin) / number * (len(subjects) - number) / 60
        what = "no reconstruction" if one is None else one.line()
        say(f"{number}/{len(subjects)} {subject.spec.category} {subject.name}: {what}; {left:.0f} min left")
        found += [one] if one else []
    return found


def figures(found: Sequence[Checked]) -> dict[str, float]:
    """What the assets that were returned are like; of all of them, so that one bad one shows."""
    reports = [one.report for one in found if one.report]
    joints = [joint for report in reports for joint in report.joints]
    links = [link for report in reports for link in report.links]
    tried = [one for report in reports for one in report.manipulations or () if one.applicable]
    slides = [joint for joint in joints if joint.type == JointType.PRISMATIC]
    hinges = [joint for joint in joints if joint.type != JointType.PRISMATIC]
    return {
        "objects": len(found),
        "n": len(reports),
        "withheld": len(found) - len(reports),
        "joints": len(joints),
        "links": len(links),
        "loads_and_drives": share([all(map(reaches_its_limit, report.joints)) for report in reports]),
        "penetration_max": max(
            [report.rest_penetration for report in reports] + [j.penetration for j in joints], default=0.0
        ),
        "drift_mm_max": 1000 * max((joint.drift_absolute for joint in slides), default=0.0),
        "drift_rad_max": max((joint.drift_absolute for joint in hinges), default=0.0),
        "links_physical": share([link.physical for link in links]),
        "links_center_inside": share([link.center_inside for link in links]),
        "manipulated": len(tried),
        "manipulation_success": share([not one.problems for one in tried]),
        "manipulation_success_others_closed": share([not one.problems and not one.needs_open for one in tried]),
        "manipulation_success_assets": share([not report.problems for report in reports]),
        "manipulation_force_p90": float(np.percentile([one.force for one in tried], 90)) if tried else 0.0,
    }


def reaches_its_limit(joint: JointCheck) -> bool:
    return min(joint.reach_mujoco, joint.reach_pybullet) >= MIN_REACH


def share(good: Sequence[bool]) -> float:
    """Of nothing, all."""
    return float(np.mean(good)) if good else 1.0


def failures(found: Sequence[Checked]) -> list[dict[str, str]]:
    """Name, category and reason of each asset that was withheld or has a problem."""
    return [
        {"name": one.name, "category": one.category, "reason": "; ".join(problems)}
        for one in found
        if (problems := one.problems())
    ]


def table(values: dict[str, float]) -> str:
    """The figures as Markdown: each goal, what was found and whether it is met; then the rest."""
    lines = ["| | goal | found | |", "| --- | --- | --- | --- |"]
    for goal in GOALS:
        value = values[goal.key]
        sign = "<=" if goal.small else ">="
        lines.append(
            f"| {goal.words} | {sign} {goal.limit:g} | {value:.4g} | {'met' if goal.is_met(value) else 'missed'} |"
        )
    keys = {goal.key for goal in GOALS}
    lines += [f"| {key} | | {value:.4g} | |" for key, value in values.items() if key not in keys]
    return "\n".join(lines)


@app.command()
def main(
    count: int = 200,
    seed: int = 7,
    out: Path = Path("out/assets"),
    split: Annotated[Split, typer.Option(help="`val` to develop on; `test` only to report.")] = Split.TEST,
    cases: Annotated[Path, typer.Option(help="Reconstructions of the same objects.")] = Path("out/eval/cases"),
    home: Annotated[Path, typer.Option(envvar="SPARK_HOME", help="Home of the local ensemble.")] = DEFAULT_HOME,
    jobs: Annotated[int, typer.Option(min=1, help="Processes, each with one thread.")] = 1,
) -> None:
    """Check the assets of generated objects, and print what falls short of the goals."""
    subjects = [Subject.draw(split, seed, index) for index in range(count)]
    check_one = partial(checked, out=out, cases=cases, address=Ensemble(home, MODELS).gateway)
    found = bench(subjects, results(check_one, subjects, jobs), lambda line: typer.echo(line, err=True))
    out.mkdir(parents=True, exist_ok=True)
    values, bad = figures(found), failures(found)
    (out / "report.json").write_text(json.dumps({**values, "failures": bad}, indent=2) + "\n")
    typer.echo(table(values))
    for one in bad:
        typer.echo(f"- {one['category']} {one['name']}: {one['reason']}")


if __name__ == "__main__":
    app()
