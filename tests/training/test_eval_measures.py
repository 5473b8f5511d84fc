"""Measures of a run: a perfect one is perfect, and each mistake shows where it belongs."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from perfect_runs import perfect_run
from PIL import Image

from articulation.asset import TexturedMesh
from articulation.files import png
from articulation.joint import JointType
from gateway.plans import plan_to_json
from training.camera import sample_camera
from training.draw import Split
from training.eval_measure import Measures, measure, physics
from training.eval_pictures import iou, silhouette
from training.eval_run import Run
from training.eval_texture import unlit, unseen_views
from training.objects import generate
from training.render import render
from training.scene import pack
from training.scoring import Truth

SPEC = next(
    spec
    for spec in (generate(seed, Split.VAL, "storage_furniture") for seed in range(50))
    if len(spec.links) == 4 and all(link.joint.type is not JointType.PRISMATIC for link in spec.links)
)
"""A small cabinet of hinged doors, whose outline changes when they open."""
CAMERA = sample_camera(np.random.default_rng(1), Split.VAL, SPEC.half_extent)


@pytest.fixture(scope="module")
def truth() -> Truth:
    return Truth.of(SPEC)


@pytest.fixture(scope="module")
def run() -> Run:
    return perfect_run(SPEC, CAMERA)


@pytest.fixture(scope="module")
def measures(truth: Truth, run: Run) -> Measures:
    return measure(truth, CAMERA, run)


def test_a_perfect_run_is_perfect(measures: Measures) -> None:
    assert measures.complete.plan_right and measures.plan_belief.right
    assert measures.open_state_iou == pytest.approx(1)
    assert measures.part_reference_ious == pytest.approx([1] * len(SPEC.links))
    assert measures.physics is not None and measures.physics.executable
    assert measures.seconds["guide"] == 2


def test_boxes_find_the_joints_and_miss_the_shape(measures: Measures) -> None:
    boxes, complete = measures.boxes, measures.complete
    assert all(joint.success for joint in boxes.joints)
    assert boxes.shape is not None and complete.shape is not None
    assert boxes.shape.chamfer > complete.shape.chamfer


def test_joints_before_refinement_are_scored_apart(truth: Truth, run: Run) -> None:
    plan = run.plan()
    turned = tuple(
        replace(part, joint=replace(part.joint, axis=-part.joint.axis)) if part.joint.type.moves else part
        for part in plan.parts
    )
    planned = {**run.files, "plan/plan.json": plan_to_json(replace(plan, parts=turned))}
    found = measure(truth, CAMERA, Run(planned))
    assert all(joint.success for joint in found.complete.joints)
    assert not any(joint.success for joint in found.unrefined.joints if joint.range_iou is not None)


def test_a_closed_picture_is_no_open_state(truth: Truth, run: Run, measures: Measures) -> None:
    found = measure(truth, CAMERA, Run({**run.files, "guide/open.png": run.files["guide/object.png"]}))
    assert found.open_state_iou is not None and measures.open_state_iou is not None
    assert found.open_state_iou < measures.open_state_iou - 0.02


def test_a_part_that_was_not_drawn_counts_zero(truth: Truth, run: Run) -> None:
    name = SPEC.links[-1].name
    blank = png(np.full((96, 96, 3), 255, np.uint8))
    found = measure(truth, CAMERA, Run({**run.files, f"guide/parts/{name}.png": blank}))
    assert found.part_reference_ious[-1] == 0
    assert found.part_reference_ious[0] == pytest.approx(1)


def test_a_run_that_stopped_early_has_no_later_measures(truth: Truth, run: Run) -> None:
    found = measure(truth, CAMERA, Run({k: v for k, v in run.files.items() if not k.startswith(("t", "a", "sh"))}))
    assert found.texture_psnr is None and found.physics is None and found.complete.shape is None
    assert found.part_reference_ious == pytest.approx([1] * len(SPEC.links))


def test_alpha_counts_before_colour() -> None:
    picture = np.full((4, 4, 4), 255, np.uint8)
    picture[:2, :, 3] = 0
    assert silhouette(picture).sum() == 8
    assert silhouette(np.full((4, 4, 3), 255, np.uint8)).sum() == 0


def test_overlap_of_two_masks() -> None:
    one, other = torch.zeros(2, 4, dtype=torch.bool), torch.zeros(2, 4, dtype=torch.bool)
    assert iou(one, other) is None
    one[0], other[:, 0] = True, True
    assert iou(one, other) == pytest.approx(1 / 5)


def test_texture_colours_lie_where_the_ray_caster_sees_their_points() -> None:
    """A texture that spells x and y, seen by the rasteriser, against positions that rays hit."""
    ramp = (np.arange(256) + 0.5) / 256
    texture = np.stack([np.tile(ramp, (256, 1)), np.tile(ramp[::-1, None], (1, 256)), np.zeros((256, 256))], -1)
    meshes = [
        TexturedMesh(
            np.asarray(m.vertices), np.asarray(m.faces), (m.vertices[:, :2] + 1) / 2, (texture * 255).astype(np.uint8)
        )
        for m in SPEC.link_meshes()
    ]
    scene = pack([SPEC], "cpu")
    for view in (CAMERA, *unseen_views(CAMERA)):
        camera = torch.tensor(view.to_array()).float()
        color, covered = unlit(meshes, camera, 96)
        seen = render(scene, camera[None], torch.zeros_like(scene.joint_upper), scene.link_valid, 96)
        mask = seen.link[0] >= 0
        assert iou(covered, mask) == pytest.approx(1, abs=0.03)
        both = covered & mask
        error = (color[both][:, :2] - (seen.position[0][both][:, :2] + 1) / 2).abs()
        assert error.quantile(0.95) < 0.02


def test_unseen_views_look_from_the_sides_and_the_back() -> None:
    toward = [view.position / np.linalg.norm(view.position) for view in (CAMERA, *unseen_views(CAMERA))]
    assert all(toward[0] @ other < 0 for other in toward[1:])


def test_a_joint_that_gets_stuck_in_one_simulator_is_not_executable() -> None:
    joint = {"reach_mujoco": 1.0, "reach_pybullet": 0.5, "penetration": 0.004}
    checks = {"diagonal": 1.0, "rest_penetration": 0.001, "joints": [joint]}
    found = physics(json.dumps({"checks": checks}).encode())
    assert not found.executable and found.penetration == 0.004


def test_a_run_comes_back_from_its_zip(run: Run, tmp_path: Path) -> None:
    run.save(tmp_path / "run.zip")
    assert dict(Run.load(tmp_path / "run.zip").files) == dict(run.files)
    assert Image.open(io.BytesIO(run.files["input.png"])).size == (96, 96)
