"""Scores of reconstructions against the objects that were photographed: pure functions of truth and result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np

from articulation.asset import Mesh
from articulation.metrics import (
    JointScores,
    PartMatch,
    ShapeScores,
    articulation_scores,
    match_parts,
    sample_surface,
    shape_scores,
)
from articulation.plan import Box, Plan
from articulation.typing import Array
from training.spec import ObjectSpec

OBJECT_POINTS = 40_000
"""On each surface; two samples of one surface are then about 0.025 apart, the floor of every Chamfer distance."""
PART_POINTS = 4_000
_BOX_FACES = np.array(
    [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4),
     (1, 5, 7), (1, 7, 3)]
)  # fmt: skip
"""(12, 3) triangles over corners numbered by the bits of (x, y, z)."""


@dataclass(frozen=True, eq=False)
class Result:
    """What the service made of one image.

    Attributes:
        plan: the latest plan.
        meshes: one mesh a planned part, model space; empty when the stages run made none.
        seconds: sum of the stages' durations [s].
    """

    plan: Plan
    meshes: tuple[Mesh, ...]
    seconds: float


@dataclass(frozen=True)
class Scores:
    """One result against the truth.

    Attributes:
        shape: of the whole object; None without meshes.
        part_chamfer: over matched and unmatched parts; None without meshes.
        joints: one for each true part that moves.
        tree: fraction of true parts that hang on the right parent.
        part_count_right: whether the number of parts is right.
        seconds: as in `Result`.
    """

    shape: ShapeScores | None
    part_chamfer: float | None
    joints: tuple[JointScores, ...]
    tree: float
    part_count_right: bool
    seconds: float


def truth(spec: ObjectSpec) -> tuple[Mesh, ...]:
    """The true meshes of the object's parts, model space."""
    return tuple(Mesh(mesh.vertices, mesh.faces) for mesh in spec.link_meshes())


def score(spec: ObjectSpec, result: Result) -> Scores:
    """Score one result; parts are matched by their meshes, or by the plan's boxes where there are no meshes."""
    rng = np.random.default_rng(0)
    true_meshes = truth(spec)
    guesses = result.meshes or tuple(box_mesh(part.box) for part in result.plan.parts)
    targets = true_meshes if result.meshes else tuple(box_mesh(Box(box[:3], box[3:])) for box in spec.boxes)
    match: PartMatch = match_parts(
        [sample_surface(mesh, PART_POINTS, rng) for mesh in guesses],
        [sample_surface(mesh, PART_POINTS, rng) for mesh in targets],
    )
    tree = articulation_scores(result.plan.articulation(), spec.articulation(), match)
    shape = None
    if result.meshes:
        guess, target = (sample_surface(joined(meshes), OBJECT_POINTS, rng) for meshes in (result.meshes, true_meshes))
        shape = shape_scores(guess, target)
    return Scores(
        shape=shape,
        part_chamfer=match.mean_chamfer if result.meshes else None,
        joints=tree.joints,
        tree=tree.tree_accuracy,
        part_count_right=tree.part_count_right,
        seconds=result.seconds,
    )


def summary(scores: Sequence[Scores], asked: int) -> dict[str, float | int | None]:
    """Means over the results; joint figures over the joints of all results. None where nothing was measured.

    Args:
        asked: how many images were sent, results or not: the base of `coverage`.
    """
    joints = [joint for one in scores for joint in one.joints]
    shapes = [asdict(one.shape) for one in scores if one.shape]
    return {
        "n": asked,
        "coverage": len(scores) / asked,
        "type_error": _mean([not joint.type_right for joint in joints]),
        "axis_error_rad": _mean([joint.axis for joint in joints]),
        "axis_error_sign_free_rad": _mean([joint.axis_sign_free for joint in joints]),
        "origin_error": _mean([joint.origin for joint in joints]),
        "range_iou": _mean([joint.range_iou for joint in joints]),
        "part_count_accuracy": _mean([one.part_count_right for one in scores]),
        "tree_accuracy": _mean([one.tree for one in scores]),
        "success": _mean([joint.success for joint in joints]),
        **{name: _mean([shape[name] for shape in shapes]) for name in ("chamfer", "f_0_02", "f_0_1", "f_0_5")},
        "part_chamfer": _mean([one.part_chamfer for one in scores]),
        "seconds_p50": median(one.seconds for one in scores) if scores else None,
    }


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """All meshes as one."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = [mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=False)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))


def box_mesh(box: Box) -> Mesh:
    """The surface of a box, outward winding."""
    signs: Array = np.array([(x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
    return Mesh(box.center + signs * box.half_extent, _BOX_FACES)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
