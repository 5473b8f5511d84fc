"""The prompt of the plan stage."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from articulation.joint import JointType
from services.vlm.engine import Repair
from services.vlm.plan_format import REFUSALS, Refused, parse
from services.vlm.plan_schema import plan_schema
from services.vlm.prompt import VERSION, Example, Turn, examples, plan_prompt, with_hints
from services.vlm.vocabulary import AXES, CATEGORIES, JOINT_TYPES, LABELS, MAX_PARTS, OPENINGS

PROMPT = plan_prompt()
GOLDEN = Path(__file__).parent / "golden" / f"{VERSION}.txt"
EXAMPLES = examples()
PLANS = [example for example in EXAMPLES if "refused" not in json.loads(example.answer)]


def test_the_prompt_of_this_version_is_this_text() -> None:
    """Another text is another version: its folder and its golden file go beside the old ones."""
    assert PROMPT.text == GOLDEN.read_text().strip()


def test_the_vocabulary_is_stated() -> None:
    assert all(f"\n- {word}: " in PROMPT.text for word in (*CATEGORIES, *LABELS, *OPENINGS))


def test_every_refusal_is_stated() -> None:
    assert all(f'\n- "{word}": ' in PROMPT.text for word in REFUSALS)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.picture)
def test_an_example_is_stated_as_the_schema_and_the_parser_have_it(example: Example) -> None:
    jsonschema.Draft202012Validator(plan_schema()).validate(json.loads(example.answer))
    assert f"- {example.picture}:\n  {example.answer}\n" in PROMPT.text
    try:
        assert parse(example.answer).parts
    except Refused as refused:
        assert refused.reason in REFUSALS


def test_the_examples_show_doors_drawers_knobs_parts_of_parts_and_a_refusal() -> None:
    plans = [parse(example.answer) for example in PLANS]
    assert len(plans) < len(EXAMPLES)
    parts = [part for plan in plans for part in plan.parts]
    assert {part.label for part in parts} >= {"door", "drawer", "knob"}
    assert {part.joint.type for part in parts} >= {*JOINT_TYPES}
    assert any(part.parent > 0 for part in parts)


@pytest.mark.parametrize("example", PLANS, ids=lambda example: example.picture)
def test_an_example_is_centred_its_longest_side_is_full_and_its_parts_are_as_usual(example: Example) -> None:
    plan = parse(example.answer)
    low = np.min([part.box.center - part.box.half_extent for part in plan.parts], axis=0)
    high = np.max([part.box.center + part.box.half_extent for part in plan.parts], axis=0)
    np.testing.assert_allclose(low, -high, atol=1e-9)
    assert max(high - low) == pytest.approx(2)
    prior = CATEGORIES[plan.category]
    assert prior.parts[0] <= len(plan.parts) <= prior.parts[1]


@pytest.mark.parametrize("example", PLANS, ids=lambda example: example.picture)
def test_the_parts_of_an_example_open_by_the_stated_convention(example: Example) -> None:
    """Doors and drawers come to the front, seen from the hinge; what turns on the spot turns clockwise."""
    for part in parse(example.answer).parts[1:]:
        joint = part.joint
        if part.label in ("knob", "dial"):
            np.testing.assert_array_equal(joint.axis, AXES["-z"])
            np.testing.assert_allclose(joint.origin, part.box.center)
        elif joint.type is JointType.PRISMATIC:
            np.testing.assert_array_equal(joint.axis, AXES["+z"])
        else:
            arm = part.box.center - joint.origin
            motion = np.cross(joint.axis, arm)
            assert motion[2] == pytest.approx(np.linalg.norm(motion)) and motion[2] > 0


@pytest.mark.parametrize(
    ("part", "arm", "motion"),
    [
        ("a door in the front, hinged on its left", "+x", "+z"),
        ("a door in the front, hinged on its right", "-x", "+z"),
        ("a flap in the front, hinged at its bottom", "+y", "+z"),
        ("a flap in the front, hinged at its top", "-y", "+z"),
        ("a lid on top, hinged at its back", "+z", "+y"),
        ("a knob or dial in the front, which turns clockwise", "+y", "+x"),
    ],
)
def test_a_small_positive_turn_about_the_stated_axis_opens(part: str, arm: str, motion: str) -> None:
    """`arm` is where the part's middle lies, seen from its hinge; `motion` is where the middle goes."""
    np.testing.assert_array_equal(np.cross(AXES[OPENINGS[part]], AXES[arm]), AXES[motion])


def test_the_number_of_parts_is_the_formats() -> None:
    assert f"at most {MAX_PARTS}." in PROMPT.text


def test_a_model_folder_brings_its_own_prompt(tmp_path: Path) -> None:
    assert plan_prompt(tmp_path) == PROMPT
    (tmp_path / "prompt.txt").write_text("Plan it.\n")
    assert plan_prompt(tmp_path).text == "Plan it."


def test_hints_follow_the_prompt() -> None:
    assert with_hints("Plan it.", ["two drawers", " ", "a lid"]) == "Plan it. Known: two drawers; a lid"
    assert with_hints("Plan it.", []) == "Plan it."


REPAIR = Repair('{"category":"car"}', "category: must be one of {safe}", 7)


def test_a_repair_tells_the_model_its_answer_and_what_is_wrong_with_it() -> None:
    first, answer, complaint = PROMPT.turns(["a lid"], REPAIR)
    assert [first] == PROMPT.turns(["a lid"], None)
    assert answer == Turn("assistant", REPAIR.answer)
    assert complaint.role == "user"
    assert REPAIR.problem in complaint.text
    assert not PROMPT.draws(REPAIR)


def test_the_repair_of_a_model_with_a_prompt_of_its_own_asks_the_same_again_and_draws(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Plan it.\n")
    prompt = plan_prompt(tmp_path)
    assert prompt.turns([], REPAIR) == prompt.turns([], None) == [Turn("user", "Plan it.")]
    assert prompt.draws(REPAIR)
    assert not prompt.draws(None)
