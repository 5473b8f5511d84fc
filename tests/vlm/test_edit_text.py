"""The prompts of the editing models that read text."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from edit_plans import cabinet, part

from articulation.joint import Joint, JointType
from articulation.plan import Plan
from articulation.typing import Array
from services.vlm.edit_prompt import PlanTensors, outlines
from services.vlm.edit_text import VERSION, object_prompt, open_prompt, part_prompt
from services.vlm.editing import opened

GOLDEN = Path(__file__).with_name(f"{VERSION}.golden.md")


def places(plan: Plan) -> Array:
    tensors = PlanTensors.from_plan(plan)
    found: Array = outlines(tensors, torch.zeros_like(tensors.upper), 64)[0].numpy()
    return found


def motion(joint: Joint, coordinate: float, box: tuple[float, ...] = (0.0, 0.0, 0.6, 0.8, 0.6, 0.04)) -> str:
    """What the open prompt says of one part on a body."""
    body = part("body", -1, [0.0, 0.0, 0.0, 0.9, 1.0, 0.6], Joint(JointType.FIXED))
    plan = replace(cabinet(), parts=(body, part("lid", 0, list(box), joint)))
    prompt = open_prompt(plan, np.array([0.0, coordinate]), places(plan))
    (line,) = [line for line in prompt.splitlines() if line.startswith("- ")]
    return line.split("): ")[1]


def test_the_prompts_of_a_cabinet_are_the_golden_ones() -> None:
    """Set GOLDEN=write to accept new ones; a change of words is a new version of the file."""
    plan = cabinet()
    there = places(plan)
    coordinates = opened(plan, [0.7] * 4)[0].double().numpy()
    rendered = "\n\n".join(
        [
            object_prompt(plan),
            *(part_prompt(plan, index, there[index]) for index in range(len(plan.parts))),
            open_prompt(plan, coordinates, there),
        ]
    )
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_text(f"{rendered}\n")
    assert f"{rendered}\n" == GOLDEN.read_text()


@pytest.mark.parametrize(
    ("axis", "origin", "words"),
    [
        ((0, -1, 0), (-0.8, 0, 0.6), "hinged at its left side, its free side swung forwards by 45 degrees"),
        ((0, 1, 0), (0.8, 0, 0.6), "hinged at its right side, its free side swung forwards by 45 degrees"),
        ((1, 0, 0), (0, -0.6, 0.6), "hinged at its bottom side, its free side swung forwards by 45 degrees"),
        ((-1, 0, 0), (0, 0.6, 0.6), "hinged at its top side, its free side swung forwards by 45 degrees"),
    ],
)
def test_the_words_of_a_hinge_follow_from_the_right_hand_rule(
    axis: tuple[int, int, int], origin: tuple[float, float, float], words: str
) -> None:
    joint = Joint(JointType.REVOLUTE, np.array(axis, float), np.array(origin), 0.0, np.pi / 2)
    assert motion(joint, np.pi / 4) == words


def test_a_lid_hinged_at_its_back_swings_upwards() -> None:
    joint = Joint(JointType.REVOLUTE, np.array([-1.0, 0.0, 0.0]), np.array([0.0, 1.0, -0.6]), 0.0, np.pi / 2)
    said = motion(joint, np.pi / 2, (0.0, 1.0, 0.0, 0.9, 0.03, 0.6))
    assert said == "hinged at its back side, its free side swung upwards by 90 degrees"


@pytest.mark.parametrize(
    ("axis", "sense"),
    [
        ((0, 0, 1), "counterclockwise as seen from the front"),
        ((0, 0, -1), "clockwise as seen from the front"),
        ((0, 1, 0), "counterclockwise as seen from above"),
        ((-1, 0, 0), "clockwise as seen from the right"),
    ],
)
def test_what_turns_on_the_spot_is_told_its_sense(axis: tuple[int, int, int], sense: str) -> None:
    joint = Joint(JointType.CONTINUOUS, np.array(axis, float), np.array([0.02, 0.0, 0.6]), 0.0, np.pi)
    assert motion(joint, np.pi / 2, (0.0, 0.0, 0.6, 0.1, 0.1, 0.1)) == f"turned on the spot by 90 degrees, {sense}"


def test_what_slides_is_told_way_and_length() -> None:
    button = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, -1.0]), np.zeros(3), 0.0, 0.05)
    said = motion(button, 0.05, (0.0, 0.0, 0.6, 0.1, 0.1, 0.05))
    assert said == "moved backwards by 2 cm, 50 % of its own length that way"


def test_parts_that_stay_are_not_mentioned() -> None:
    plan = cabinet()
    prompt = open_prompt(plan, np.array([0.0, 0.0, 1.0, 0.0]), places(plan))
    assert [line.split(",")[0] for line in prompt.splitlines() if line.startswith("- ")] == [
        "- the door of a storage furniture"
    ]
    assert "- none" in open_prompt(plan, np.zeros(4), places(plan))


def test_two_parts_of_one_kind_are_told_apart_by_their_place() -> None:
    plan = cabinet()
    twin = replace(plan.parts[3], name="drawer_2", box=replace(plan.parts[3].box, center=np.array([0.0, 0.4, 0.2])))
    plan = replace(plan, parts=(*plan.parts, twin))
    there = places(plan)
    assert part_prompt(plan, 3, there[3]) != part_prompt(plan, 4, there[4])


def test_a_caption_goes_in_as_it_is_on_one_line_and_names_nothing_of_the_template() -> None:
    plan = cabinet()
    door = replace(plan.parts[2], caption="A {motions} door,\nwith a\twindow.")
    plan = replace(plan, parts=(*plan.parts[:2], door, plan.parts[3]))
    assert "one part: a {motions} door, with a window (" in part_prompt(plan, 2, places(plan)[2])


def test_a_part_outside_the_picture_has_no_place_in_it() -> None:
    assert "in the picture" not in part_prompt(cabinet(), 2, np.zeros((64, 64), bool)).split("). ")[0].split(": ")[1]
