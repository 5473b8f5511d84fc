"""Training of the shape stage, in toy size on the CPU: it learns, exports, resumes and serves."""

import json
from pathlib import Path

import pytest
import torch

from services.part_dit.errors import WeightsMissing
from services.part_dit.pipeline import PartDiTPipeline
from training import train_part_dit, train_vae
from training.draw import Split
from training.part_dit_data import Batches, Objects, distance_queries, point_clouds, views


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("training")
    for program in (train_vae, train_part_dit):
        program.main(arguments(base / "state", base / "weights", 12))
    return base / "state", base / "weights"


def arguments(state: Path, export: Path, seconds: float) -> list[str]:
    return [
        *("--state", str(state), "--export", str(export), "--objects", "6", "--toy"),
        *("--run-seconds", str(seconds), "--total-seconds", "24"),
    ]


def losses(state: Path, name: str) -> list[float]:
    lines = [json.loads(line) for line in (state / f"{name}-curve.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.mark.parametrize("name", ["vae", "part_dit"])
def test_the_loss_falls(folders: tuple[Path, Path], name: str) -> None:
    values = losses(folders[0], name)
    assert sum(values[-2:]) < 0.9 * sum(values[:2])


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


def test_a_second_run_continues_the_first(folders: tuple[Path, Path]) -> None:
    state, export = folders
    before = torch.load(state / "vae.pt", weights_only=True)["step"]
    train_vae.main(arguments(state, export, 6))
    assert torch.load(state / "vae.pt", weights_only=True)["step"] > before


def test_the_dit_needs_a_vae(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="train_vae"):
        train_part_dit.main(arguments(tmp_path / "state", tmp_path / "weights", 1))


def test_distances_are_zero_on_the_surface_and_signed_around_it() -> None:
    generator = torch.Generator().manual_seed(0)
    (view,) = views(2, Split.TRAIN, torch.device("cpu"), 0, 1)
    clouds = point_clouds(view.scene, 600, generator)
    queries = distance_queries(view.scene, clouds, 600, generator).float()
    gap = torch.cdist(queries[..., :3], clouds[..., :3].float()).amin(-1)
    outside = queries[..., 3] > 0.2
    assert bool(((gap - queries[..., 3])[outside] > -0.01).all())
    assert bool((queries[..., 3] < 0).any(1).all())


def test_batches_hold_objects_of_one_size() -> None:
    counts = torch.tensor([2, 3, 2, 1])
    first = counts.cumsum(0) - counts
    owner = torch.repeat_interleave(torch.arange(4), counts)
    parts = owner.float()[:, None]
    data = Objects(torch.arange(4), parts, parts, parts, owner, first, counts)
    batches = Batches(data, 6, seed=0)
    for _ in range(20):
        batch = batches.next()
        assert len(batch.parents) == len(batch.object_images) * batch.count
        expected = batch.object_images.repeat_interleave(batch.count)
        assert torch.equal(batch.parents, expected)
        assert bool((counts[batch.object_images] == batch.count).all())
