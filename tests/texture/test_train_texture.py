"""Toy runs of the texture training program and its pieces on a CPU."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from services.texture.model import TextureModel
from services.texture.observation import View
from services.texture.pipeline import TexturePipeline
from training import texture_jitter, train_texture
from training.library import Library, build_library
from training.objects import Split
from training.texture_data import TextureData, join, mistake_cameras, render_data
from training.texture_evaluate import colorists, evaluate, mean_part_color, nearest_visible
from training.texture_jitter import spoil_surface, spoil_view
from training.texture_judge import unseen_psnr, unseen_views
from training.texture_pool import PIECES, Pool

ROWS = torch.arange(3)


@pytest.fixture(scope="module")
def library() -> Library:
    return build_library(range(3), Split.VAL)


def pictured(library: Library, camera_error: float = 0.0) -> TextureData:
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    return render_data(library, ROWS, Split.VAL, 64, generator, rng, camera_error)


@pytest.fixture(scope="module")
def data(library: Library) -> TextureData:
    return pictured(library)


def test_toy_run_lowers_its_loss_and_exports_a_folder(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    options = ["--toy", "--objects", "4", "--run-seconds", "25", "--total-seconds", "25"]
    train_texture.main([*options, "--state", str(tmp_path / "state"), "--export", str(tmp_path / "weights")])
    lines = [json.loads(line) for line in (tmp_path / "state/texture-curve.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines]
    assert np.mean(losses[len(losses) // 2 :]) < 0.9 * np.mean(losses[:3])
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
    assert error < 0.2  # what light and exposure do
    assert error < flat_error + 0.15
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
    psnr = evaluate(colorists(oracle), data, spoiled=False)
    assert psnr["model_seen"] > max(psnr["nearest_visible_seen"], psnr["mean_part_color_seen"]) + 10
    assert psnr["model_hidden"] > max(psnr["nearest_visible_hidden"], psnr["mean_part_color_hidden"]) + 10


def test_unseen_pictures_of_the_true_colours_are_perfect_and_of_any_other_are_not(
    library: Library, data: TextureData
) -> None:
    places, colors = data.points.float(), data.albedo.float() / 255

    def lookup(view, points, normals, context, context_normals):
        """Each point has the colour of the nearest true one of its part; a part is known by its box."""
        part = torch.cdist(view.box, data.box).argmin(-1)
        nearest = torch.cdist(points, places[part]).argmin(-1)
        return colors[part].take_along_dim(nearest[..., None], 1)

    found = unseen_psnr(lookup, library, ROWS, data, 24)
    assert found > unseen_psnr(mean_part_color, library, ROWS, data, 24) + 3
    assert found > 20


def test_the_first_objects_of_many_can_be_judged_alone(library: Library, data: TextureData) -> None:
    def grey(view, points, *_):
        return torch.full_like(points, 0.5)

    alone = [unseen_psnr(grey, library, ROWS[:count], data, 16) for count in (1, len(ROWS))]
    assert np.isfinite(alone).all()
    assert alone[0] != alone[1]


def test_judge_looks_from_where_the_camera_was_not(data: TextureData) -> None:
    turns = (unseen_views(data.camera)[..., 0] - data.camera[:, 0]).remainder(2 * torch.pi)
    assert turns.min() > 1.5
    assert turns.max() < 4.8


def test_joined_views_keep_their_objects(data: TextureData) -> None:
    both = join([data, data])
    last = torch.tensor([len(both) - 1])
    assert torch.equal(both.view(last).photograph, data.view(last - len(data)).photograph)
    assert torch.equal(both.view(last).camera, data.view(last - len(data)).camera)


def test_pool_renews_its_views_a_piece_at_a_time(library: Library) -> None:
    pool = Pool(library, Split.VAL, 1, 16, seed=0, share=0.5)
    before = pool.data.photograph
    pool.keep_fresh()
    assert len(pool.data.photograph) == PIECES
    assert torch.equal(pool.data.photograph[:-1], before[1:])
    assert not torch.equal(pool.data.photograph[-1], before[-1])
    pool.keep_fresh()  # at once: rendering has had more than its share of the time
    assert torch.equal(pool.data.photograph[:-1], before[1:])


def test_warm_start_takes_weights_of_the_same_shapes_only(tmp_path: Path) -> None:
    torch.manual_seed(0)
    TexturePipeline(TextureModel(**train_texture.TOY)).save_pretrained(tmp_path)
    same, other = TextureModel(**train_texture.TOY), TextureModel(**{**train_texture.TOY, "width": 40})
    assert train_texture.warm_start(same, tmp_path)
    assert not train_texture.warm_start(other, tmp_path)
    assert not train_texture.warm_start(other, tmp_path / "missing")
    saved = TexturePipeline.load(tmp_path).model.state_dict()
    assert all(torch.equal(value, saved[key]) for key, value in same.state_dict().items())


def test_same_seed_renders_the_same_examples(library: Library, data: TextureData) -> None:
    again = pictured(library)
    assert torch.equal(again.photograph, data.photograph)
    assert torch.equal(again.object_image, data.object_image)
    assert torch.equal(again.points, data.points)


def test_wrong_cameras_move_the_depth_but_not_the_picture(library: Library, data: TextureData) -> None:
    wrong = pictured(library, camera_error=3.0)
    assert torch.equal(wrong.object_image, data.object_image)
    assert not torch.equal(wrong.object_depth, data.object_depth)
    assert not torch.equal(wrong.camera, data.camera)


def test_exact_cameras_stay_exact() -> None:
    cameras = torch.rand(5, 6)
    assert torch.equal(mistake_cameras(cameras, 0.0, np.random.default_rng(0)), cameras)


def test_spoiled_pictures_stay_pictures(data: TextureData) -> None:
    view = data.view(torch.arange(len(data)))
    nobody = torch.zeros(len(data), dtype=torch.bool)
    spoiled = spoil_view(view, nobody, torch.Generator().manual_seed(0))
    assert spoiled.object_image.shape == view.object_image.shape
    assert 0 <= spoiled.object_image.min() <= spoiled.object_image.max() <= 1
    change = (spoiled.part_image - view.part_image).abs().mean((1, 2, 3))
    assert 0.001 < change.mean() < 0.15


def test_pictures_that_were_painted_are_not_spoiled_again(data: TextureData) -> None:
    view = data.view(torch.arange(len(data)))
    painted = torch.arange(len(data)) % 2 == 0
    spoiled = spoil_view(view, painted, torch.Generator().manual_seed(0))
    for own, true in ((spoiled.object_image, view.object_image), (spoiled.part_image, view.part_image)):
        assert torch.equal((own == true).flatten(1).all(1), painted)


def test_object_and_part_are_tinted_alike_and_dulled_on_white() -> None:
    flat = torch.full((2000, 3, 4, 4), 1.0)
    flat[:, :, 1:3, 1:3] = torch.tensor([0.5, 0.4, 0.2])[:, None, None]
    view = View(flat, flat, flat, *torch.zeros(4, 2000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texture_jitter, "_spoil", lambda images, shift, generator: images)
        spoiled = spoil_view(view, torch.zeros(2000, dtype=torch.bool), torch.Generator().manual_seed(0))
    whole, part = (x[:, :, 1, 1] for x in (spoiled.object_image, spoiled.part_image))
    assert (spoiled.part_image[:, :, 0, 0] == 1).all()
    brightness = torch.stack([whole, part]).mean(2).log()
    assert torch.corrcoef(brightness)[0, 1] == pytest.approx(texture_jitter.ALIKE, abs=0.1)
    assert 0.09 < brightness[1].std() < 0.2
    colourful, before = (part.amax(1) - part.amin(1)) / part.mean(1), 0.3 / (1.1 / 3)
    assert colourful.mean() < 0.85 * before


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
