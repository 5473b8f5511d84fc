"""Fitting and judging confidences."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_folders import write_random_folder

from articulation.joint import JointType
from services.vlm.calibration import UNCALIBRATED, Calibration, Evidence, load_calibration
from services.vlm.plan_format import from_document
from training import vlm_calibrate
from training.vlm_calibrate import Claim, calibration_error, fit, reliability, stated, verdicts

HINGE = {"type": "revolute", "axis": "-y", "origin": [-98, 0, 66], "range": [0, 110]}
SLIDE = {"type": "prismatic", "axis": "+z", "range": [0, 40]}
TRUTH = from_document(
    {
        "category": "microwave",
        "size_cm": 52,
        "camera": [28, 20, 35, 240, 0, -3],
        "parts": [
            {"label": label, "material": "metal", "parent": parent, "box": box, "joint": joint}
            for label, parent, box, joint in (
                ("body", -1, [-100, -56, -70, 200, 112, 138], {"type": "fixed"}),
                ("door", 0, [-98, -54, 62, 150, 108, 10], HINGE),
                ("drawer", 0, [52, -54, 62, 48, 108, 10], SLIDE),
            )
        ],
    }
)


def changed(index: int, **values: object) -> object:
    return replace(TRUTH, parts=tuple(replace(p, **values) if i == index else p for i, p in enumerate(TRUTH.parts)))


def test_the_truth_is_true() -> None:
    assert verdicts(TRUTH, TRUTH) == {"plan": [True], "part": [True] * 3, "joint": [True] * 3}


def test_the_order_of_parts_does_not_matter() -> None:
    body, door, drawer = TRUTH.parts
    swapped = replace(TRUTH, parts=(body, drawer, door))
    assert all(all(values) for values in verdicts(swapped, TRUTH).values())


@pytest.mark.parametrize(
    ("values", "plan", "part", "joint"),
    [
        ({"label": "lid"}, True, False, True),
        ({"joint": replace(TRUTH.parts[1].joint, type=JointType.PRISMATIC)}, False, True, False),
        ({"joint": replace(TRUTH.parts[1].joint, axis=np.array([0.0, 1.0, 0.0]))}, True, True, False),
        ({"box": replace(TRUTH.parts[1].box, center=TRUTH.parts[1].box.center + 0.2)}, False, False, False),
        ({"box": replace(TRUTH.parts[1].box, center=TRUTH.parts[1].box.center + 0.05)}, True, True, True),
    ],
)
def test_one_mistake(values: dict[str, object], plan: bool, part: bool, joint: bool) -> None:
    assert verdicts(changed(1, **values), TRUTH) == {  # type: ignore[arg-type]
        "plan": [plan],
        "part": [True, part, True],
        "joint": [True, joint, True],
    }


def test_a_missing_part_makes_the_plan_wrong_and_the_others_stay_right() -> None:
    short = replace(TRUTH, parts=TRUTH.parts[:2])
    assert verdicts(short, TRUTH) == {"plan": [False], "part": [True] * 2, "joint": [True] * 2}


def claims(count: int, seed: int) -> list[Claim]:
    """Claims of a model that is too sure: true with the probability of a curve of its evidence."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        total = -rng.exponential(0.7)
        evidence = Evidence(total, total * rng.uniform(0.3, 1), -rng.exponential(0.5), np.log(rng.integers(2, 12)))
        chance = 1 / (1 + np.exp(-(1.5 + 1.2 * evidence.total - 0.4 * evidence.parts)))
        found.append(Claim("plan", evidence, bool(rng.random() < chance)))
    return found


def test_fitting_recovers_the_probabilities_that_made_the_data() -> None:
    curve = fit(claims(4000, 0))
    for total in (-2.0, -0.5, 0.0):
        truth = 1 / (1 + np.exp(-(1.5 + 1.2 * total - 0.4 * 1.5)))
        assert curve(Evidence(total, 0.6 * total, -0.5, 1.5)) == pytest.approx(truth, abs=0.05)


def test_fitting_lowers_the_error_on_other_claims() -> None:
    calibration = Calibration(plan=fit(claims(1000, 1)))
    others = claims(1000, 2)
    true = np.array([float(claim.true) for claim in others])
    before, after = (calibration_error(stated(x, others), true) for x in (UNCALIBRATED, calibration))
    assert after < 0.05
    assert after < before


@pytest.mark.parametrize("true", [True, False])
def test_claims_that_are_all_alike_give_no_certainty(true: bool) -> None:
    alike = [replace(claim, true=true) for claim in claims(20, 3)]
    values = stated(Calibration(plan=fit(alike)), alike)
    assert ((values > 0.01) & (values < 0.99)).all()
    assert (values.mean() > 0.5) == true


def test_more_doubt_never_raises_the_probability_whatever_the_data() -> None:
    contrary = [replace(claim, true=claim.evidence.total < -0.5) for claim in claims(300, 4)]
    curve = fit(contrary)
    assert min(curve.total, curve.least, curve.numbers) >= 0


def test_the_error_of_a_model_that_says_nine_tenths_and_is_right_half_the_time() -> None:
    probability, true = np.full(100, 0.9), np.arange(100) % 2 * 1.0
    assert calibration_error(probability, true) == pytest.approx(0.4)
    assert reliability(probability, true)[9] == (100, pytest.approx(0.9), 0.5)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_every_claim_is_in_one_tenth(pairs: list[tuple[float, bool]]) -> None:
    probability, true = np.array([p for p, _ in pairs]), np.array([float(t) for _, t in pairs])
    assert sum(count for count, _, _ in reliability(probability, true)) == len(pairs)
    assert 0 <= calibration_error(probability, true) <= 1


def test_the_program_calibrates_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_random_folder(tmp_path / "model")
    monkeypatch.setattr(vlm_calibrate, "PICTURE", 64)
    monkeypatch.setattr(sys, "argv", ["vlm_calibrate", "--folder", str(folder), "--count", "4"])
    vlm_calibrate.main()
    assert "expected calibration error" in capsys.readouterr().out
    assert load_calibration(folder) != UNCALIBRATED
