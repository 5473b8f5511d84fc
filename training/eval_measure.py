"""All measures of one reconstruction, from its files alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from articulation.camera import Camera
from gateway.package.validate import MIN_REACH
from gateway.stages import guide
from training.eval_pictures import open_state_iou, part_reference_ious, true_opening
from training.eval_run import Run
from training.eval_texture import texture_psnr
from training.scoring import Belief, Result, Scores, Truth, box_mesh, match, score

REPORT = "asset/report.json"


@dataclass(frozen=True)
class Physics:
    """What the simulators found of an asset.

    Attributes:
        executable: it loads and each joint travels its range, in MuJoCo and in PyBullet.
        penetration: deepest, at rest and over every joint's travel, as a fraction of the diagonal.
    """

    executable: bool
    penetration: float


@dataclass(frozen=True)
class Measures:
    """One run against the truth; None or empty where the run ended before the stage.

    Attributes:
        complete: meshes and refined joints.
        unrefined: the same meshes with the plan stage's joints.
        boxes: the plan stage alone, a box for every part.
        open_state_iou: of the guide's open-state image.
        part_reference_ious: one a true part, of the guide's part references.
        texture_psnr: [dB] from unseen views.
        physics: of the asset.
        seconds: duration of each stage [s].
        plan_belief: the plan's confidence, and whether its parts and joint types are right.
    """

    complete: Scores
    unrefined: Scores
    boxes: Scores
    open_state_iou: float | None
    part_reference_ious: tuple[float, ...]
    texture_psnr: float | None
    physics: Physics | None
    seconds: dict[str, float]
    plan_belief: Belief


def measure(truth: Truth, camera: Camera, run: Run) -> Measures:
    """Compare a run with the object.

    Args:
        truth: the object.
        camera: that photographed it.
        run: that began with this photograph.
    """
    spec, plan, meshes = truth.spec, run.plan(), run.meshes()
    result = Result(plan, meshes)
    matched = match(truth, result)
    complete = score(truth, result, matched)
    first = run.plan("plan")
    parts = run.part_pictures()
    opened = run.picture(guide.OPEN_PATH)
    textured = run.textured()
    return Measures(
        complete=complete,
        unrefined=score(truth, replace(result, plan=run.plan("shape")), matched),
        boxes=score(truth, Result(first, tuple(box_mesh(part.box) for part in first.parts))),
        open_state_iou=None
        if opened is None
        else open_state_iou(spec, camera, opened, true_opening(spec, plan, matched)),
        part_reference_ious=part_reference_ious(spec, camera, plan, parts, matched) if parts else (),
        texture_psnr=texture_psnr(spec, camera, textured) if textured else None,
        physics=physics(run.files[REPORT]) if REPORT in run.files else None,
        seconds=run.seconds(),
        plan_belief=Belief(plan.confidence, complete.plan_right),
    )


def physics(report: bytes) -> Physics:
    """What `report.json` of an asset folder says."""
    checks = json.loads(report)["checks"]
    joints = checks["joints"]
    travels = all(min(joint["reach_mujoco"], joint["reach_pybullet"]) >= MIN_REACH for joint in joints)
    deepest = max([checks["rest_penetration"], *(joint["penetration"] for joint in joints)])
    # A diagonal of 0 stands for a document that does not load.
    return Physics(checks["diagonal"] > 0 and travels, float(deepest))
