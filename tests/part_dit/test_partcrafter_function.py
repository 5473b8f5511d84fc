"""Without SPARK's additions, the networks compute what PartCrafter's own code computes on the same weights."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

import partcrafter_cases as cases
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from services.part_dit import vae as vae_module
from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.scheduler import RectifiedFlowScheduler
from services.part_dit.transformer import PartCrafterDiTModel
from services.part_dit.vae import TripoSGVAEModel

TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(scope="module")
def golden() -> Mapping[str, Tensor]:
    return load_file(cases.GOLDEN)


def transformer(variant: str) -> PartCrafterDiTModel:
    return cases.fill(PartCrafterDiTModel(**cases.TRANSFORMER, **cases.VARIANTS[variant]))


@torch.no_grad()
@pytest.mark.parametrize("variant", cases.VARIANTS)
def test_velocities_of_a_ragged_batch(golden: Mapping[str, Tensor], variant: str) -> None:
    count = sum(cases.RAGGED)
    found = transformer(variant)(
        cases.noise(count), torch.full((count,), 731.0), cases.part_images(), num_parts=cases.RAGGED
    )
    torch.testing.assert_close(found, golden[f"{variant}.ragged"], **TOLERANCE)


@torch.no_grad()
@pytest.mark.parametrize("variant", cases.VARIANTS)
def test_latents_of_guided_sampling(golden: Mapping[str, Tensor], variant: str) -> None:
    """With its part numbers, that go on counting in the conditioned half."""
    model = transformer(variant)
    images = torch.cat([torch.zeros_like(cases.one_image()), cases.one_image()])
    found = cases.sampled(
        lambda state, time: model(
            state,
            time,
            images,
            num_parts=(cases.PARTS, cases.PARTS),
            part_index=torch.arange(2 * cases.PARTS),
        ),
        RectifiedFlowScheduler(shift=cases.SHIFT),
    )
    scale = float(golden[f"{variant}.sampled"].abs().max())
    torch.testing.assert_close(found, golden[f"{variant}.sampled"], rtol=1e-4, atol=1e-4 * scale)


@torch.no_grad()
def test_latents_of_a_surface(golden: Mapping[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    """Which points ask is drawn at random in both, so the test fixes them."""
    first = torch.arange(cases.TOKENS).expand(2, -1)
    monkeypatch.setattr(vae_module, "sample_farthest", lambda points, count, generator: first)
    posterior = cases.fill(TripoSGVAEModel(**cases.VAE)).encode(cases.surfaces(), cases.TOKENS)
    torch.testing.assert_close(posterior.mean, golden["vae.mean"], **TOLERANCE)
    torch.testing.assert_close(posterior.log_variance, golden["vae.log_variance"], **TOLERANCE)


@torch.no_grad()
def test_field_of_latents(golden: Mapping[str, Tensor]) -> None:
    vae = cases.fill(TripoSGVAEModel(**cases.VAE))
    found = vae.query(vae.decode(cases.latents()), cases.queries())
    torch.testing.assert_close(found, golden["vae.field"], **TOLERANCE)


@pytest.mark.parametrize("variant", [name for name in cases.VARIANTS if name != "published"])
def test_the_cases_tell_each_variant_from_the_published_one(golden: Mapping[str, Tensor], variant: str) -> None:
    """Otherwise a quirk could be lost without a failure above."""
    difference = golden[f"{variant}.ragged"] - golden["published.ragged"]
    assert float(difference.abs().max()) > 0.1


def whole(pipeline: PartDiTPipeline) -> PartDiTPipeline:
    """PartCrafter's pipeline on the cases' weights; encoders of images come from the toy pipeline."""
    built = PartDiTPipeline(
        cases.fill(TripoSGVAEModel(**{**cases.VAE, "latent_channels": cases.TRANSFORMER["in_channels"]})),
        transformer("published"),
        RectifiedFlowScheduler(shift=cases.SHIFT),
        pipeline.image_encoder_dinov2,
        pipeline.feature_extractor_dinov2,
    )
    built.set_progress_bar_config(disable=True)
    return built


def sample(
    pipeline: PartDiTPipeline, noise: Tensor, images: Tensor, counts: Sequence[int], **options: object
) -> Tensor:
    """Latents that the pipeline makes of a given noise; all parts are roots."""
    firsts = torch.tensor([0, *accumulate(counts[:-1])])
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(torch, "randn", lambda shape, generator: noise.reshape(shape))
        return pipeline.sample(
            images,
            images[firsts],
            torch.full((len(images),), -1),
            None,
            torch.Generator(),
            num_parts=counts,
            num_inference_steps=cases.STEPS,
            guidance_scale=cases.GUIDANCE,
            num_tokens=cases.TOKENS,
            **options,
        ).latents


def test_the_pipeline_samples_as_partcrafter_s_does(golden: Mapping[str, Tensor], pipeline: PartDiTPipeline) -> None:
    images = cases.one_image().contiguous()
    found = sample(whole(pipeline), cases.noise(cases.PARTS), images, (cases.PARTS,), upstream_part_index=True)
    expected = golden["published.sampled"]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_guided_sampling_of_several_objects_equals_one_by_one(pipeline: PartDiTPipeline) -> None:
    built, images, noise = whole(pipeline), cases.part_images(), cases.noise(sum(cases.RAGGED))
    together = sample(built, noise, images, cases.RAGGED)
    pieces = zip(noise.split(cases.RAGGED), images.split(cases.RAGGED), cases.RAGGED, strict=True)
    alone = torch.cat([sample(built, own, shown, (count,)) for own, shown, count in pieces])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4 * float(alone.abs().max()))
