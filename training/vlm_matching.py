"""Which part of a planned object stands for which true one: their boxes are as near as possible."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from articulation.plan import Plan
from articulation.typing import Array


def match_boxes(plan: Plan, truth: Plan) -> dict[tuple[int, int], float]:
    """Hungarian matching of parts by the mean distance of their boxes' faces.

    Returns:
        (planned index, true index) of each pair, by true index, and that distance [model units].
    """
    costs = np.abs(_faces(plan)[:, None] - _faces(truth)[None]).mean(-1)
    rows, columns = linear_sum_assignment(costs)
    order = np.argsort(columns)
    return {(int(rows[i]), int(columns[i])): float(costs[rows[i], columns[i]]) for i in order}


def _faces(plan: Plan) -> Array:
    """(K, 6) lower then upper corner of every part's box."""
    boxes = np.stack([part.box.to_array() for part in plan.parts])
    return np.concatenate([boxes[:, :3] - boxes[:, 3:], boxes[:, :3] + boxes[:, 3:]], 1)
