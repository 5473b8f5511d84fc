"""Joints that turn without an end, in an asset."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from cabinets import box, cabinet, part, textured

from articulation.asset import Asset
from articulation.joint import Joint, JointType
from gateway.package.build import build_asset
from gateway.package.validate import validate
from gateway.package.write import write_asset

DIAL = 3


def dialled(stop: bool) -> Asset:
    """The cabinet with a pointer that turns on its drawer's front, clockwise from twelve o'clock, perhaps with a stop
    that begins after six."""
    plan, meshes = cabinet()
    pointer = box([-0.03, 0.645, 0.51], [0.03, 0.85, 0.56])
    joint = Joint(JointType.CONTINUOUS, np.array([0.0, 0.0, -1.0]), np.array([0.0, 0.675, 0.5]), 0.0, 2 * np.pi)
    if stop:
        peg = box([-0.5, 0.5, 0.48], [-0.04, 0.75, 0.75])
        drawer = trimesh.Trimesh(meshes[2].vertices, meshes[2].faces)
        meshes[2] = textured(trimesh.boolean.union([drawer, peg], engine="manifold"))
    dialled = replace(plan, parts=(*plan.parts, part("dial", pointer, 2, joint)))
    return build_asset(dialled, [*meshes, textured(pointer)], "cabinet")


def test_a_dial_that_nothing_stops_turns_without_an_end_and_passes_all_checks(tmp_path: Path) -> None:
    asset = dialled(stop=False)
    assert asset.articulation.links[DIAL].joint.type is JointType.CONTINUOUS
    write_asset(asset, tmp_path)
    report = validate(tmp_path)
    assert report.ok, report.problems
    (dial,) = [check for check in report.joints if check.link == "dial"]
    assert (dial.type, dial.penetration) == ("continuous", 0.0)


def test_a_dial_that_is_stopped_turns_up_to_the_stop() -> None:
    asset = dialled(stop=True)
    joint = asset.articulation.links[DIAL].joint
    assert (joint.type, joint.lower) == (JointType.REVOLUTE, 0.0)
    assert joint.upper == pytest.approx(1.2 * np.pi, abs=0.15 * np.pi)
    assert any(note.startswith("dial keeps") for note in asset.notes)
