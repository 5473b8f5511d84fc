"""Exact objects of the training data generator through packaging: nothing may be lost on the way."""

from pathlib import Path

import pytest
from cabinets import CAMERA, textured

from articulation.joint import JointType
from gateway.package.build import build_asset
from gateway.package.validate import validate
from gateway.package.write import write_asset
from training.objects import CATEGORIES, Split, generate


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_generated_object_keeps_its_travel_and_passes_every_check(category: str, tmp_path: Path) -> None:
    spec = generate(0, Split.TEST, category)
    asset = build_asset(spec.plan(CAMERA), [textured(mesh) for mesh in spec.link_meshes()], category)
    write_asset(asset, tmp_path)
    assert validate(tmp_path).problems == ()
    for planned, link in zip(spec.articulation(), asset.articulation, strict=True):
        length = spec.size / 2 if planned.joint.type is JointType.PRISMATIC else 1.0
        assert link.joint.type is planned.joint.type
        assert link.joint.upper >= 0.9 * planned.joint.upper * length
