"""Slides that are a few degrees askew: straight where that keeps them clear of what lies beside them."""

from dataclasses import replace

import numpy as np
import pytest
from cabinets import CAMERA, hollow, part, textured

from articulation.asset import Asset, TexturedMesh
from articulation.joint import Joint, JointType
from articulation.plan import Plan
from gateway.package.build import build_asset
from gateway.package.straighten import ASKEW, straight_axis

LOWER = 1


def chest(tilt: float) -> tuple[Plan, list[TexturedMesh]]:
    """Two drawers, one above the other; the lower one's slide rises by `tilt` [rad]."""
    drawers = [hollow([-0.5, low, -0.4], [0.5, low + 0.4, 0.5], 0.03, 1) for low in (-0.41, 0.01)]
    body = hollow([-0.6, -0.5, -0.5], [0.6, 0.5, 0.46], 0.05, 2)
    rails = [
        Joint(JointType.PRISMATIC, np.array([0.0, np.sin(angle), np.cos(angle)]), np.zeros(3), 0.0, 0.5)
        for angle in (tilt, 0.0)
    ]
    parts = (part("body", body), part("lower", drawers[0], 0, rails[0]), part("upper", drawers[1], 0, rails[1]))
    return Plan("storage_furniture", 1.0, parts, CAMERA), [textured(mesh) for mesh in (body, *drawers)]


def axis_of(asset: Asset) -> list[float]:
    return list(asset.articulation.links[LOWER].joint.axis)


def test_a_drawer_that_would_scrape_along_the_next_one_slides_straight() -> None:
    asset = build_asset(*chest(np.radians(8)), "chest")
    assert axis_of(asset) == [1.0, 0.0, 0.0]
    assert "lower, which ran into what lies beside it, slides straight" in asset.notes


def test_a_drawer_askew_with_nothing_in_its_way_stays_so() -> None:
    asset = build_asset(*chest(np.radians(-8)), "chest")
    assert axis_of(asset)[2] == pytest.approx(-np.sin(np.radians(8)))


def test_a_slide_far_from_all_sides_is_meant_so() -> None:
    slide = chest(ASKEW + 0.01)[0].parts[LOWER].joint
    assert straight_axis(slide) is None
    assert straight_axis(chest(ASKEW - 0.01)[0].parts[LOWER].joint) is not None


def test_a_hinge_and_a_straight_slide_are_left_alone() -> None:
    slide = chest(0.1)[0].parts[LOWER].joint
    assert straight_axis(replace(slide, type=JointType.REVOLUTE)) is None
    assert straight_axis(chest(0.0)[0].parts[LOWER].joint) is None


def test_a_slide_may_go_backwards() -> None:
    slide = chest(0.1)[0].parts[LOWER].joint
    assert straight_axis(replace(slide, axis=-slide.axis)) == pytest.approx([0.0, 0.0, -1.0])
