from dataclasses import replace

import pytest
import torch
from texture_scenes import CAMERA, TOY

from services.texture.model import TextureModel
from services.texture.observation import CUE_CHANNELS, MAP_CHANNELS, View, maps, observe

EYE = torch.tensor(CAMERA.to_array(), dtype=torch.float32)[None]
BATCH = 2


@pytest.fixture
def view() -> View:
    generator = torch.Generator().manual_seed(0)
    depth = torch.full((BATCH, 32, 32), torch.inf)
    depth[:, 8:24, 8:24] = CAMERA.distance
    return View(
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


def test_compact_configuration_stays_under_a_million_parameters() -> None:
    assert sum(p.numel() for p in TextureModel().parameters()) <= 1_000_000


def test_observation_has_the_promised_channels(view: View, surface: tuple[torch.Tensor, ...]) -> None:
    assert maps(view).shape == (BATCH, MAP_CHANNELS, 32, 32)
    assert observe(view, *surface[:2]).cues.shape == (BATCH, 50, CUE_CHANNELS)


def test_observed_colour_is_the_pixel_under_the_point(view: View) -> None:
    image = torch.linspace(0, 1, 64).expand(BATCH, 3, 64, 64)
    points = torch.tensor([[[0.1, 0.2, 0.3], [-0.4, 0.1, 0.0]]]).expand(BATCH, 2, 3)
    seen = observe(replace(view, object_image=image), points, points)
    u = torch.tensor(CAMERA.project(points[0].numpy())[0][:, 0], dtype=torch.float32)
    expected = ((u + 1) * 32 - 0.5) / 63
    torch.testing.assert_close(seen.colors[0, :, 0, 0], expected, atol=1e-4, rtol=0)


def test_forward_is_condition_then_color(model: TextureModel, view: View, surface: tuple[torch.Tensor, ...]) -> None:
    points, normals, context, context_normals = surface
    colors = model.color(view, model.condition(view, context, context_normals), points, normals)
    torch.testing.assert_close(model(view, *surface), colors)


def test_untrained_network_mixes_colours_that_it_was_shown(
    model: TextureModel, view: View, surface: tuple[torch.Tensor, ...]
) -> None:
    plain = replace(
        view, object_image=torch.full((BATCH, 3, 64, 64), 0.3), part_image=torch.full((BATCH, 3, 64, 64), 0.6)
    )
    colors = model(plain, *surface)
    assert colors.min() >= 0.3 - 1e-5
    assert colors.max() <= 0.6 + 1e-5


@pytest.mark.parametrize("field", ["object_image", "part_image", "object_depth", "camera", "box"])
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
