"""The plan stage above the engine, with answers of our own."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import jsonschema
import numpy as np
import pytest

from services.vlm.engine import Completion, Repair, Token
from services.vlm.plan_format import REFUSALS, dumps, refusal
from services.vlm.planner import plan_image
from serving.errors import ImageRefused, StageFailed

IMAGE = np.zeros((8, 8, 3), np.uint8)
FIXED = {"type": "fixed"}
HINGE = {"type": "revolute", "axis": "-y", "origin": [0, 0, 0], "range": [0, 90]}


def document(*labels: str) -> str:
    parts = [
        {
            "label": label,
            "material": "wood",
            "parent": 0 if i else -1,
            "box": [0, 0, 0, 9, 9, 9],
            "joint": HINGE if i else FIXED,
        }
        for i, label in enumerate(labels)
    ]
    return json.dumps({"category": "safe", "size_cm": 40, "camera": [0, 0, 30, 200, 0, 0], "parts": parts})


class Scripted:
    """Gives prepared answers, each checked against the schema that it was asked for, and remembers the requests."""

    def __init__(self, *answers: str, probability: float = 1.0) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[dict[str, Any], Repair | None]] = []
        self.probability = probability

    def complete(
        self,
        image: object,
        hints: Sequence[str],
        schema: dict[str, Any],
        repair: Repair | None,
        stop: Callable[[], bool],
    ) -> Completion:
        self.asked.append((schema, repair))
        text = self.answers.pop(0)
        if text.startswith("{") and text.endswith("}"):
            jsonschema.Draft202012Validator(schema).validate(json.loads(text))
        tokens = tuple(Token(i, i + 1, self.probability if c == "v" else 1.0) for i, c in enumerate(text))
        return Completion(text, tokens)


def test_the_likeliest_answer_is_taken_first() -> None:
    engine = Scripted(document("body", "door"))
    assert [part.name for part in plan_image(engine, IMAGE, [], 7).parts] == ["body", "door"]
    assert [repair for _, repair in engine.asked] == [None]


def test_an_answer_that_is_no_plan_is_repaired_with_what_is_wrong_with_it() -> None:
    engine = Scripted('{"category":', document("body", "door"))
    assert len(plan_image(engine, IMAGE, [], 7).parts) == 2
    (_, first), (_, second) = engine.asked
    assert first is None
    assert second is not None
    assert (second.answer, second.seed) == ('{"category":', 7)
    assert second.problem.startswith("document: is not JSON")


def test_two_answers_that_are_no_plan_fail_the_stage() -> None:
    engine = Scripted("{", "[", document("body"))
    with pytest.raises(StageFailed) as caught:
        plan_image(engine, IMAGE, [], 7)
    assert len(engine.asked) == 2
    assert caught.value.metadata == {"stage": "plan"}


def test_a_hint_that_counts_parts_overrides_the_picture() -> None:
    engine = Scripted(document("body", "door"), document("body", "drawer", "drawer"))
    plan = plan_image(engine, IMAGE, ["two drawers and no door"], 0)
    assert [part.label for part in plan.parts] == ["body", "drawer", "drawer"]
    assert [item["properties"]["label"] for item in engine.asked[1][0]["properties"]["parts"]["prefixItems"]] == [
        {"const": "body"},
        {"const": "drawer"},
        {"const": "drawer"},
    ]


def test_a_hint_that_agrees_costs_no_second_answer() -> None:
    engine = Scripted(document("body", "door"))
    plan_image(engine, IMAGE, ["one door"], 0)
    assert len(engine.asked) == 1


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_refusal_says_what_to_do_about_the_picture_and_is_not_asked_again(reason: str) -> None:
    engine = Scripted(dumps(refusal(reason)))
    with pytest.raises(ImageRefused) as caught:
        plan_image(engine, IMAGE, ["two drawers"], 7)
    assert caught.value.metadata == {"refusal": reason}
    assert [violation.field for violation in caught.value.violations] == ["image"]
    assert len(engine.asked) == 1


def test_confidence_is_the_product_over_the_decisions_of_a_part() -> None:
    plan = plan_image(Scripted(document("body", "lever", "door"), probability=0.5), IMAGE, [], 0)
    assert [part.confidence for part in plan.parts] == [1.0, 0.5, 1.0]  # one v in "lever"
    assert [part.joint.confidence for part in plan.parts] == [1.0, 0.5, 0.5]  # one v in "revolute"
    assert plan.confidence == pytest.approx(0.5**3)
