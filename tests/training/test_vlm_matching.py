"""Matching the parts of a planned object and of the true one by their boxes."""

from dataclasses import replace

import numpy as np
import pytest

from articulation.plan import Plan
from services.vlm.plan_format import from_document
from training.vlm_matching import match_boxes

TRUTH = from_document(
    {
        "category": "microwave",
        "size_cm": 52,
        "camera": [28, 20, 35, 240, 0, -3],
        "parts": [
            {"label": label, "material": "metal", "parent": parent, "box": box, "joint": {"type": "fixed"}}
            for label, parent, box in (
                ("body", -1, [-100, -56, -70, 200, 112, 138]),
                ("door", 0, [-98, -54, 62, 150, 108, 10]),
                ("drawer", 0, [52, -54, 62, 48, 108, 10]),
            )
        ],
    }
)


def shifted(plan: Plan, index: int, by: list[float]) -> Plan:
    """The plan with one part's box elsewhere [model units]."""
    parts = list(plan.parts)
    box = parts[index].box
    parts[index] = replace(parts[index], box=replace(box, center=box.center + np.array(by)))
    return replace(plan, parts=tuple(parts))


def test_parts_in_another_order_are_matched_by_true_index() -> None:
    body, door, drawer = TRUTH.parts
    assert list(match_boxes(replace(TRUTH, parts=(body, drawer, door)), TRUTH)) == [(0, 0), (2, 1), (1, 2)]


def test_the_distance_is_the_mean_over_the_six_faces() -> None:
    # Two faces lie off by 0.12, four do not.
    assert match_boxes(shifted(TRUTH, 1, [0.0, 0.12, 0.0]), TRUTH)[1, 1] == pytest.approx(0.04)


def test_a_part_too_few_leaves_the_furthest_true_one_alone() -> None:
    assert set(match_boxes(replace(TRUTH, parts=TRUTH.parts[:2]), TRUTH)) == {(0, 0), (1, 1)}


def test_a_part_too_many_is_left_alone() -> None:
    assert set(match_boxes(TRUTH, replace(TRUTH, parts=TRUTH.parts[:2]))) == {(0, 0), (1, 1)}
