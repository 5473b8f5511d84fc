"""ImageEditor's contract, on a toy checkpoint: shapes, determinism, dependence on its inputs, typed errors."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from edit_plans import cabinet
from spoilt_weights import SPOILT

from articulation.typing import AnyArray, ImageArray
from services.vlm.edit_model import COVERAGE, EditModel
from services.vlm.edit_pipeline import CompactEditPipeline
from services.vlm.editing import ImageEditor
from serving.errors import InvalidImage, InvalidRequest, ModelNotReady

SIZE = 32
OPENING = [0.0, 0.0, 0.5, 0.5]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = EditModel(image_size=SIZE, widths=(16, 32), layers=1, head_width=8)
    with torch.no_grad():
        model.paint.weight += 0.2 * torch.randn(model.paint.weight.shape)
        model.paint.bias[COVERAGE] += 1.0  # covers some pixels, so that colours show
    path = tmp_path_factory.mktemp("compact-edit")
    CompactEditPipeline(model.half(), FlowMatchEulerDiscreteScheduler()).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def editor(folder: Path) -> ImageEditor:
    return ImageEditor.load(folder)


def picture(seed: int = 0, size: int = 48) -> ImageArray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def test_references_are_one_picture_of_the_object_and_one_a_part(editor: ImageEditor) -> None:
    whole, parts = editor.part_references(picture(), cabinet(), seed=0)
    assert len(parts) == 4
    for image in (whole, *parts):
        assert image.shape == (SIZE, SIZE, 3)
        assert image.dtype == np.uint8


def test_parts_differ_from_each_other_and_from_the_object(editor: ImageEditor) -> None:
    whole, parts = editor.part_references(picture(), cabinet(), seed=0)
    assert len({image.tobytes() for image in (whole, *parts)}) == 5


def test_the_same_arguments_give_the_same_picture(editor: ImageEditor) -> None:
    first, again = (editor.open_state(picture(), cabinet(), OPENING, seed=7) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("seed", [-1, 2**63 - 1])
def test_every_64_bit_seed_is_accepted(editor: ImageEditor, seed: int) -> None:
    assert editor.open_state(picture(), cabinet(), OPENING, seed).any()


def test_the_open_picture_depends_on_image_opening_and_seed(editor: ImageEditor) -> None:
    base = editor.open_state(picture(), cabinet(), OPENING, seed=0)
    assert (editor.open_state(picture(1), cabinet(), OPENING, seed=0) != base).any()
    assert (editor.open_state(picture(), cabinet(), [0.0, 0.0, 1.0, 0.0], seed=0) != base).any()
    assert (editor.open_state(picture(), cabinet(), OPENING, seed=1) != base).any()


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        (np.zeros((8, 8, 3), dtype=np.float32), "uint8"),
        (np.zeros((8, 9, 3), dtype=np.uint8), "shape"),
        (np.zeros((8, 8, 4), dtype=np.uint8), "shape"),
        (np.zeros((8, 8), dtype=np.uint8), "shape"),
        (np.zeros((0, 0, 3), dtype=np.uint8), "shape"),
    ],
)
def test_an_image_of_another_kind_is_refused_by_name(editor: ImageEditor, image: AnyArray, problem: str) -> None:
    with pytest.raises(InvalidImage, match=problem) as refused:
        editor.part_references(image, cabinet(), seed=0)
    assert [violation.field for violation in refused.value.violations] == ["image"]


@pytest.mark.parametrize(
    ("opening", "field"),
    [
        ([0.5], "opening"),
        ([0.5] * 5, "opening"),
        ([0.0, 1.2, 0.0, 0.0], "opening[1]"),
        ([0.0, 0.0, -0.1, 0.0], "opening[2]"),
        ([0.0, 0.0, 0.0, float("nan")], "opening[3]"),
    ],
)
def test_an_opening_that_does_not_fit_the_plan_is_refused_by_name(
    editor: ImageEditor, opening: list[float], field: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        editor.open_state(picture(), cabinet(), opening, seed=0)
    assert [violation.field for violation in refused.value.violations] == [field]


def test_a_missing_folder_is_a_model_that_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(ModelNotReady) as refused:
        ImageEditor.load(tmp_path / "nothing")
    assert refused.value.metadata == {"model": "compact-edit"}


def test_a_folder_without_weights_is_a_model_that_is_not_ready(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "scheduler").mkdir()
    for name in ("model_index.json", "model/config.json", "scheduler/scheduler_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(ModelNotReady):
        ImageEditor.load(tmp_path)
    (tmp_path / "model/diffusion_pytorch_model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(ModelNotReady):
        ImageEditor.load(tmp_path)


def test_a_pipeline_of_other_parts_is_a_model_that_is_not_ready(folder: Path, tmp_path: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    index["unet"] = index.pop("model")
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    (tmp_path / "scheduler").mkdir()
    (tmp_path / "scheduler/scheduler_config.json").write_bytes(
        (folder / "scheduler/scheduler_config.json").read_bytes()
    )
    with pytest.raises(ModelNotReady):
        ImageEditor.load(tmp_path)


@pytest.mark.parametrize(("spoil", "said"), SPOILT.items(), ids=[spoil.__name__ for spoil in SPOILT])
def test_a_spoilt_folder_is_a_model_that_is_not_ready(
    folder: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoilt = Path(shutil.copytree(folder, tmp_path / "spoilt"))
    spoil(next((spoilt / "model").glob("*.safetensors")))
    with pytest.raises(ModelNotReady, match=said):
        ImageEditor.load(spoilt)
