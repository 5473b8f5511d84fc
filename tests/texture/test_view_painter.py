"""Sampling of six views, against diffusers' own SDXL pipeline and on what must and must not matter."""

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from torch import Tensor

from services.texture.errors import Cancelled
from services.texture.multiview import VIEWS
from services.texture.view_painter import NOISE_SHIFT, ViewPainter, shifted
from training.published_texture import SMALL, write_random

STEPS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random(tmp_path_factory.mktemp("published") / "texture", SMALL)


@pytest.fixture(scope="module")
def painter(folder: Path) -> ViewPainter:
    return ViewPainter.load(folder, torch.float32, torch.device("cpu"), steps=STEPS)


def inputs(painter: ViewPainter, maps_seed: int = 0, reference_seed: int = 0) -> tuple[Tensor, Tensor]:
    size = painter.size
    maps = torch.rand(VIEWS, 6, size, size, generator=torch.Generator().manual_seed(maps_seed))
    return maps, torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(reference_seed))


def paint(painter: ViewPainter, seed: int = 0, **seeds: int) -> Tensor:
    return painter.paint(*inputs(painter, **seeds), seed, lambda: False)


def test_a_seed_means_the_same_pictures_and_another_means_others(painter: ViewPainter) -> None:
    first = paint(painter)
    assert first.shape == (VIEWS, 3, painter.size, painter.size)
    assert torch.equal(first, paint(painter))
    assert (first - paint(painter, seed=1)).abs().max() > 0.01


def test_reference_and_geometry_matter_to_every_view(painter: ViewPainter) -> None:
    first = paint(painter)
    for changed in (paint(painter, reference_seed=1), paint(painter, maps_seed=1)):
        assert ((first - changed).abs().amax((1, 2, 3)) > 1e-4).all()


def test_without_the_adapter_it_samples_as_diffusers_own_pipeline_does(folder: Path) -> None:
    painter = ViewPainter.load(folder, torch.float32, torch.device("cpu"), steps=STEPS)
    with torch.no_grad():
        for name, weights in painter.model.adapter().items():
            if "to_out_" in name or ".body." in name or ".conv_in." in name:
                weights.zero_()
    base = folder / "base"
    pipeline = StableDiffusionXLPipeline(
        vae=AutoencoderKL.from_pretrained(base / "vae"),
        unet=UNet2DConditionModel.from_pretrained(base / "unet"),
        scheduler=shifted(EulerDiscreteScheduler.from_pretrained(base / "scheduler")),
        **dict.fromkeys(("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")),
        add_watermarker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    tokens, summary = painter.condition["encoder_hidden_states"], painter.condition["text_embeds"]
    side = painter.size // painter.shrinkage
    expected = pipeline(
        prompt_embeds=tokens[1:].expand(VIEWS, -1, -1),
        negative_prompt_embeds=tokens[:1].expand(VIEWS, -1, -1),
        pooled_prompt_embeds=summary[1:].expand(VIEWS, -1),
        negative_pooled_prompt_embeds=summary[:1].expand(VIEWS, -1),
        height=painter.size,
        width=painter.size,
        num_inference_steps=STEPS,
        guidance_scale=painter.guidance,
        latents=torch.randn(VIEWS, 4, side, side, generator=torch.Generator().manual_seed(5)),
        output_type="pt",
    ).images
    torch.testing.assert_close(paint(painter, seed=5), expected, rtol=0, atol=1e-4)


def test_the_schedule_loses_signal_as_published(painter: ViewPainter) -> None:
    """Between the ratio and an eighth of it, in its logarithm, in proportion to the time."""
    stock = EulerDiscreteScheduler.from_config(painter.scheduler.config, trained_betas=None)
    ratio, found = (
        own.alphas_cumprod.double() / (1 - own.alphas_cumprod.double()) for own in (stock, painter.scheduler)
    )
    time = torch.arange(len(ratio)) / (len(ratio) - 1)
    expected = torch.exp(ratio.log() * (1 - time) + (ratio / NOISE_SHIFT).log() * time)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6)


def test_cancellation_stops_between_steps(painter: ViewPainter) -> None:
    polls = iter([False, True])
    with pytest.raises(Cancelled, match="step 1"):
        painter.paint(*inputs(painter), 0, lambda: next(polls))
