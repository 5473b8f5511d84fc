"""The full family's whole way, with a toy checkpoint, and with a painter whose pictures are known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from texture_scenes import CAMERA, parts, pictures, toy_pipeline
from torch import Tensor

from services.texture.bake import texels
from services.texture.errors import Cancelled, InvalidInput, WeightsMissing
from services.texture.families import load
from services.texture.meshes import PartMesh
from services.texture.multiview_pipeline import MultiviewPipeline
from services.texture.pipeline import TexturePipeline
from services.texture.unwrap import unwrap
from training.published_texture import SMALL, write_random

EYE = CAMERA.to_array()
RED, BLUE = (200, 40, 30), (40, 60, 190)


class Positions:
    """A painter that paints each view with the positions that it is shown."""

    size, device = 192, torch.device("cpu")

    def paint(self, maps: Tensor, reference: Tensor, seed: int, is_cancelled: Callable[[], bool]) -> Tensor:
        return maps[:, :3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random(tmp_path_factory.mktemp("published") / "texture", SMALL)


@pytest.fixture(scope="module")
def toy(folder: Path) -> MultiviewPipeline:
    pipeline = load(folder)
    assert isinstance(pipeline, MultiviewPipeline)
    pipeline.painter.steps = 1
    return pipeline


def run(pipeline: MultiviewPipeline, color: tuple[int, int, int] = RED, seed: int = 0, shift: float = 0.0):
    moved = [
        PartMesh(part.vertices + np.array([0, 0, shift * index]), part.faces) for index, part in enumerate(parts())
    ]
    return pipeline(moved, *pictures(color), EYE, 64, seed)


def test_the_folder_decides_the_family(tmp_path: Path, toy: MultiviewPipeline) -> None:
    toy_pipeline().save_pretrained(tmp_path / "compact")
    assert isinstance(load(tmp_path / "compact"), TexturePipeline)
    with pytest.raises(WeightsMissing):
        (tmp_path / "empty/base").mkdir(parents=True)
        load(tmp_path / "empty")


def test_every_part_comes_back_with_its_faces_and_a_texture(toy: MultiviewPipeline) -> None:
    for part, mesh in zip(parts(), run(toy), strict=True):
        np.testing.assert_array_equal(mesh.vertices[mesh.faces], part.vertices[part.faces])
        assert mesh.texture.shape == (64, 64, 3)
        assert len(mesh.uvs) == len(mesh.vertices)


def test_seed_reference_and_geometry_matter_and_nothing_else_does(toy: MultiviewPipeline) -> None:
    first = run(toy)[0].texture
    assert first.tobytes() == run(toy)[0].texture.tobytes()
    for changed in (run(toy, seed=1), run(toy, color=BLUE), run(toy, shift=0.3)):
        assert (changed[0].texture != first).any()


def test_painted_pictures_come_out_where_they_belong_on_every_part() -> None:
    """The colour of a texel is its own position: seams, parts and sides all agree."""
    vertices = np.concatenate([part.vertices for part in parts()])
    low, high = vertices.min(0), vertices.max(0)
    textured = MultiviewPipeline(Positions())(parts(), *pictures(RED, size=192), EYE, 128, 0)
    for part, mesh in zip(parts(), textured, strict=True):
        places = texels(unwrap(part.vertices, part.faces, 128), 128)
        points, normals = places.points.numpy(), places.normals.numpy()
        x, y, z = ((points - (low + high) / 2) / (high - low).max() + 0.5).T
        expected = np.stack([x, 1 - z, y], -1)
        found = mesh.texture.reshape(-1, 3)[places.index.numpy()] / 255
        # What faces the nearest face of the object's box, and lies on it, is in plain view.
        outside = (
            np.abs(np.where(normals > 0.9, high - points, np.where(normals < -0.9, points - low, 9))).min(1) < 0.02
        )
        assert outside.sum() > 100
        assert np.quantile(np.abs(found - expected)[outside].max(-1), 0.99) < 0.04


def test_gaps_between_charts_take_colours_of_the_part() -> None:
    mesh = MultiviewPipeline(Positions())(parts(), *pictures(RED, size=192), EYE, 128, 0)[0]
    places = texels(unwrap(parts()[0].vertices, parts()[0].faces, 128), 128)
    inside = np.zeros(128 * 128, dtype=bool)
    inside[places.index.numpy()] = True
    colors = mesh.texture.reshape(-1, 3)
    assert {tuple(own) for own in colors[~inside]} <= {tuple(own) for own in colors[inside]}


def test_part_without_surface_stays_empty_and_an_empty_object_is_accepted() -> None:
    empty = PartMesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64))
    pipeline = MultiviewPipeline(Positions())
    photograph, image, references = pictures(RED)
    references[1] = 90
    textured = pipeline([parts()[0], empty], photograph, image, references, EYE, 64, 0)
    assert len(textured[1].faces) == 0
    assert (textured[1].texture == 90).all()
    assert len(pipeline([empty, empty], photograph, image, references, EYE, 64, 0)) == 2


def test_cancellation_stops_between_parts() -> None:
    polls = iter([False, True])
    with pytest.raises(Cancelled, match="part 1"):
        MultiviewPipeline(Positions())(parts(), *pictures(RED), EYE, 64, 0, is_cancelled=lambda: next(polls))


def test_bad_arguments_are_named_before_anything_is_painted(toy: MultiviewPipeline) -> None:
    with pytest.raises(InvalidInput) as caught:
        toy(parts(), *pictures(RED), EYE, 63, 0)
    assert caught.value.field == "texture_size"
