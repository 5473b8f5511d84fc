"""A joint that follows another, through packaging and its checks: a right door that goes with the left one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from cabinets import CAMERA, box, cabinet, hollow, part, textured

from articulation.asset import Asset, TexturedMesh
from articulation.files import png
from articulation.joint import Joint, JointType, Mimic
from articulation.plan import Plan
from articulation.urdf import read_urdf
from gateway.meshes import write_glb
from gateway.package.build import build_asset
from gateway.package.contacts import CollisionModel
from gateway.package.dynamics import drive_followers
from gateway.package.errors import JointBlocked
from gateway.package.manipulate import demonstrate
from gateway.package.neighbours import check_pairs
from gateway.package.validate import ValidationReport, validate
from gateway.package.write import write_asset
from gateway.package_job import package
from gateway.plans import plan_to_json

UP = np.array([0.0, 1.0, 0.0])
LEFT, RIGHT = 1, 2


def cupboard(mimic: Mimic, *obstacles: trimesh.Trimesh) -> tuple[Plan, list[TexturedMesh]]:
    """Two doors hinged on the outer sides, which open to 1.5 rad; obstacles belong to the body."""
    body = trimesh.util.concatenate([hollow([-1.0, -0.5, -0.5], [1.0, 0.5, 0.46], 0.05, 2), *obstacles])
    doors = [box([-1.0, -0.5, 0.46], [-0.01, 0.5, 0.5]), box([0.01, -0.5, 0.46], [1.0, 0.5, 0.5])]
    left = Joint(JointType.REVOLUTE, -UP, np.array([-1.0, 0.0, 0.5]), 0.0, 1.5)
    right = Joint(JointType.REVOLUTE, UP, np.array([1.0, 0.0, 0.5]), 0.0, 0.3, mimic=mimic)
    parts = (part("body", body), part("left", doors[0], 0, left), part("right", doors[1], 0, right))
    return Plan("storage_furniture", 1.0, parts, CAMERA), [textured(mesh) for mesh in (body, *doors)]


@pytest.fixture(scope="module")
def coupled() -> Asset:
    return build_asset(*cupboard(Mimic("left", 0.8)), "cupboard")


@pytest.fixture(scope="module")
def coupled_folder(coupled: Asset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cupboard")
    write_asset(coupled, folder)
    return folder


@pytest.fixture(scope="module")
def coupled_report(coupled_folder: Path) -> ValidationReport:
    return validate(coupled_folder)


def test_a_planned_follower_is_in_the_folder_that_the_caller_gets() -> None:
    plan, meshes = cupboard(Mimic("left", 0.8))
    glbs = [write_glb(mesh.vertices, mesh.faces, mesh.uvs, mesh.texture) for mesh in meshes]
    files, _ = package(plan_to_json(plan), glbs, png(np.zeros((8, 8, 3), np.uint8)), "x")
    right = read_urdf(files["asset.urdf"]).articulation.links[RIGHT]
    assert right.joint.mimic == Mimic("left", 0.8)


def test_a_follower_may_go_as_far_as_its_leader_takes_it(coupled: Asset) -> None:
    assert coupled.articulation.links[RIGHT].joint.upper == pytest.approx(0.8 * 1.5)
    assert "right goes as far as the joint that it follows takes it" in coupled.notes


def test_what_stops_the_follower_stops_its_leader() -> None:
    wall = box([1.3, -0.5, 0.46], [1.4, 0.5, 2.0])
    asset = build_asset(*cupboard(Mimic("left", 1.6), wall), "cupboard")
    left, right = (link.joint.upper for link in asset.articulation.links[1:])
    assert left < 1.35
    assert right == pytest.approx(1.6 * left)
    assert CollisionModel(asset).depth(np.array([0.0, left, 0.0])) < 0.01 * asset.diagonal


def test_a_leader_that_is_blocked_is_refused_and_not_drawn_out_without_its_follower() -> None:
    plan, meshes = cabinet(solid_body=True)
    axis = np.array([-0.27, -0.09, 0.96])
    stuck = Joint(JointType.CONTINUOUS, axis / np.linalg.norm(axis), np.array([0.54, 0.5, 0.05]))
    body, door, drawer = plan.parts
    parts = (body, replace(door, joint=replace(door.joint, mimic=Mimic("drawer"))), replace(drawer, joint=stuck))
    with pytest.raises(JointBlocked, match="drawer"):
        build_asset(replace(plan, parts=parts), meshes, "cabinet")


def test_both_pass_all_checks(coupled_report: ValidationReport) -> None:
    assert coupled_report.problems == ()
    assert [joint.reach_mujoco for joint in coupled_report.joints] == [1.0, 1.0]


def test_a_follower_that_stands_off_while_its_leader_is_closed_does_not_drift(tmp_path: Path) -> None:
    write_asset(build_asset(*cupboard(Mimic("left", 1.0, 0.2)), "cupboard"), tmp_path)
    assert [joint.drift_absolute for joint in validate(tmp_path).joints] == pytest.approx([0.0, 0.0], abs=1e-3)


def test_a_hand_on_either_opens_both_and_disturbs_neither(coupled_folder: Path) -> None:
    results = [one.result for one in demonstrate(coupled_folder)]
    assert [result.link for result in results if result.applicable and not result.problems] == ["left", "right"]
    assert max(result.disturbed for result in results) == 0.0


def test_a_motor_is_strong_enough_for_both(coupled: Asset) -> None:
    own = [replace(body.dynamics, effort=effort) for body, effort in zip(coupled.bodies, (0.0, 3.0, 5.0), strict=True)]
    assert [joint.effort for joint in drive_followers(coupled.articulation, own)] == pytest.approx([0.0, 7.0, 5.0])


def test_a_leader_and_its_follower_are_no_pair(coupled: Asset) -> None:
    assert check_pairs(coupled) == ()
