from dataclasses import replace

import numpy as np
import pytest
from cabinets import CAMERA, box, cabinet, hollow, part, textured

from articulation.asset import Asset, TexturedMesh
from articulation.files import png
from articulation.joint import Joint, JointType
from articulation.plan import Plan
from gateway.meshes import write_glb
from gateway.package import neighbours
from gateway.package.build import build_asset
from gateway.package.neighbours import SAMPLES, PairCheck, check_pairs
from gateway.package_job import package
from gateway.plans import plan_to_json

UP = np.array([0.0, 1.0, 0.0])


def two_doors(upper: float) -> Asset:
    """A cupboard whose doors hang on either side of one post in its middle, and open towards each other."""
    body = box([-1.0, -1.0, -0.5], [1.0, 1.0, 0.46])
    left, right = box([-1.0, -1.0, 0.46], [-0.05, 1.0, 0.5]), box([0.05, -1.0, 0.46], [1.0, 1.0, 0.5])
    hinges = [
        Joint(JointType.REVOLUTE, axis, np.array([x, 0.0, 0.5]), 0.0, upper) for axis, x in ((UP, -0.05), (-UP, 0.05))
    ]
    parts = (part("body", body), part("left", left, 0, hinges[0]), part("right", right, 0, hinges[1]))
    return build_asset(Plan("x", 1.0, parts, CAMERA), [textured(mesh) for mesh in (body, left, right)], "cupboard")


def drawer_behind_door() -> tuple[Plan, list[TexturedMesh]]:
    """The cabinet with its drawer below, behind the door."""
    plan, (body, door, _) = cabinet(solid_body=True)
    drawer = hollow([-0.5, -0.9, -0.4], [0.5, 0.3, 0.44], 0.03, 1)
    moved = part("drawer", drawer, 0, plan.parts[2].joint)
    return replace(plan, parts=(*plan.parts[:2], moved)), [body, door, textured(drawer)]


def test_doors_of_one_post_meet_when_both_are_wide_open() -> None:
    (check,) = check_pairs(two_doors(2.4))
    assert (check.first, check.second) == ("left", "right")
    assert check.meets
    assert min(check.first_open, check.second_open) > 0.6
    assert "left and right meet" in str(check)


def test_the_same_doors_keep_their_limits() -> None:
    asset = two_doors(2.4)
    assert [link.joint.upper for link in asset.articulation.links[1:]] == pytest.approx([2.4, 2.4])


def test_the_same_doors_pass_when_they_open_less() -> None:
    assert not any(check.meets for check in check_pairs(two_doors(1.4)))


def test_a_drawer_behind_a_door_meets_it_while_it_is_shut() -> None:
    (check,) = check_pairs(build_asset(*drawer_behind_door(), "cabinet"))
    assert check.meets
    opened = {check.first: check.first_open, check.second: check.second_open}
    assert opened["drawer"] > 0
    assert opened["door"] < 0.7


def test_parts_that_never_come_near_each_other_are_not_told(asset: Asset) -> None:
    assert not any(check.meets for check in check_pairs(asset))


def test_a_part_that_hangs_on_a_door_meets_what_stays() -> None:
    """A bolt through the door's outer edge runs into the body, unless the door is open."""
    plan, (body, door, _) = cabinet(solid_body=True)
    knob = box([0.4, -0.1, 0.5], [0.5, 0.0, 0.6])
    push = Joint(JointType.PRISMATIC, np.array([1.0, 0.0, 0.0]), np.zeros(3), 0.0, 0.4)
    post = box([0.62, -1.0, -0.5], [0.8, 1.0, 0.7])
    parts = (*plan.parts[:2], part("bolt", knob, 1, push), part("post", post, 0))
    asset = build_asset(replace(plan, parts=parts), [body, door, textured(knob), textured(post)], "cabinet")
    (check,) = check_pairs(asset)
    assert (check.first, check.second) == ("door", "bolt")
    assert check.meets
    assert check.first_open < 0.2


def test_the_number_of_collision_tests_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    asset, calls = two_doors(2.4), []
    real = neighbours.CollisionModel.contacts
    monkeypatch.setattr(neighbours.CollisionModel, "contacts", lambda self, q: calls.append(q) or real(self, q))
    check_pairs(asset)
    assert 0 < len(calls) < SAMPLES**2


def test_the_asset_report_has_the_pairs_and_a_warning() -> None:
    plan, meshes = drawer_behind_door()
    glbs = [write_glb(mesh.vertices, mesh.faces, mesh.uvs, mesh.texture) for mesh in meshes]
    picture = png(np.zeros((2, 2, 3), dtype=np.uint8))
    _, report = package(plan_to_json(plan), glbs, picture, "cabinet")
    (pair,) = report["pairs"]
    assert pair["penetration"] > 0.01
    assert str(PairCheck(**pair)) in report["notes"]
