"""The prompt of the plan stage."""

import re
from pathlib import Path

import numpy as np

from services.vlm.plan_format import REFUSALS, parse
from services.vlm.prompt import plan_prompt, with_hints
from services.vlm.vocabulary import AXES, CATEGORIES, LABELS

PROMPT = plan_prompt()


def test_the_example_is_a_plan() -> None:
    example = PROMPT.split("# Example\n")[1].splitlines()[0]
    assert parse(example).category == "safe"


def test_the_vocabulary_is_stated() -> None:
    assert all(f"\n- {word}: " in PROMPT for word in (*CATEGORIES, *LABELS))


def test_every_refusal_is_stated() -> None:
    assert all(f'\n- "{word}": ' in PROMPT for word in REFUSALS)


def test_the_stated_axes_open_each_kind_of_part_towards_the_front_or_upwards() -> None:
    """Where the middle of the part goes, seen from the hinge, under a small positive turn."""
    arms = {"left": "+x", "right": "-x", "bottom": "+y", "back": "+z"}
    for side, arm in arms.items():
        stated = re.search(rf'hinged (?:on|at) its {side} (?:turns )?about\s+"(.[xyz])"', PROMPT)
        assert stated is not None
        motion = np.cross(AXES[stated[1]], AXES[arm])
        np.testing.assert_array_equal(motion, AXES["+y" if side == "back" else "+z"])


def test_a_model_folder_brings_its_own_prompt(tmp_path: Path) -> None:
    assert plan_prompt(tmp_path) == PROMPT
    (tmp_path / "prompt.txt").write_text("Plan it.\n")
    assert plan_prompt(tmp_path) == "Plan it."


def test_hints_follow_the_prompt() -> None:
    assert with_hints("Plan it.", ["two drawers", " ", "a lid"]) == "Plan it. Known: two drawers; a lid"
    assert with_hints("Plan it.", []) == "Plan it."
