"""From cases to the figures of the report: means, calibration, and how much worse unseen styles are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

import numpy as np

from articulation.metrics import SUCCESS_AXIS, JointScores
from training.eval_ablations import SUMMARIES
from training.eval_case import Case
from training.eval_measure import Measures
from training.scoring import Belief, Scores, Values, joint_summary, mean, shape_summary, tree_summary

BINS = 10
"""Of confidence, in a reliability table."""
GOALS = {
    "coverage": 0.95, "type_error": 0.03, "axis_error_rad": 0.05, "origin_error": 0.05, "range_iou": 0.80,
    "part_count_accuracy": 0.92, "tree_accuracy": 0.95, "success": 0.90, "chamfer": 0.08, "f_0_1": 0.96,
    "part_chamfer": 0.08, "texture_psnr": 22.0, "open_state_iou": 0.85, "part_reference_iou": 0.85, "executable": 1.0,
    "seconds_p50": 30.0,
}  # fmt: skip
"""What the compact family aims at."""
SMALLER_IS_BETTER = frozenset(
    {
        "type_error", "axis_error_rad", "axis_error_sign_free_rad", "origin_error", "chamfer", "part_chamfer",
        "penetration_over_diagonal", "penetration_over_diagonal_max", "seconds_p50",
    }
)  # fmt: skip
NO_QUALITY = frozenset({"n", "seconds_p50"})
"""Columns that say nothing about how right a result is."""


def summary(cases: Sequence[Case]) -> Values:
    """Means over the results; joint figures over all true parts that move, part references over all true parts."""
    measured = [case.measures for case in cases if case.measures]
    complete = [one.complete for one in measured]
    bodies = [one.physics for one in measured if one.physics]
    joints = joint_summary(complete)
    success = joints.pop("success")
    return {
        "n": len(cases),
        "coverage": len(measured) / len(cases),
        **joints,
        **tree_summary(complete),
        "success": success,
        **shape_summary(complete),
        "texture_psnr": mean([one.texture_psnr for one in measured]),
        "open_state_iou": mean([one.open_state_iou for one in measured]),
        "part_reference_iou": mean([overlap for one in measured for overlap in one.part_reference_ious]),
        "executable": mean([body.executable for body in bodies]),
        "penetration_over_diagonal": mean([body.penetration for body in bodies]),
        "penetration_over_diagonal_max": max((body.penetration for body in bodies), default=None),
        "seconds_p50": median(sum(one.seconds.values()) for one in measured) if measured else None,
    }


def stage_seconds(cases: Sequence[Case]) -> dict[str, float]:
    """Median duration of each stage [s]."""
    spent = [case.measures.seconds for case in cases if case.measures]
    return {name: median(one[name] for one in spent if name in one) for name in (spent[0] if spent else ())}


def baselines(cases: Sequence[Case]) -> dict[str, Values]:
    """The mean shape of the true category, over all objects; and the plan alone, a box for each part."""
    boxes = [case.measures.boxes for case in cases if case.measures]
    shapes = [asdict(case.mean_shape) for case in cases]
    return {
        "mean_shape": {name: mean([shape[name] for shape in shapes]) for name in shapes[0]},
        "boxes": {**joint_summary(boxes), **tree_summary(boxes), **shape_summary(boxes)},
    }


def ablations(cases: Sequence[Case]) -> dict[str, dict[str, Any]]:
    """Every ablation that was run: what it can change, beside the complete runs of the same objects."""
    found: dict[str, dict[str, Any]] = {}
    for name, summarise in SUMMARIES.items():
        pairs = [(ablated, case.measures) for case in cases if case.measures and (ablated := _ablated(case, name))]
        if pairs:
            complete = summarise([measures.complete for _, measures in pairs])
            found[name] = {
                "n": len(pairs),
                **summarise([ablated for ablated, _ in pairs]),
                "complete": complete,
            }
    return found


def _ablated(case: Case, name: str) -> Scores | None:
    if name == "no_refinement" and case.measures and "refine" in case.measures.seconds:
        return case.measures.unrefined
    return case.ablations.get(name)


def held_out_styles(test: Sequence[Case], validation: Sequence[Case]) -> dict[str, Values]:
    """The test split beside the validation split, and how many times worse it is.

    `worse` is the ratio of the two figures, above 1 where the test split is worse; None where it would divide by zero.
    """
    one, other = summary(test), summary(validation)
    return {"test": one, "validation": other, "worse": times_worse(one, other)}


def times_worse(test: Mapping[str, float | None], validation: Mapping[str, float | None]) -> Values:
    """By metric: test over validation where small is good, else validation over test."""
    ratios: Values = {}
    for name, value in test.items():
        upper, lower = (value, validation[name]) if name in SMALLER_IS_BETTER else (validation[name], value)
        if name not in NO_QUALITY:
            ratios[name] = None if upper is None or not lower else upper / lower
    return ratios


def joint_failures(measured: Sequence[Measures]) -> dict[str, int]:
    """How many true joints are right, and what is wrong with the others, the first that applies."""
    joints = [joint for one in measured for joint in one.complete.joints]
    return dict(Counter(_verdict(joint) for joint in joints).most_common())


def _verdict(joint: JointScores) -> str:
    if joint.success:
        return "right"
    if not joint.type_right:
        return "no partner, or of another type"
    if joint.axis_sign_free is not None and joint.axis_sign_free > SUCCESS_AXIS:
        return "axis points elsewhere"
    if joint.axis is not None and joint.axis > SUCCESS_AXIS:
        return "axis turned round"
    return "origin beside the true line"


def joint_beliefs(measured: Sequence[Measures]) -> list[Belief]:
    return [belief for one in measured for belief in one.complete.beliefs]


def calibration(beliefs: Sequence[Belief], bins: int = BINS) -> dict[str, Any]:
    """Expected calibration error and reliability table.

    The error is the mean of |share right - mean confidence| over bins of equal width, weighted by their counts.
    """
    confidence = np.array([belief.confidence for belief in beliefs])
    right = np.array([belief.right for belief in beliefs], dtype=np.float64)
    owner = np.minimum((confidence * bins).astype(int), bins - 1)
    table = []
    for index in np.unique(owner):
        mine = owner == index
        table.append(
            {
                "from": float(index / bins),
                "to": float((index + 1) / bins),
                "n": int(mine.sum()),
                "confidence": float(confidence[mine].mean()),
                "right": float(right[mine].mean()),
            }
        )
    gaps = [row["n"] * abs(row["right"] - row["confidence"]) for row in table]
    return {
        "n": len(beliefs),
        "expected_calibration_error": sum(gaps) / len(beliefs) if beliefs else None,
        "bins": table,
    }
