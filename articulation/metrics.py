"""How far a reconstruction is from the truth: shape, parts and joints.

Everything is measured in model space: the closed object's longest side is 2. Distances between surfaces are mean
unsquared nearest-neighbour distances, as in PartCrafter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from articulation.asset import Mesh
from articulation.joint import Joint, JointType
from articulation.tree import Articulation
from articulation.typing import Array

SUCCESS_AXIS = 0.25
"""Largest axis error of a joint that counts as right [rad]."""
SUCCESS_ORIGIN = 0.05
"""Largest origin error of a joint that counts as right, in model units."""
PARALLEL = 0.1
"""Lines whose directions differ by less [rad] are compared as parallel: their true crossing lies far off the object."""


@dataclass(frozen=True)
class ShapeScores:
    """Two point clouds compared.

    Attributes:
        chamfer: sum of the two mean nearest-neighbour distances; 0 is perfect.
        f_0_02: harmonic mean of precision and recall at distance 0.02.
        f_0_1: the same at 0.1.
        f_0_5: the same at 0.5.
    """

    chamfer: float
    f_0_02: float
    f_0_1: float
    f_0_5: float


def sample_surface(mesh: Mesh, count: int, rng: np.random.Generator) -> Array:
    """(count, 3) points, uniform over the surface's area."""
    corners = mesh.vertices[mesh.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    chosen = corners[rng.choice(len(areas), count, p=areas / areas.sum())]
    u, v = rng.random((2, count, 1))
    root = np.sqrt(u)
    points: Array = (1 - root) * chosen[:, 0] + root * (1 - v) * chosen[:, 1] + root * v * chosen[:, 2]
    return points


def nearest_distances(first: Array, second: Array) -> tuple[Array, Array]:
    """(N,) distance of each point of `first` (N, 3) to the nearest of `second` (M, 3), and (M,) the other way."""
    return cKDTree(second).query(first)[0], cKDTree(first).query(second)[0]


def shape_scores(predicted: Array, truth: Array) -> ShapeScores:
    """Compare points (N, 3) on the prediction with points (M, 3) on the truth."""
    forward, backward = nearest_distances(predicted, truth)
    scores = (f_score(forward, backward, threshold) for threshold in (0.02, 0.1, 0.5))
    return ShapeScores(float(forward.mean() + backward.mean()), *scores)


def chamfer(predicted: Array, truth: Array) -> float:
    """Sum of the two mean unsquared nearest-neighbour distances."""
    forward, backward = nearest_distances(predicted, truth)
    return float(forward.mean() + backward.mean())


def f_score(forward: Array, backward: Array, threshold: float) -> float:
    """Harmonic mean of precision and recall, from the distances that `nearest_distances` gives."""
    precision, recall = float((forward < threshold).mean()), float((backward < threshold).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@dataclass(frozen=True)
class PartMatch:
    """Which predicted part stands for which true one.

    Attributes:
        pairs: (predicted index, true index), by true index.
        chamfers: Chamfer distance of each pair.
        unmatched: how many parts, of either side, have no partner.
        penalty: what each of those costs.
    """

    pairs: tuple[tuple[int, int], ...]
    chamfers: tuple[float, ...]
    unmatched: int
    penalty: float

    @property
    def mean_chamfer(self) -> float:
        """Over pairs and unmatched parts."""
        return (sum(self.chamfers) + self.unmatched * self.penalty) / (len(self.pairs) + self.unmatched)


def match_parts(predicted: Sequence[Array], truth: Sequence[Array]) -> PartMatch:
    """Hungarian matching of parts by Chamfer distance.

    An unmatched part costs half the diagonal of the true object's bounding box, so that predicting one blob never wins.

    Args:
        predicted: (N_i, 3) surface points of each predicted part, at least one part.
        truth: (M_j, 3) surface points of each true part, at least one part.
    """
    costs = np.array([[chamfer(a, b) for b in truth] for a in predicted])
    rows, columns = linear_sum_assignment(costs)
    order = np.argsort(columns)
    pairs = tuple((int(rows[i]), int(columns[i])) for i in order)
    penalty = float(np.linalg.norm(np.ptp(np.concatenate(truth), axis=0)) / 2)
    unmatched = abs(len(predicted) - len(truth))
    return PartMatch(pairs, tuple(float(costs[pair]) for pair in pairs), unmatched, penalty)


@dataclass(frozen=True)
class JointScores:
    """One predicted joint against the true one.

    Attributes:
        type_right: whether the types are the same.
        axis: angle between the axes [rad], directions counting; None unless both move and the types are the same.
        axis_sign_free: the same for undirected axes.
        origin: distance between the axis lines, in model units; None unless both turn and the types are the same.
        range_iou: overlap of the two ranges over their union; None unless both have limits.
        success: type right, axis within `SUCCESS_AXIS`, origin within `SUCCESS_ORIGIN`. The axis' direction
            counts but for a continuous joint, which has no way to open.
    """

    type_right: bool
    axis: float | None
    axis_sign_free: float | None
    origin: float | None
    range_iou: float | None
    success: bool


def joint_scores(predicted: Joint, truth: Joint) -> JointScores:
    """Compare two joints given in model space."""
    if predicted.type is not truth.type:
        return JointScores(False, None, None, None, None, False)
    if not truth.type.moves:
        return JointScores(True, None, None, None, None, True)
    axis = angle_between(predicted.axis, truth.axis)
    undirected = min(axis, np.pi - axis)
    origin = line_distance(predicted, truth) if truth.type.rotates else None
    limited = truth.type is not JointType.CONTINUOUS
    overlap = range_iou((predicted.lower, predicted.upper), (truth.lower, truth.upper)) if limited else None
    success = (axis if limited else undirected) <= SUCCESS_AXIS and (origin is None or origin <= SUCCESS_ORIGIN)
    return JointScores(True, axis, undirected, origin, overlap, success)


def angle_between(first: Array, second: Array) -> float:
    """Angle between two directions (3,) in [0, pi] [rad]."""
    return float(np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second))


def line_distance(first: Joint, second: Joint) -> float:
    """Distance between the infinite axis lines of two joints.

    Lines closer to parallel than `PARALLEL` are compared at their points nearest to the frame's origin: there the
    distance of either point to the other line, averaged. A joint's origin thus matters only up to its line.
    """
    apart = second.origin - first.origin
    normal = np.cross(first.axis, second.axis)
    sine = float(np.linalg.norm(normal))
    if sine >= np.sin(PARALLEL):
        return float(abs(apart @ normal) / sine)
    one, other = (joint.origin - joint.origin @ joint.axis * joint.axis for joint in (first, second))
    distances = [np.linalg.norm(np.cross(one - other, axis)) for axis in (first.axis, second.axis)]
    return float(np.mean(distances))


def range_iou(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Length of the intersection of two intervals over that of their union; 1 for two equal points."""
    union = max(first[1], second[1]) - min(first[0], second[0])
    intersection = min(first[1], second[1]) - max(first[0], second[0])
    return max(intersection, 0.0) / union if union > 0 else 1.0


@dataclass(frozen=True)
class ArticulationScores:
    """A predicted tree against the true one, under a part matching.

    Attributes:
        joints: one for each true part that moves, in link order; a part without partner fails.
        type_error: fraction of the true parts that move whose joint type is wrong or that have no partner.
        success_rate: fraction of the true parts that move whose joint is right.
        tree_accuracy: fraction of all true parts whose partner hangs on the partner of their parent.
        part_count_right: whether both have as many parts.
    """

    joints: tuple[JointScores, ...]
    type_error: float
    success_rate: float
    tree_accuracy: float
    part_count_right: bool


def articulation_scores(predicted: Articulation, truth: Articulation, match: PartMatch) -> ArticulationScores:
    """Score the joints and the tree of matched parts; without a moving true part, type error 0 and success rate 1."""
    partner = {true: guess for guess, true in match.pairs}
    missing = JointScores(False, None, None, None, None, False)
    joints = tuple(
        joint_scores(predicted.links[partner[i]].joint, truth.links[i].joint) if i in partner else missing
        for i in truth.moving
    )
    hung = [
        index in partner
        and predicted.links[partner[index]].parent == (partner.get(link.parent) if link.parent >= 0 else -1)
        for index, link in enumerate(truth)
    ]
    return ArticulationScores(
        joints=joints,
        type_error=float(np.mean([not joint.type_right for joint in joints])) if joints else 0.0,
        success_rate=float(np.mean([joint.success for joint in joints])) if joints else 1.0,
        tree_accuracy=float(np.mean(hung)),
        part_count_right=len(predicted) == len(truth),
    )
