"""The pipeline as a diffusers folder and as a sampler, at toy size."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler, UNet2DModel
from torch import Tensor

from services.vlm.edit_model import EDIT_PLANES, FOLD, build_unet, composite
from services.vlm.edit_pipeline import CompactEditPipeline
from services.vlm.edit_prompt import CHANNELS

SIZE = 32


@pytest.fixture(scope="module")
def pipeline() -> CompactEditPipeline:
    torch.manual_seed(0)
    return CompactEditPipeline(build_unet((16, 32), SIZE, 1).eval(), FlowMatchEulerDiscreteScheduler())


def inputs(batch: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(batch, 3, SIZE, SIZE, generator=generator) * 2 - 1
    return image, torch.randn(batch, len(CHANNELS), SIZE, SIZE, generator=generator)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_saved_pipeline_gives_identical_pictures(pipeline: CompactEditPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path)
    loaded = CompactEditPipeline.from_pretrained(tmp_path)
    assert loaded.image_size == SIZE
    assert torch.equal(loaded(*inputs(2), seeded(3)), pipeline(*inputs(2), seeded(3)))


def test_the_folder_holds_ordinary_diffusers_components(pipeline: CompactEditPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path)
    assert isinstance(UNet2DModel.from_pretrained(tmp_path / "unet"), UNet2DModel)
    assert DiffusionPipeline.load_config(tmp_path)["scheduler"] == ["diffusers", "FlowMatchEulerDiscreteScheduler"]


def test_the_seed_decides(pipeline: CompactEditPipeline) -> None:
    first, again, other = (pipeline(*inputs(1), seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_an_edit_does_not_depend_on_its_neighbours_in_the_batch(pipeline: CompactEditPipeline) -> None:
    image, prompt = inputs(3)
    together = pipeline(image, prompt, seeded(0))
    torch.testing.assert_close(pipeline(image[1:2], prompt[1:2], seeded(0)), together[1:2], atol=1e-4, rtol=1e-4)


def test_image_and_prompt_reach_the_output(pipeline: CompactEditPipeline) -> None:
    image, prompt = inputs(1)
    before = pipeline(image, prompt, seeded(0))
    assert not torch.allclose(pipeline(-image, prompt, seeded(0)), before)
    assert not torch.allclose(pipeline(image, -prompt, seeded(0)), before)


class Oracle(torch.nn.Module):
    """Knows the clean edit, and remembers what it was shown at which time."""

    def __init__(self, clean: Tensor) -> None:
        super().__init__()
        self.config = SimpleNamespace(sample_size=SIZE // FOLD)
        self.clean = clean
        self.shown: list[tuple[Tensor, float]] = []

    def forward(self, folded: Tensor, time: Tensor) -> Any:
        noisy = torch.nn.functional.pixel_shuffle(folded, FOLD)[:, :EDIT_PLANES]
        self.shown.append((noisy, float(time[0]) / 1000))
        planes = torch.cat([self.clean[:, :3], 2 * torch.atanh(self.clean[:, 3:])], 1)
        return SimpleNamespace(sample=torch.nn.functional.pixel_unshuffle(planes, FOLD))


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_sampling_walks_the_straight_line_from_noise_to_the_prediction(steps: int) -> None:
    clean = torch.rand(1, EDIT_PLANES, SIZE, SIZE, generator=seeded(5)) * 1.8 - 0.9
    oracle = Oracle(clean)
    pipeline = CompactEditPipeline.__new__(CompactEditPipeline)
    pipeline.unet, pipeline.scheduler = oracle, FlowMatchEulerDiscreteScheduler()
    out = pipeline(*inputs(1), seeded(6), num_inference_steps=steps)
    noise = torch.randn(1, EDIT_PLANES, SIZE, SIZE, generator=seeded(6))
    assert [round(sigma, 5) for _, sigma in oracle.shown] == [round(1 - i / steps, 5) for i in range(steps)]
    for noisy, sigma in oracle.shown:
        torch.testing.assert_close(noisy, (1 - sigma) * clean + sigma * noise, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(out, clean, atol=1e-5, rtol=1e-4)


def test_uncovered_pixels_are_exactly_white() -> None:
    edit = torch.zeros(1, EDIT_PLANES, 2, 1)
    edit[0, 3, 0], edit[0, 3, 1] = 0.1, -0.1
    picture = composite(edit)
    assert (picture[0, :, 0] == 0.5).all()
    assert (picture[0, :, 1] == 1.0).all()


def test_the_shipped_size_stays_within_four_million_parameters() -> None:
    assert sum(parameter.numel() for parameter in build_unet().parameters()) <= 4_000_000
