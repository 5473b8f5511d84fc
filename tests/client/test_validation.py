"""What `spark validate` prints, and with what it ends."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from client.cli import app
from client.validation import print_validation
from gateway.package import validate as checks
from gateway.package.manipulate import Manipulation
from gateway.package.validate import LinkCheck, ValidationReport

LINKS = (LinkCheck("body", 2.0, True, True, 3),)
OPENS = Manipulation("door", "handle", (0.0, 0.0, 0.0), True, opened=0.97, force=12.3)
FAILS = Manipulation("drawer", "drawer", (0.0, 0.0, 0.0), True, opened=0.4, force=150.0)
KNOB = Manipulation("knob", "knob", (0.0, 0.0, 0.0), False)


def report(*manipulations: Manipulation, asked: bool = True) -> ValidationReport:
    problems = tuple(problem for one in manipulations for problem in one.problems)
    return ValidationReport("cabinet", 1.0, 0.0, (), LINKS, 1, problems, manipulations if asked else None)


def printed(of: ValidationReport) -> str:
    stream = io.StringIO()
    print_validation(of, Console(file=stream, width=200))
    return stream.getvalue()


def test_the_table_says_what_a_hand_opened_and_what_it_left_to_fingers() -> None:
    text = printed(report(OPENS, FAILS, KNOB))
    assert [cell in text for cell in ("97%", "12.3 N", "fails", "not for a hand: knob")] == [True] * 4
    assert "problem: a hand opens drawer only 40% of the way" in text


def test_a_good_asset_is_called_what_was_checked() -> None:
    assert "a hand opens it" in printed(report(OPENS))
    assert "hand" not in printed(report(asked=False))


@pytest.mark.parametrize(("result", "code"), [(OPENS, 0), (FAILS, 1)])
def test_a_part_that_no_hand_opens_fails_the_command(
    result: Manipulation, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "validate_by_hand", lambda folder: (report(result), ()))
    outcome = CliRunner().invoke(app, ["validate", str(tmp_path), "--manipulate"])
    assert outcome.exit_code == code, outcome.output


def test_a_film_needs_something_to_show(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(app, ["validate", str(tmp_path), "--film", str(tmp_path / "a.gif")])
    assert outcome.exit_code == 2
    assert not (tmp_path / "a.gif").exists()


def test_the_report_is_json_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "validate_by_hand", lambda folder: (report(KNOB), ()))
    outcome = CliRunner().invoke(app, ["validate", str(tmp_path), "--manipulate", "--json"])
    assert '"applicable": false' in outcome.output
