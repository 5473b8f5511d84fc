"""Toy runs of the texture training program and its pieces on a CPU."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from services.texture.model import TextureModel
from services.texture.pipeline import TexturePipeline
from training import train_texture
from training.objects import Split, generate_many
from training.texture_data import TextureData, mistake_cameras, render_data
from training.texture_evaluate import evaluate, mean_part_color, nearest_visible
from training.texture_jitter import spoil_surface, spoil_view

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data() -> TextureData:
    return render_data(generate_many(range(3), Split.VAL), Split.VAL, 64, CPU, seed=0, camera_error=0.0)


def test_toy_run_lowers_its_loss_and_exports_a_folder(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    options = ["--toy", "--objects", "4", "--run-seconds", "10", "--total-seconds", "10"]
    train_texture.main([*options, "--state", str(tmp_path / "state"), "--export", str(tmp_path / "weights")])
    lines = [json.loads(line) for line in (tmp_path / "state/texture-curve.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    model = TexturePipeline.load(tmp_path / "weights").model
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert "nearest_visible" in (tmp_path / "weights/README.md").read_text()
    assert json.loads((tmp_path / "weights/training.json").read_text())["steps"] >= lines[-1]["step"]


def test_seen_points_have_their_colour_at_their_pixel(data: TextureData) -> None:
    index = torch.arange(len(data))
    view = data.view(index)
    points, normals, albedo, seen = data.surface(index, slice(0, 300))
    copied = nearest_visible(view, points, normals, points, normals)
    flat = mean_part_color(view, points, normals, points, normals)
    error, flat_error = ((x - albedo).abs().mean(-1)[seen].median() for x in (copied, flat))
    assert error < 0.1
    assert error < flat_error + 0.05
    assert 0.05 < seen.float().mean() < 0.7


def test_evaluation_ranks_the_truth_above_the_baselines(data: TextureData) -> None:
    class Oracle(TextureModel):
        def forward(self, view, points, *_):
            """Look the point's true colour up."""
            distance, nearest = torch.cdist(points, data.points[self.rows].float()).min(-1)
            assert distance.max() < 1e-2
            return data.albedo[self.rows].float().div(255).take_along_dim(nearest[..., None], 1)

    oracle = Oracle(image_size=64)
    oracle.rows = torch.arange(len(data))
    psnr = evaluate(oracle, data, spoiled=False)
    assert psnr["model_seen"] > max(psnr["nearest_visible_seen"], psnr["mean_part_color_seen"]) + 10
    assert psnr["model_hidden"] > max(psnr["nearest_visible_hidden"], psnr["mean_part_color_hidden"]) + 10


def test_same_seed_renders_the_same_examples(data: TextureData) -> None:
    again = render_data(generate_many(range(3), Split.VAL), Split.VAL, 64, CPU, seed=0, camera_error=0.0)
    assert torch.equal(again.object_image, data.object_image)
    assert torch.equal(again.points, data.points)


def test_wrong_cameras_move_the_depth_but_not_the_picture(data: TextureData) -> None:
    wrong = render_data(generate_many(range(3), Split.VAL), Split.VAL, 64, CPU, seed=0, camera_error=3.0)
    assert torch.equal(wrong.object_image, data.object_image)
    assert not torch.equal(wrong.object_depth, data.object_depth)
    assert not torch.equal(wrong.camera, data.camera)


def test_exact_cameras_stay_exact() -> None:
    cameras = torch.rand(5, 6)
    assert torch.equal(mistake_cameras(cameras, 0.0, np.random.default_rng(0)), cameras)


def test_spoiled_pictures_stay_pictures(data: TextureData) -> None:
    view = data.view(torch.arange(len(data)))
    spoiled = spoil_view(view, torch.Generator().manual_seed(0))
    assert spoiled.object_image.shape == view.object_image.shape
    assert 0 <= spoiled.object_image.min() <= spoiled.object_image.max() <= 1
    change = (spoiled.part_image - view.part_image).abs().mean((1, 2, 3))
    assert 0.001 < change.mean() < 0.15


def test_misplaced_surfaces_move_together_with_their_box(data: TextureData) -> None:
    index = torch.arange(len(data))
    view = data.view(index)
    points, normals, _, _ = data.surface(index, slice(0, 200))
    moved_view, ((moved, rough),) = spoil_surface(view, [(points, normals)], torch.Generator().manual_seed(0))

    def relative(points: torch.Tensor, box: torch.Tensor) -> torch.Tensor:
        return (points - box[:, None, :3]) / box[:, None, 3:]

    torch.testing.assert_close(relative(moved, moved_view.box), relative(points, view.box), atol=1e-4, rtol=1e-4)
    assert (moved - points).abs().max() > 1e-3
    torch.testing.assert_close(rough.norm(dim=-1), torch.ones(rough.shape[:2]))
