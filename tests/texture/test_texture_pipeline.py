from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from spoilt_weights import SPOILT
from texture_scenes import CAMERA, parts, pictures, toy_pipeline

from checkpoints.errors import CheckpointError
from services.texture.bake import texels
from services.texture.errors import Cancelled, InvalidInput, WeightsMissing
from services.texture.meshes import PartMesh
from services.texture.observation import View
from services.texture.pipeline import CONTEXT_POINTS, TexturePipeline, surface_sample
from services.texture.projection import depth_map
from services.texture.unwrap import unwrap

EYE = CAMERA.to_array()
SIZE = 64
RED, BLUE = (200, 40, 30), (40, 60, 190)


def run(pipeline: TexturePipeline, color: tuple[int, int, int] = RED, seed: int = 0):
    return pipeline(parts(), *pictures(color), EYE, SIZE, seed)


def test_every_part_comes_back_with_its_faces_and_a_texture() -> None:
    for part, mesh in zip(parts(), run(toy_pipeline()), strict=True):
        np.testing.assert_array_equal(mesh.vertices[mesh.faces], part.vertices[part.faces])
        assert mesh.texture.shape == (SIZE, SIZE, 3)
        assert len(mesh.uvs) == len(mesh.vertices)


def test_baked_texel_is_the_network_at_that_surface_point() -> None:
    pipeline, (photograph, image, references), part = toy_pipeline(), pictures(RED), parts()[0]
    mesh = unwrap(part.vertices, part.faces, SIZE)
    places = texels(mesh, SIZE)
    low, high = part.vertices.min(0), part.vertices.max(0)
    eye = torch.tensor(EYE, dtype=torch.float32)

    def depth(mesh: PartMesh) -> torch.Tensor:
        return depth_map(torch.tensor(mesh.vertices, dtype=torch.float32), torch.tensor(mesh.faces), eye, 32)[None]

    view = View(
        *(torch.tensor(x).permute(2, 0, 1)[None] / 255 for x in (photograph, image, references[0])),
        torch.minimum(depth(parts()[0]), depth(parts()[1])),
        depth(part),
        eye[None],
        torch.tensor(np.concatenate([(low + high) / 2, (high - low) / 2]), dtype=torch.float32)[None],
    )
    context = surface_sample(part, CONTEXT_POINTS, np.random.default_rng((7, 0)))
    # A texel of this small texture is wider than RECIPE_SPACING, so that each has its own recipe.
    with torch.inference_mode():
        colors = pipeline.model(view, places.points[None], places.normals[None], *(x[None] for x in context))[0]
    baked = run(pipeline, seed=7)[0].texture.reshape(-1, 3)[places.index.numpy()]
    assert np.abs(baked - colors.clamp(0, 1).numpy() * 255).max() < 1.01


def test_equal_arguments_give_equal_bytes() -> None:
    for a, b in zip(run(toy_pipeline()), run(toy_pipeline()), strict=True):
        assert a.texture.tobytes() == b.texture.tobytes()
        assert a.uvs.tobytes() == b.uvs.tobytes()


def test_seed_picks_the_surface_sample() -> None:
    pipeline = toy_pipeline()
    assert (run(pipeline, seed=0)[0].texture != run(pipeline, seed=1)[0].texture).any()


def test_texture_follows_the_picture() -> None:
    pipeline = toy_pipeline()
    red, blue = (run(pipeline, color)[0].texture.mean((0, 1)) for color in (RED, BLUE))
    assert red[0] > blue[0] + 30
    assert blue[2] > red[2] + 30


def test_texture_is_as_sharp_as_the_photograph_where_recipes_are_coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    copy = toy_pipeline()
    torch.nn.init.zeros_(copy.model.correct.weight)
    torch.nn.init.zeros_(copy.model.weigh.weight)
    with torch.no_grad():
        copy.model.weigh.bias[0] += 1e3  # the photograph and nothing else
    photograph, image, references = pictures(RED)
    stripes = photograph.copy()
    stripes[:, ::8] = 255
    fine = copy(parts(), stripes, image, references, EYE, 128, 0)[1].texture
    monkeypatch.setattr("services.texture.pipeline.RECIPE_SPACING", 0.5)
    coarse = copy(parts(), stripes, image, references, EYE, 128, 0)[1].texture
    np.testing.assert_array_equal(coarse, fine)


def test_saved_pipeline_answers_the_same(tmp_path) -> None:
    pipeline = toy_pipeline()
    pipeline.save_pretrained(tmp_path)
    again = TexturePipeline.load(tmp_path)
    for a, b in zip(run(pipeline), run(again), strict=True):
        np.testing.assert_array_equal(a.texture, b.texture)


@pytest.mark.parametrize("lost", ["model_index.json", "model/config.json", "model/diffusion_pytorch_model.safetensors"])
def test_missing_file_is_named(tmp_path, lost: str) -> None:
    toy_pipeline().save_pretrained(tmp_path)
    (tmp_path / lost).unlink()
    with pytest.raises(WeightsMissing, match=lost.split("/")[0]):
        TexturePipeline.load(tmp_path)


@pytest.mark.parametrize(("spoil", "said"), SPOILT.items(), ids=[spoil.__name__ for spoil in SPOILT])
def test_spoilt_checkpoint_is_refused(tmp_path, spoil: Callable[[Path], None], said: str) -> None:
    toy_pipeline().save_pretrained(tmp_path)
    spoil(next((tmp_path / "model").glob("*.safetensors")))
    with pytest.raises((CheckpointError, WeightsMissing), match=said):
        TexturePipeline.load(tmp_path)


def test_part_without_surface_stays_empty() -> None:
    empty = PartMesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64))
    photograph, image, references = pictures(RED)
    references[1] = 90
    textured = toy_pipeline()([parts()[0], empty], photograph, image, references, EYE, SIZE, 0)[1]
    assert len(textured.faces) == len(textured.vertices) == len(textured.uvs) == 0
    assert (textured.texture == 90).all()


def test_object_without_any_surface_is_accepted() -> None:
    empty = PartMesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64))
    assert len(toy_pipeline()([empty, empty], *pictures(RED), EYE, SIZE, 0)) == 2


def test_part_seen_from_inside_the_camera_plane_is_textured() -> None:
    huge = PartMesh(parts()[0].vertices * 10, parts()[0].faces)
    assert np.isfinite(toy_pipeline()([huge], *pictures(RED, 1), EYE, SIZE, 0)[0].uvs).all()


def test_cancellation_stops_between_chunks(monkeypatch) -> None:
    monkeypatch.setattr("services.texture.pipeline.POINTS_AT_ONCE", 100)
    polls = iter([False] * 5 + [True])
    with pytest.raises(Cancelled):
        toy_pipeline()(parts(), *pictures(RED), EYE, SIZE, 0, is_cancelled=lambda: next(polls))


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("vertices", {"parts": [PartMesh(np.full((3, 3), np.nan), np.array([[0, 1, 2]]))] * 2}),
        ("faces", {"parts": [PartMesh(np.zeros((3, 3)), np.array([[0, 1, 3]]))] * 2}),
        ("faces", {"parts": [PartMesh(np.zeros((3, 3)), np.array([[0, 1, -1]]))] * 2}),
        ("vertex_offsets", {"parts": []}),
        ("photograph", {"photograph": np.zeros((64, 32, 3), dtype=np.uint8)}),
        ("photograph", {"photograph": np.zeros((0, 0, 3), dtype=np.uint8)}),
        ("object_image", {"object_image": np.zeros((32, 16, 3), dtype=np.uint8)}),
        ("object_image", {"object_image": np.zeros((0, 0, 3), dtype=np.uint8)}),
        ("part_images", {"part_images": np.zeros((3, 32, 32, 3), dtype=np.uint8)}),
        ("part_images", {"part_images": np.zeros((2, 16, 16, 3), dtype=np.uint8)}),
        ("camera", {"camera": np.array([0, 0, -1.0, 0.6, 0, 0])}),
        ("camera", {"camera": np.array([0, np.nan, 4.0, 0.6, 0, 0])}),
        ("texture_size", {"texture_size": 63}),
        ("texture_size", {"texture_size": 4097}),
    ],
)
def test_bad_argument_is_named(field: str, change: dict) -> None:
    photograph, image, references = pictures(RED)
    good = {
        "parts": parts(),
        "photograph": photograph,
        "object_image": image,
        "part_images": references,
        "camera": EYE,
        "texture_size": SIZE,
    }
    with pytest.raises(InvalidInput) as caught:
        toy_pipeline()(**{**good, **change}, seed=0)
    assert caught.value.field == field
