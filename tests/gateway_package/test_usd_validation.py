"""The USD of whole assets, as the package stage writes them, in a validator that is not ours."""

from pathlib import Path

import pytest
import usd_validation
from cabinets import CAMERA, textured

from gateway.package.build import build_asset
from gateway.package.write import USD, write_asset
from training.objects import CATEGORIES, Split, generate


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_generated_object_has_no_problem(category: str, tmp_path: Path) -> None:
    spec = generate(0, Split.VAL, category)
    asset = build_asset(spec.plan(CAMERA), [textured(mesh) for mesh in spec.link_meshes()], category)
    write_asset(asset, tmp_path)
    assert usd_validation.problems(tmp_path / USD) == set()


def test_a_missing_texture_is_a_problem(folder: Path, tmp_path: Path) -> None:
    (tmp_path / USD).write_bytes((folder / USD).read_bytes())
    assert usd_validation.problems(tmp_path / USD) != set()
