"""Training of the shape stage, in toy size on the CPU: it learns, exports, resumes and serves."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from services.part_dit.errors import WeightsMissing
from services.part_dit.pipeline import PartDiTPipeline
from training import part_dit_bench, train_part_dit, train_vae
from training.part_dit_model import warm_start


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("training")
    for program, seconds in ((train_vae, 7), (train_part_dit, 24)):
        program.main(arguments(base / "state", base / "weights", seconds))
    return base / "state", base / "weights"


def arguments(state: Path, export: Path, seconds: float) -> list[str]:
    return [
        *("--state", str(state), "--export", str(export), "--objects", "6", "--toy"),
        *("--run-seconds", str(seconds), "--total-seconds", "30"),
    ]


def losses(state: Path, name: str) -> list[float]:
    lines = [json.loads(line) for line in (state / f"{name}-curve.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.mark.parametrize("name", ["vae", "part_dit"])
def test_the_loss_falls(folders: tuple[Path, Path], name: str) -> None:
    values = losses(folders[0], name)
    quarter = max(1, len(values) // 4)
    assert sum(values[-quarter:]) < 0.9 * sum(values[:quarter])


def test_the_export_serves(folders: tuple[Path, Path]) -> None:
    pipeline = PartDiTPipeline.load(folders[1])
    pipeline.set_progress_bar_config(disable=True)
    image = torch.full((64, 64, 3), 255, dtype=torch.uint8)
    meshes = pipeline(
        image, image[None].repeat(2, 1, 1, 1), torch.tensor([-1, 0]), num_inference_steps=2, resolution=32
    )
    assert len(meshes) == 2


def test_the_export_carries_cards_and_recipes_without_paths(folders: tuple[Path, Path]) -> None:
    for folder in (folders[1], folders[1] / "vae"):
        assert "Apache-2.0" in (folder / "README.md").read_text()
        recipe = json.loads((folder / "training.json").read_text())
        assert recipe["held_out"]
    texts = [path.read_text() for path in folders[1].rglob("*.json")]
    assert not [text for text in texts if str(folders[1].parent) in text]


def test_the_export_can_be_measured(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--objects", "2", "--steps", "2", "--resolution", "32", "--dtype", "float32"]
    part_dit_bench.main(["--weights", str(folders[1]), *options])
    report = json.loads(capsys.readouterr().out)
    assert 0 < report["held_out_iou"] <= 1
    assert [value for name, value in report.items() if name.startswith("seconds_") and value >= 0]


def test_a_second_run_continues_the_first(folders: tuple[Path, Path]) -> None:
    state, export = folders
    before = torch.load(state / "vae.pt", weights_only=True)["step"]
    train_vae.main(arguments(state, export, 10))
    assert torch.load(state / "vae.pt", weights_only=True)["step"] > before


def test_the_dit_needs_a_vae(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="train_vae"):
        train_part_dit.main(arguments(tmp_path / "state", tmp_path / "weights", 1))


def test_a_warm_start_takes_what_fits() -> None:
    model = torch.nn.Linear(3, 2)
    before = model.weight.detach().clone()
    assert warm_start(model, {"weight": torch.ones(5, 3), "bias": torch.ones(2), "other": torch.ones(1)}) == 1
    assert torch.equal(model.bias, torch.ones(2))
    assert torch.equal(model.weight, before)


def test_init_goes_on_from_the_export(folders: tuple[Path, Path], tmp_path: Path) -> None:
    export = tmp_path / "weights"
    shutil.copytree(folders[1], export)
    train_vae.main([*arguments(tmp_path / "state", export, 10), "--init"])
    assert losses(tmp_path / "state", "vae")[0] < 0.7 * losses(folders[0], "vae")[0]
