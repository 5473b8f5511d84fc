"""The baseline beside every report: the mean shape of a category's training objects.

The surface occupancy of training objects is averaged over a voxel grid and thresholded; the threshold is the one whose
voxels come closest to the training objects. It is told the true category, and still must lose.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from articulation.metrics import ShapeScores, chamfer, sample_surface, shape_scores
from articulation.typing import Array
from training.draw import Split
from training.objects import generate
from training.scoring import OBJECT_POINTS, joined, truth
from training.spec import ObjectSpec

CELLS = 32
"""Voxels along each edge of [-1, 1]."""
THRESHOLDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
JUDGES = 12
JUDGED_POINTS = 10_000
"""Training objects, and points of each, that choose the threshold."""


def object_points(spec: ObjectSpec, rng: np.random.Generator) -> Array:
    """(N, 3) points on the surfaces of all parts."""
    return sample_surface(joined(truth(spec)), OBJECT_POINTS, rng)


def mean_shape(category: str, count: int) -> Array:
    """(N, 3) surface points of the mean of `count` training objects."""
    rng = np.random.default_rng(0)
    clouds = [object_points(generate(seed, Split.TRAIN, category), rng) for seed in range(count)]
    frequency = np.mean([_occupied(cloud) for cloud in clouds], axis=0)
    judges = [cloud[:JUDGED_POINTS] for cloud in clouds[:JUDGES]]
    candidates = [_fill(frequency >= level, rng) for level in THRESHOLDS if (frequency >= level).any()]
    return min(candidates, key=lambda points: sum(chamfer(points[:JUDGED_POINTS], cloud) for cloud in judges))


def baseline_scores(specs: Sequence[ObjectSpec], count: int) -> list[ShapeScores]:
    """Scores of each object's category mean, over `count` training objects, against the object."""
    rng = np.random.default_rng(0)
    means = {category: mean_shape(category, count) for category in sorted({spec.category for spec in specs})}
    return [shape_scores(means[spec.category], object_points(spec, rng)) for spec in specs]


def _occupied(points: Array) -> Array:
    """(C, C, C) 1 where a voxel holds a point."""
    cells = np.clip(((points + 1) / 2 * CELLS).astype(np.int64), 0, CELLS - 1)
    grid = np.zeros((CELLS, CELLS, CELLS))
    grid[tuple(cells.T)] = 1.0
    return grid


def _fill(mask: Array, rng: np.random.Generator) -> Array:
    """(N, 3) random points in the marked voxels."""
    cells = np.argwhere(mask)
    chosen = cells[rng.integers(0, len(cells), OBJECT_POINTS)]
    points: Array = (chosen + rng.random(chosen.shape)) / CELLS * 2 - 1
    return points
