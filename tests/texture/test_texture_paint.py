"""The texture network's examples with pictures that the image editor painted, on an editor that paints its prompt."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from articulation.camera import Camera
from services.vlm.edit_model import EditModel
from services.vlm.edit_pipeline import CompactEditPipeline
from services.vlm.editing import ImageEditor
from training import texture_paint, train_texture
from training.library import Library, build_library
from training.objects import Split, generate
from training.texture_data import TextureData, render_data
from training.texture_paint import PAINTED, Painter
from training.texture_pool import Pool

SIZE = 32
ROWS = torch.arange(3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An editor of random weights, whose first answer is the prompt: boxes with the colours they carry."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("compact-edit")
    model = EditModel(image_size=SIZE, widths=(16, 32), layers=1, head_width=8)
    CompactEditPipeline(model.half(), FlowMatchEulerDiscreteScheduler(), steps=1).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def painter(folder: Path) -> Painter:
    return Painter.load(folder, torch.device("cpu"))


@pytest.fixture(scope="module")
def library() -> Library:
    return build_library(range(3), Split.VAL)


@pytest.fixture(scope="module")
def data(library: Library) -> TextureData:
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    return render_data(library, ROWS, Split.VAL, SIZE, generator, rng)


def painted(painter: Painter, library: Library, data: TextureData, share: float = 1.0, seed: int = 0) -> TextureData:
    return painter.paint(data, library.scene(ROWS), share, torch.Generator().manual_seed(seed))


def test_under_a_right_plan_each_picture_is_the_services_own(
    folder: Path, painter: Painter, library: Library, data: TextureData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texture_paint, "imagine", lambda plan, generator: plan)
    monkeypatch.setattr(texture_paint, "draw_missed", lambda plan, generator: torch.zeros_like(plan.valid))
    monkeypatch.setattr(texture_paint, "CHUNK", 4)
    found = painted(painter, library, data)
    editor = ImageEditor.load(folder)
    specs = sorted((generate(seed, Split.VAL) for seed in range(3)), key=lambda spec: len(spec.primitives))
    for row, spec in enumerate(specs):  # the library's order
        plan = spec.plan(Camera.from_array(data.camera[row].numpy()))
        photograph = data.photograph[row].permute(1, 2, 0).numpy()
        whole, parts = editor.part_references(photograph, plan, seed=0)
        own = found.part_image[found.owner == row]
        assert len(own) == len(parts)
        for picture, expected in zip([found.object_image[row], *own], [whole, *parts], strict=True):
            difference = (picture.permute(1, 2, 0).int() - torch.from_numpy(expected).int()).abs()
            assert (difference > 2).float().mean() < 0.01  # rays round differently in float32 at a box's rim


def test_painted_pictures_differ_from_the_true_ones_and_stand_on_white(
    painter: Painter, library: Library, data: TextureData
) -> None:
    found = painted(painter, library, data)
    assert found.painted.all()
    for own, true in ((found.object_image, data.object_image), (found.part_image, data.part_image)):
        assert (own.float() - true.float()).abs().mean() > 1
        corners = own[..., [0, 0, -1, -1], [0, -1, 0, -1]]
        assert (corners == 255).float().mean() > 0.95
    assert torch.equal(found.photograph, data.photograph)


def test_an_imagined_plan_has_the_told_camera(
    painter: Painter, library: Library, data: TextureData, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras = []

    def draw(plan, coordinates, asked, task, image):
        cameras.append(plan.camera)
        return texture_draw(plan, coordinates, asked, task, image)

    texture_draw = texture_paint.draw_prompt
    monkeypatch.setattr(texture_paint, "draw_prompt", draw)
    painted(painter, library, data)
    assert torch.equal(torch.cat(cameras), data.camera[torch.cat([ROWS, data.owner])])


def test_only_the_drawn_share_of_objects_is_painted_all_parts_of_them(
    painter: Painter, library: Library, data: TextureData
) -> None:
    tries = (painted(painter, library, data, 0.5, seed) for seed in range(20))
    found = next(x for x in tries if 0 < x.painted.sum() < 3)
    kept = ~found.painted
    assert torch.equal(found.object_image[kept], data.object_image[kept])
    assert torch.equal(found.part_image[kept[data.owner]], data.part_image[kept[data.owner]])
    changed = (found.part_image != data.part_image).flatten(1).any(1)
    assert changed[found.painted[data.owner]].float().mean() > 0.9  # but for parts that nobody sees
    nothing = painted(painter, library, data, 0.0)
    assert not nothing.painted.any()
    assert torch.equal(nothing.part_image, data.part_image)


def test_equal_seeds_paint_equal_pictures(painter: Painter, library: Library, data: TextureData) -> None:
    first, again, other = (painted(painter, library, data, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.object_image, again.object_image)
    assert torch.equal(first.part_image, again.part_image)
    assert not torch.equal(first.part_image, other.part_image)


def test_a_pool_with_a_painter_holds_painted_and_true_pictures(painter: Painter, library: Library) -> None:
    data = Pool(library, Split.VAL, 2, 8, seed=0, share=0.5, painter=painter).data
    assert 0.5 < data.painted.float().mean() < 1


def test_a_toy_run_with_an_editor_judges_painted_inputs_and_ships(tmp_path: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    options = ["--toy", "--objects", "4", "--run-seconds", "4", "--total-seconds", "4", "--editor", str(folder)]
    train_texture.main([*options, "--state", str(tmp_path / "state"), "--export", str(tmp_path / "weights")])
    facts = json.loads((tmp_path / "weights/training.json").read_text())
    assert facts["painted"] == PAINTED
    assert set(facts["held_out"]["val"]) == {"exact inputs", "spoiled inputs", "painted inputs"}
    assert "| test | painted inputs | model |" in (tmp_path / "weights/README.md").read_text()
