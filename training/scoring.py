"""Scores of reconstructions against the objects that were photographed: pure functions of truth and result.

Every Chamfer distance has 10,000 points a side, as the paper's; parts are matched on fewer, which decides the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from articulation.asset import Mesh
from articulation.metrics import (
    JointScores,
    PartMatch,
    ShapeScores,
    articulation_scores,
    chamfer,
    match_parts,
    sample_surface,
    shape_scores,
)
from articulation.plan import Box, Plan
from articulation.typing import Array
from training.spec import ObjectSpec

POINTS = 10_000
"""On each surface; two samples of one object's surface are then about 0.05 apart, the floor of its Chamfer distance."""
MATCH_POINTS = 1_000
"""On each part, where only the order of distances counts."""
_BOX_FACES = np.array(
    [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4),
     (1, 5, 7), (1, 7, 3)]
)  # fmt: skip
"""(12, 3) triangles over corners numbered by the bits of (x, y, z)."""

Values = dict[str, float | int | None]
"""Metric to mean; None where nothing was measured."""


@dataclass(frozen=True, eq=False)
class Truth:
    """An object and what every comparison with it needs.

    Attributes:
        spec: the object.
        meshes: one a part, model space.
        whole: (POINTS, 3) on the surfaces of all parts.
        parts: (POINTS, 3) on each part.
    """

    spec: ObjectSpec
    meshes: tuple[Mesh, ...]
    whole: Array
    parts: tuple[Array, ...]

    @classmethod
    def of(cls, spec: ObjectSpec) -> Truth:
        rng = np.random.default_rng(0)
        meshes = part_meshes(spec)
        parts = tuple(sample_surface(mesh, POINTS, rng) for mesh in meshes)
        return cls(spec, meshes, sample_surface(joined(meshes), POINTS, rng), parts)


@dataclass(frozen=True, eq=False)
class Result:
    """What the service made of one image.

    Attributes:
        plan: the latest plan.
        meshes: one mesh a planned part, model space; empty when the stages run made none.
    """

    plan: Plan
    meshes: tuple[Mesh, ...]


@dataclass(frozen=True)
class Belief:
    """A confidence in [0, 1], and whether what it was about is right."""

    confidence: float
    right: bool


@dataclass(frozen=True)
class Scores:
    """One result against the truth.

    Attributes:
        shape: of the whole object; None without meshes.
        part_chamfer: over matched and unmatched parts; None without meshes.
        joints: one for each true part that moves.
        tree: fraction of true parts that hang on the right parent.
        part_count_right: whether the number of parts is right.
        beliefs: one for each planned part that moves: its joint's confidence, and its success.
    """

    shape: ShapeScores | None
    part_chamfer: float | None
    joints: tuple[JointScores, ...]
    tree: float
    part_count_right: bool
    beliefs: tuple[Belief, ...]

    @property
    def plan_right(self) -> bool:
        """Whether the parts and all joint types are right: what a plan's confidence is about."""
        return self.part_count_right and all(joint.type_right for joint in self.joints)


def match(truth: Truth, result: Result) -> PartMatch:
    """Parts matched by their meshes, or by the plan's boxes where there are no meshes; those chamfers count nothing."""
    rng = np.random.default_rng(0)
    guesses = result.meshes or tuple(box_mesh(part.box) for part in result.plan.parts)
    targets = [points[:MATCH_POINTS] for points in truth.parts]
    if not result.meshes:
        boxes = [box_mesh(Box(box[:3], box[3:])) for box in truth.spec.boxes]
        targets = [sample_surface(box, MATCH_POINTS, rng) for box in boxes]
    found = match_parts([sample_surface(mesh, MATCH_POINTS, rng) for mesh in guesses], targets)
    if not result.meshes:
        return found
    exact = [
        chamfer(sample_surface(result.meshes[guess], POINTS, rng), truth.parts[true]) for guess, true in found.pairs
    ]
    return replace(found, chamfers=tuple(exact))


def score(truth: Truth, result: Result, matched: PartMatch | None = None) -> Scores:
    """Score one result; `matched` saves the matching where it is known."""
    matched = matched or match(truth, result)
    tree = articulation_scores(result.plan.articulation(), truth.spec.articulation(), matched)
    shape = None
    if result.meshes:
        points = sample_surface(joined(result.meshes), POINTS, np.random.default_rng(1))
        shape = shape_scores(points, truth.whole)
    of_true = dict(zip(truth.spec.articulation().moving, tree.joints, strict=True))
    of_guess = {guess: of_true[true].success for guess, true in matched.pairs if true in of_true}
    return Scores(
        shape=shape,
        part_chamfer=matched.mean_chamfer if result.meshes else None,
        joints=tree.joints,
        tree=tree.tree_accuracy,
        part_count_right=tree.part_count_right,
        beliefs=tuple(
            Belief(part.joint.confidence, of_guess.get(index, False))
            for index, part in enumerate(result.plan.parts)
            if part.joint.type.moves
        ),
    )


def shape_summary(scores: Sequence[Scores]) -> Values:
    """Means of what meshes alone decide, over the results."""
    shapes = [asdict(one.shape) for one in scores if one.shape]
    return {
        **{name: mean([shape[name] for shape in shapes]) for name in ("chamfer", "f_0_02", "f_0_1", "f_0_5")},
        "part_chamfer": mean([one.part_chamfer for one in scores]),
    }


def joint_summary(scores: Sequence[Scores]) -> Values:
    """Means of what joints decide, over all true parts that move."""
    joints = [joint for one in scores for joint in one.joints]
    return {
        "type_error": mean([not joint.type_right for joint in joints]),
        "axis_error_rad": mean([joint.axis for joint in joints]),
        "axis_error_sign_free_rad": mean([joint.axis_sign_free for joint in joints]),
        "origin_error": mean([joint.origin for joint in joints]),
        "range_iou": mean([joint.range_iou for joint in joints]),
        "success": mean([joint.success for joint in joints]),
    }


def tree_summary(scores: Sequence[Scores]) -> Values:
    """Means of what the plan's parts decide, over the results."""
    return {
        "part_count_accuracy": mean([one.part_count_right for one in scores]),
        "tree_accuracy": mean([one.tree for one in scores]),
    }


def mean(values: Sequence[float | None]) -> float | None:
    """Over the known values."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def part_meshes(spec: ObjectSpec) -> tuple[Mesh, ...]:
    """The true surface of each part, model space."""
    return tuple(Mesh(mesh.vertices, mesh.faces) for mesh in spec.link_meshes())


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """All meshes as one."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = [mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=False)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))


def box_mesh(box: Box) -> Mesh:
    """The surface of a box, outward winding."""
    signs: Array = np.array([(x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
    return Mesh(box.center + signs * box.half_extent, _BOX_FACES)
