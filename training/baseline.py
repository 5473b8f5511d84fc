"""The baseline beside every report: the mean shape of a category's training objects.

The surface occupancy of training objects is averaged over a voxel grid and thresholded; the threshold is the one whose
voxels come closest to the training objects. It is told the true category, and still must lose.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from articulation.metrics import ShapeScores, chamfer, sample_surface, shape_scores
from articulation.typing import Array
from training.draw import Split
from training.objects import generate
from training.scoring import POINTS, Truth, joined, part_meshes
from training.spec import ObjectSpec

OBJECTS = 64
"""Training objects in a mean."""
CELLS = 32
"""Voxels along each edge of [-1, 1]."""
THRESHOLDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
JUDGES = 12
"""Training objects that choose the threshold."""
CLOUD_POINTS = 40_000
"""On the surface of each training object."""


@cache
def mean_shape(category: str, count: int) -> Array:
    """(POINTS, 3) surface points of the mean of `count` training objects."""
    rng = np.random.default_rng(0)
    clouds = [_cloud(generate(seed, Split.TRAIN, category), rng) for seed in range(count)]
    frequency = np.mean([_occupied(cloud) for cloud in clouds], axis=0)
    judges = [cloud[:POINTS] for cloud in clouds[:JUDGES]]
    candidates = [_fill(frequency >= level, rng) for level in THRESHOLDS if (frequency >= level).any()]
    return min(candidates, key=lambda points: sum(chamfer(points, cloud) for cloud in judges))


def mean_shape_scores(truth: Truth, count: int) -> ShapeScores:
    """The mean of `count` training objects of the object's category, against the object."""
    return shape_scores(mean_shape(truth.spec.category, count), truth.whole)


def _cloud(spec: ObjectSpec, rng: np.random.Generator) -> Array:
    """(N, 3) points on the surfaces of all parts."""
    return sample_surface(joined(part_meshes(spec)), CLOUD_POINTS, rng)


def _occupied(points: Array) -> Array:
    """(C, C, C) 1 where a voxel holds a point."""
    cells = np.clip(((points + 1) / 2 * CELLS).astype(np.int64), 0, CELLS - 1)
    grid = np.zeros((CELLS, CELLS, CELLS))
    grid[tuple(cells.T)] = 1.0
    return grid


def _fill(mask: Array, rng: np.random.Generator) -> Array:
    """(POINTS, 3) random points in the marked voxels."""
    cells = np.argwhere(mask)
    chosen = cells[rng.integers(0, len(cells), POINTS)]
    points: Array = (chosen + rng.random(chosen.shape)) / CELLS * 2 - 1
    return points
