"""The pipeline as a diffusers folder and as a sampler, at toy size."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler
from safetensors.torch import load_file
from torch import Tensor

from services.vlm.edit_model import (
    ASKED,
    CARRIED,
    COVERAGE,
    EDIT_PLANES,
    GAIN,
    MADE,
    MIX,
    MOST_GAIN,
    PLANES,
    EditModel,
    composite,
    mixed,
)
from services.vlm.edit_pipeline import CompactEditPipeline
from services.vlm.edit_prompt import CHANNELS

SIZE = 32


@pytest.fixture(scope="module")
def pipeline() -> CompactEditPipeline:
    torch.manual_seed(0)
    model = EditModel(image_size=SIZE, widths=(16, 32), layers=1, head_width=8)
    torch.nn.init.normal_(model.paint.weight, std=0.2)  # a fresh one says what the prompt says
    return CompactEditPipeline(model.eval(), FlowMatchEulerDiscreteScheduler(), steps=3)


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
    names = load_file(tmp_path / "model" / "diffusion_pytorch_model.safetensors").keys()
    assert names == pipeline.model.state_dict().keys()
    assert DiffusionPipeline.load_config(tmp_path)["scheduler"] == ["diffusers", "FlowMatchEulerDiscreteScheduler"]


def test_the_folder_says_how_many_steps_its_network_needs(pipeline: CompactEditPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path)
    loaded = CompactEditPipeline.from_pretrained(tmp_path)
    assert torch.equal(loaded(*inputs(1), seeded(3)), pipeline(*inputs(1), seeded(3), num_inference_steps=3))
    assert not torch.equal(loaded(*inputs(1), seeded(3)), pipeline(*inputs(1), seeded(3), num_inference_steps=1))


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
    """Knows the clean edit, and remembers what it was shown at which noise level."""

    def __init__(self, clean: Tensor) -> None:
        super().__init__()
        self.config = SimpleNamespace(image_size=SIZE)
        self.clean = clean
        self.shown: list[tuple[Tensor, float]] = []

    def forward(self, noisy: Tensor, image: Tensor, prompt: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        self.shown.append((noisy, float(sigma[0])))
        return self.clean, 2 * torch.atanh(self.clean[:, 3])


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_sampling_walks_the_straight_line_from_noise_to_the_prediction(steps: int) -> None:
    clean = torch.rand(1, EDIT_PLANES, SIZE, SIZE, generator=seeded(5)) * 1.8 - 0.9
    oracle = Oracle(clean)
    pipeline = CompactEditPipeline.__new__(CompactEditPipeline)
    pipeline.model, pipeline.scheduler = oracle, FlowMatchEulerDiscreteScheduler()
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


def test_white_of_the_object_is_told_from_the_background() -> None:
    picture = composite(torch.ones(1, EDIT_PLANES, 1, 1))
    assert (picture * 255).round().max() == 254


def test_a_fresh_network_draws_the_boxes_with_the_colours_they_carry() -> None:
    image, prompt = inputs(1)
    prompt[:, ASKED] = (prompt[:, ASKED] > 0).float()
    prompt[:, CARRIED] = prompt[:, CARRIED].clamp(-1, 1)
    model = EditModel(image_size=SIZE, widths=(16, 32), layers=1, head_width=8)
    edit, logits = model(torch.randn(1, EDIT_PLANES, SIZE, SIZE), image, prompt, torch.ones(1))
    assert torch.equal(logits > 0, prompt[:, ASKED] > 0)
    assert (edit[:, :3] - prompt[:, CARRIED]).abs().max() < 0.2


def planes(**values: float | tuple[float, ...]) -> Tensor:
    out = torch.zeros(1, PLANES, 1, 1)
    for name, value in values.items():
        out[0, {"made": MADE, "mix": MIX, "gain": GAIN}[name], 0, 0] = torch.tensor(value)
    return out


@pytest.mark.parametrize(("source", "red"), [(0, 0.4), (1, -0.6), (2, 0.1)])
def test_a_colour_may_come_from_the_pixel_from_the_place_or_from_the_network(source: int, red: float) -> None:
    image, prompt = torch.full((1, 3, 1, 1), 0.4), torch.zeros(1, len(CHANNELS), 1, 1)
    prompt[:, CARRIED] = -0.6
    shares = tuple(30.0 * (index == source) for index in range(3))
    edit, _ = mixed(planes(made=0.1, mix=shares), image, prompt)
    assert edit[0, 0, 0, 0] == pytest.approx(red, abs=1e-5)


def test_the_gain_brightens_what_the_picture_shows_alone() -> None:
    image, prompt = torch.full((1, 3, 1, 1), -0.8), torch.zeros(1, len(CHANNELS), 1, 1)
    brighter, _ = mixed(planes(mix=(30.0, 0.0, 0.0), gain=9.0), image, prompt)
    assert brighter[0, 0, 0, 0] + 1 == pytest.approx(0.2 * math.exp(MOST_GAIN), rel=1e-4)
    made, _ = mixed(planes(made=-0.8, mix=(0.0, 0.0, 30.0), gain=9.0), image, prompt)
    assert made[0, 0, 0, 0] == pytest.approx(-0.8)


def test_coverage_overrules_the_prompt() -> None:
    image, prompt = torch.zeros(1, 3, 1, 1), torch.zeros(1, len(CHANNELS), 1, 1)
    says = planes()
    says[:, COVERAGE] = 9.0
    edit, logits = mixed(says, image, prompt)
    assert logits > 0
    assert edit[0, 3, 0, 0] == pytest.approx(torch.tanh(logits / 2).item())


def test_the_shipped_size_is_one_file_below_sixteen_mebibytes() -> None:
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in EditModel().parameters())
    assert 2 * count < 16 * 2**20  # float16
