"""The asset benchmark: what it counts, what it leaves out, and that it goes on where it was broken off."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from perfect_runs import perfect_run
from typer.testing import CliRunner

from gateway.package.errors import JointBlocked
from gateway.package.manipulate import Manipulation
from gateway.package.validate import JointCheck, LinkCheck, ValidationReport
from training import bench_assets
from training.bench_assets import GOALS, Bench, Checked, app, check, failures, figures, table
from training.draw import Split
from training.eval_case import CaseFolder, Subject
from training.eval_run import Run

LINK = LinkCheck("door", 1.0, True, True, 4)
DOOR = JointCheck("door", "revolute", 0.0, 2.0, 0.001, 1.0, 0.99, 0.0, 0.0, False)
DRAWER = replace(DOOR, link="drawer", type="prismatic", upper=0.5, drift=0.0008, drift_absolute=0.0004)
OPENED = Manipulation("door", "door", (0.0, 0.0, 0.0), True, opened=1.0, force=10.0)
GOOD = ValidationReport("x", 1.0, 0.002, (DOOR, DRAWER), (LINK,), 2, (), (OPENED,))


def returned(report: ValidationReport = GOOD) -> Checked:
    return Checked("val-0-0000", "safe", "", "", report)


WITHHELD = Checked("val-0-0001", "oven", "", "door: only 2% of its planned travel is free of body", None)


@pytest.fixture
def subject() -> Subject:
    return Subject.draw(Split.VAL, 5, 9)  # a box, with one lid


def test_good_assets_meet_every_goal() -> None:
    values = figures([returned()])
    assert all(goal.is_met(values[goal.key]) for goal in GOALS)
    assert "missed" not in table(values)


@pytest.mark.parametrize(
    ("key", "report"),
    [
        ("loads_and_drives", replace(GOOD, joints=(replace(DOOR, reach_pybullet=0.9),))),
        ("penetration_max", replace(GOOD, joints=(replace(DOOR, penetration=0.02),))),
        ("penetration_max", replace(GOOD, rest_penetration=0.02)),
        ("drift_mm_max", replace(GOOD, joints=(replace(DRAWER, drift_absolute=0.0011),))),
        ("drift_rad_max", replace(GOOD, joints=(replace(DOOR, drift_absolute=0.011),))),
        ("links_physical", replace(GOOD, links=(replace(LINK, physical=False),))),
        ("links_center_inside", replace(GOOD, links=(replace(LINK, center_inside=False),))),
        ("manipulation_success", replace(GOOD, manipulations=(replace(OPENED, opened=0.5),))),
    ],
)
def test_one_bad_asset_in_eight_shows(key: str, report: ValidationReport) -> None:
    values = figures([returned()] * 7 + [returned(report)])
    missed = [goal.key for goal in GOALS if not goal.is_met(values[goal.key])]
    assert missed == [key]


def test_a_slide_is_not_judged_as_a_hinge() -> None:
    values = figures([returned()])
    assert (values["drift_mm_max"], values["drift_rad_max"]) == (pytest.approx(0.4), 0.0)


def test_what_fingers_move_is_not_counted_as_opened() -> None:
    knob = Manipulation("knob", "knob", (0.0, 0.0, 0.0), False)
    values = figures([returned(replace(GOOD, manipulations=(knob, replace(OPENED, opened=0.1))))])
    assert (values["manipulated"], values["manipulation_success"]) == (1, 0.0)


def test_a_withheld_asset_is_counted_and_named_and_in_no_figure() -> None:
    values = figures([returned(), WITHHELD])
    assert (values["objects"], values["n"], values["withheld"]) == (2, 1, 1)
    assert failures([returned(), WITHHELD]) == [
        {"name": "val-0-0001", "category": "oven", "reason": "door: only 2% of its planned travel is free of body"}
    ]


def test_a_part_that_no_hand_opens_is_named() -> None:
    stuck = replace(OPENED, opened=0.5)
    report = replace(GOOD, manipulations=(stuck,), problems=stuck.problems)
    assert failures([returned(report)])[0]["reason"] == "a hand opens door only 50% of the way"


def test_a_reconstruction_is_packaged_and_opened(subject: Subject) -> None:
    withheld, report = check(perfect_run(subject.spec, subject.camera))
    assert withheld == "" and report is not None
    assert report.ok
    assert report.manipulations is not None and report.manipulations[0].opened > 0.8


def test_an_asset_that_cannot_be_packaged_is_withheld(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    def blocked(*arguments: object) -> None:
        raise JointBlocked("lid", "body", 0.02)

    monkeypatch.setattr(bench_assets, "build_asset", blocked)
    withheld, report = check(perfect_run(subject.spec, subject.camera))
    assert report is None and "lid" in withheld


def test_a_run_without_textures_is_withheld(subject: Subject) -> None:
    files = perfect_run(subject.spec, subject.camera).files
    withheld, report = check(Run({path: data for path, data in files.items() if not path.startswith("texture/")}))
    assert report is None and "textured" in withheld


def test_the_command_goes_on_where_it_was_broken_off(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Run] = []

    def checks(run: Run) -> tuple[str, ValidationReport | None]:
        asked.append(run)
        return "", GOOD

    monkeypatch.setattr(bench_assets, "check", checks)
    first = Subject.draw(Split.VAL, 5, 0)
    CaseFolder(tmp_path / "cases").save_run(first, perfect_run(first.spec, first.camera))
    command = ["--count", "2", "--seed", "5", "--split", "val", "--home", str(tmp_path / "home")]
    command += ["--cases", str(tmp_path / "cases"), "--out", str(tmp_path / "out")]
    for _ in range(2):
        outcome = CliRunner().invoke(app, command)
        assert outcome.exit_code == 0, outcome.output
    assert len(asked) == 1
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["n"], report["failures"]) == (1, [])
    assert {goal.key for goal in GOALS} <= report.keys()


def test_an_asset_of_other_code_is_checked_again(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_assets, "check", lambda run: ("", GOOD))
    cases = CaseFolder(tmp_path / "cases")
    cases.save_run(subject, perfect_run(subject.spec, subject.camera))
    bench = Bench(tmp_path / "out", cases)
    bench.checked(subject)
    monkeypatch.setattr(bench_assets, "check", lambda run: ("blocked", None))
    assert bench.checked(subject) == returned_as(bench, subject)
    monkeypatch.setattr(bench_assets, "code_digest", lambda: "other")
    again = bench.checked(subject)
    assert again is not None and again.withheld == "blocked"


def returned_as(bench: Bench, subject: Subject) -> Checked:
    fingerprint = f"{bench_assets.code_digest()}-{subject.fingerprint()}"
    return Checked(subject.name, subject.spec.category, fingerprint, "", GOOD)
