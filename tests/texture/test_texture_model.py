from dataclasses import replace

import numpy as np
import pytest
import torch
from texture_scenes import CAMERA, TOY

from services.texture.model import RECIPE_CHANNELS, TextureModel, compose, texel_colors
from services.texture.observation import (
    CUE_CHANNELS,
    IN_VIEW,
    MAP_CHANNELS,
    MAP_SIZE,
    SOURCES,
    View,
    maps,
    observe,
    window,
)

EYE = torch.tensor(CAMERA.to_array(), dtype=torch.float32)[None]
BATCH = 2


@pytest.fixture
def view() -> View:
    generator = torch.Generator().manual_seed(0)
    depth = torch.full((BATCH, 32, 32), torch.inf)
    depth[:, 8:24, 8:24] = CAMERA.distance
    return View(
        torch.rand(BATCH, 3, 128, 128, generator=generator),
        torch.rand(BATCH, 3, 64, 64, generator=generator),
        torch.rand(BATCH, 3, 64, 64, generator=generator),
        depth,
        depth,
        EYE.expand(BATCH, 6),
        torch.tensor([[0.0, 0, 0, 1, 1, 1]]).expand(BATCH, 6),
    )


@pytest.fixture
def surface() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    points, context = (torch.rand(BATCH, n, 3, generator=generator) - 0.5 for n in (50, 20))
    normals = torch.nn.functional.normalize(torch.randn(BATCH, 70, 3, generator=generator), dim=-1)
    return points, normals[:, :50], context, normals[:, 50:]


@pytest.fixture
def model() -> TextureModel:
    torch.manual_seed(0)
    return TextureModel(**TOY).eval()


def test_compact_configuration_stays_under_two_million_parameters() -> None:
    assert sum(p.numel() for p in TextureModel().parameters()) <= 2_000_000


def test_observation_has_the_promised_channels(view: View, surface: tuple[torch.Tensor, ...]) -> None:
    assert maps(view, window(view)[:, None]).shape == (BATCH, 1, MAP_CHANNELS, MAP_SIZE, MAP_SIZE)
    assert observe(view, *surface[:2]).cues.shape == (BATCH, 50, CUE_CHANNELS)
    assert observe(view, *surface[:2]).colors.shape == (BATCH, 50, SOURCES, 3)


@pytest.mark.parametrize(("source", "field"), list(enumerate(["photograph", "object_image", "part_image"])))
def test_observed_colour_is_the_pixel_under_the_point(view: View, source: int, field: str) -> None:
    image = torch.linspace(0, 1, 64).expand(BATCH, 3, 64, 64)
    points = torch.tensor([[[0.1, 0.2, 0.3], [-0.4, 0.1, 0.0]]]).expand(BATCH, 2, 3)
    seen = observe(replace(view, **{field: image}), points, points)
    u = torch.tensor(CAMERA.project(points[0].numpy())[0][:, 0], dtype=torch.float32)
    expected = ((u + 1) * 32 - 0.5) / 63
    torch.testing.assert_close(seen.colors[0, :, source, 0], expected, atol=1e-4, rtol=0)


def test_mirrored_colour_is_that_of_the_point_across_the_middle(view: View) -> None:
    shifted = replace(view, box=torch.tensor([[0.1, 0.0, -0.2, 1, 1, 1]]).expand(BATCH, 6))
    points = torch.tensor([[[0.3, 0.2, 0.1]]]).expand(BATCH, 1, 3)
    across = torch.tensor([[[-0.1, 0.2, 0.1], [0.3, 0.2, -0.5]]]).expand(BATCH, 2, 3)
    mirrored = observe(shifted, points, points).colors[:, 0, 3:]
    torch.testing.assert_close(mirrored, observe(shifted, across, across).colors[:, :, 0])


def test_points_before_the_drawn_surface_are_in_view_and_those_behind_are_not(view: View) -> None:
    toward = torch.tensor(CAMERA.rotation[2], dtype=torch.float32)
    points = torch.stack([0.0 * toward, -0.5 * toward]).expand(BATCH, 2, 3)
    assert observe(view, points, points).cues[..., IN_VIEW].tolist() == [[1, 0]] * BATCH


def test_window_holds_the_box_of_its_part(view: View) -> None:
    box = torch.tensor([[0.2, -0.1, 0.3, 0.3, 0.2, 0.1]]).expand(BATCH, 6)
    center_u, center_v, side = window(replace(view, box=box))[0].tolist()
    low, high = np.array([-0.1, -0.3, 0.2]), np.array([0.5, 0.1, 0.4])
    image, _ = CAMERA.project(np.random.default_rng(0).uniform(low, high, (500, 3)))
    assert np.abs(image - (center_u, center_v)).max() < side
    assert side < 0.35


def test_forward_is_a_recipe_for_each_point(model: TextureModel, view: View, surface: tuple[torch.Tensor, ...]) -> None:
    points, normals, context, context_normals = surface
    recipes = model.recipes(view, model.condition(view, context, context_normals), points, normals)
    assert recipes.shape == (BATCH, 50, RECIPE_CHANNELS)
    torch.testing.assert_close(model(view, *surface), texel_colors(view, points, recipes))


def test_recipe_mixes_sources_and_palette_then_corrects_light() -> None:
    recipe = torch.tensor([0.5, 0.25, 0, 0, 0, 0.1, 0.1, 0.1, 2, 2, 2, 0.05, 0, 0])
    colors = torch.zeros(SOURCES, 3)
    colors[0], colors[1] = 0.4, 0.2
    torch.testing.assert_close(compose(recipe, colors), torch.tensor([0.75, 0.7, 0.7]))


def test_untrained_network_mixes_colours_that_it_was_shown(
    model: TextureModel, view: View, surface: tuple[torch.Tensor, ...]
) -> None:
    plain = replace(
        view,
        photograph=torch.full((BATCH, 3, 64, 64), 0.4),
        object_image=torch.full((BATCH, 3, 64, 64), 0.3),
        part_image=torch.full((BATCH, 3, 64, 64), 0.6),
    )
    colors = model(plain, *surface)
    assert colors.min() >= 0.3 - 1e-5
    assert colors.max() <= 0.6 + 1e-5


@pytest.mark.parametrize("field", ["photograph", "object_image", "part_image", "object_depth", "camera", "box"])
def test_colours_depend_on_every_part_of_the_view(
    model: TextureModel, view: View, surface: tuple[torch.Tensor, ...], field: str
) -> None:
    value = getattr(view, field)
    changed = replace(view, **{field: value - 0.2 if field != "object_depth" else value - 1.0})
    assert (model(view, *surface) - model(changed, *surface)).abs().max() > 1e-4


def test_points_are_coloured_independently(model: TextureModel, view: View, surface: tuple[torch.Tensor, ...]) -> None:
    points, normals, *context = surface
    some = model(view, points[:, :7], normals[:, :7], *context)
    torch.testing.assert_close(some, model(view, *surface)[:, :7], atol=1e-5, rtol=1e-5)


def test_order_of_the_context_does_not_matter(
    model: TextureModel, view: View, surface: tuple[torch.Tensor, ...]
) -> None:
    points, normals, context, context_normals = surface
    reverse = model(view, points, normals, context.flip(1), context_normals.flip(1))
    torch.testing.assert_close(reverse, model(view, *surface), atol=1e-5, rtol=1e-5)


def test_saved_model_answers_the_same(
    tmp_path, model: TextureModel, view: View, surface: tuple[torch.Tensor, ...]
) -> None:
    model.save_pretrained(tmp_path)
    again = TextureModel.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(again(view, *surface), model(view, *surface))
