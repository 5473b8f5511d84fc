"""Confidences from the probabilities of tokens."""

import json
from math import exp, log
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vlm.calibration import (
    FILE,
    UNCALIBRATED,
    Calibration,
    Evidence,
    Logistic,
    gather,
    load_calibration,
    save_calibration,
)
from services.vlm.engine import Completion, Token
from services.vlm.plan_format import parse

PIECES = (
    '{"category":"', "safe", '","size_cm":', "40", ',"camera":[', "0", ",0", ",30", ",200", ",0", ",0",
    '],"parts":[{"label":"', "body", '","material":"', "metal", '","parent":', "-1", ',"box":[', "0", ",0", ",0", ",9",
    ",9", ",9", '],"joint":{"type":"', "fixed", '"}},{"label":"', "door", '","material":"', "wood", '","parent":', "0",
    ',"box":[', "1", ",2", ",3", ",4", ",5", ",6", '],"joint":{"type":"', "revolute", '","axis":"', "-y",
    '","origin":[', "0", ",7", ",0", '],"range":[', "0", ",90", "]}}]}",
)  # fmt: skip
CURVE = Logistic(total=1.0, least=0.5, numbers=0.25, parts=-0.1, bias=2.0)


def spoken(**doubts: float) -> Completion:
    """The plan of `PIECES`, sure but for the pieces given by their place (p0, p1 ...)."""
    tokens, start = [], 0
    for place, piece in enumerate(PIECES):
        tokens.append(Token(start, start + len(piece), doubts.get(f"p{place}", 1.0)))
        start += len(piece)
    return Completion("".join(PIECES), tuple(tokens))


def place(piece: str, nth: int = 0) -> str:
    return f"p{[i for i, x in enumerate(PIECES) if x == piece][nth]}"


def test_a_sure_answer_has_confidence_one() -> None:
    completion = spoken()
    plan = UNCALIBRATED.judged(parse(completion.text), gather(completion))
    assert (plan.confidence, *(p.confidence for p in plan.parts), *(p.joint.confidence for p in plan.parts)) == (1,) * 5


@pytest.mark.parametrize(
    ("piece", "nth", "part", "joint"),
    [
        ('{"category":"', 0, None, None),  # an object at all
        ("safe", 0, None, None),
        ("door", 0, 1, None),
        ("0", 2, 1, None),  # the door's parent
        ('"}},{"label":"', 0, None, 0),  # another part follows
        ("revolute", 0, None, 1),
        ("-y", 0, None, 1),
        ("]}}]}", 0, None, 1),  # no other part follows
    ],
)
def test_a_doubt_lowers_what_it_decides_and_the_plan(piece: str, nth: int, part: int | None, joint: int | None) -> None:
    completion = spoken(**{place(piece, nth): 0.4})
    plan = UNCALIBRATED.judged(parse(completion.text), gather(completion))
    assert plan.confidence == pytest.approx(0.4)
    assert [p.confidence for p in plan.parts] == pytest.approx([0.4 if i == part else 1 for i in range(2)])
    assert [p.joint.confidence for p in plan.parts] == pytest.approx([0.4 if i == joint else 1 for i in range(2)])


def test_integers_count_by_their_mean_and_materials_not_at_all() -> None:
    evidence = gather(spoken(**{place("wood"): 0.1, place(",4"): 0.5, place(",7"): 0.25})).parts[1]
    assert (evidence.total, evidence.least) == (0, 0)
    assert evidence.numbers == pytest.approx(log(0.5) / 6)
    joint = gather(spoken(**{place(",7"): 0.25})).joints[1]
    assert joint.numbers == pytest.approx(log(0.25) / 5)
    assert joint.parts == pytest.approx(log(2))


def test_total_and_least_of_several_doubts() -> None:
    evidence = gather(spoken(**{place("door"): 0.5, place("-y"): 0.25, place("safe"): 0.9})).plan
    assert exp(evidence.total) == pytest.approx(0.5 * 0.25 * 0.9)
    assert exp(evidence.least) == pytest.approx(0.25)


@given(st.floats(-40, 0), st.floats(-14, 0), st.floats(-14, 0), st.floats(0, 3))
def test_a_curve_gives_a_probability_that_falls_with_the_evidence(
    total: float, least: float, numbers: float, parts: float
) -> None:
    value = CURVE(Evidence(total, least, numbers, parts))
    assert 0 < value < 1
    assert CURVE(Evidence(total - 1, least, numbers, parts)) <= value


def test_curves_replace_the_product() -> None:
    completion = spoken(**{place("door"): 0.5})
    evidence = gather(completion)
    plan = Calibration(plan=CURVE, part=CURVE).judged(parse(completion.text), evidence)
    assert plan.confidence == CURVE(evidence.plan)
    assert plan.parts[1].confidence == CURVE(evidence.parts[1]) < plan.parts[0].confidence
    assert plan.parts[1].joint.confidence == 1


def test_a_calibration_survives_its_file(tmp_path: Path) -> None:
    calibration = Calibration(plan=CURVE, joint=CURVE)
    save_calibration(calibration, tmp_path, {"count": 300})
    assert load_calibration(tmp_path) == calibration
    assert json.loads((tmp_path / FILE).read_text())["facts"] == {"count": 300}


def test_a_calibration_of_other_weights_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"first")
    save_calibration(Calibration(plan=CURVE), tmp_path, {})
    (tmp_path / "model.safetensors").write_bytes(b"second")
    assert load_calibration(tmp_path) == UNCALIBRATED


def test_a_model_without_the_file_is_uncalibrated(tmp_path: Path) -> None:
    assert load_calibration(tmp_path) == UNCALIBRATED


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"curves":{}}', '{"curves":[],"weights":""}', '{"curves":{"plan":{}},"weights":""}']
)
def test_a_file_that_is_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ValueError, match=FILE):
        load_calibration(tmp_path)
