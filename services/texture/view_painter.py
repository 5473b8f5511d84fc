"""Sampling six views of an object from its geometry and a reference picture, and opening the weights that do it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from checkpoints.folder import check_layout, check_safe, read_layout, weight_bytes
from checkpoints.loading import check_finite, check_fits, open_diffusers, open_transformers
from services.texture.errors import Cancelled, WeightsMissing
from services.texture.multiview import VIEWS, MultiviewModel

PROMPT = "high quality"
NEGATIVE_PROMPT = "watermark, ugly, deformed, noisy, blurry, low contrast"
STEPS = 50
GUIDANCE = 3.0
"""As github.com/huanngzh/MV-Adapter samples, like the two prompts."""

NOISE_SHIFT = 8.0
"""By how much less signal the noisiest step holds than SDXL's does: six views together hide more than one."""

SIZE_SHARE = 0.75
"""Side of a view by the side of SDXL's own pictures: 768 by 1024 pixels."""

COMPONENTS = ("scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet", "vae")


class ViewPainter:
    """Paints six views.

    Args:
        model: the UNet with its adapter.
        vae: SDXL's `diffusers.AutoencoderKL`, in float32, since it overflows in half precision.
        scheduler: SDXL's `diffusers.EulerDiscreteScheduler`; its noise is shifted here.
        prompt: `encoder_hidden_states` (2, T, C) and `text_embeds` (2, C) of the negative prompt and the prompt.
        steps: of sampling.
        guidance: how far to go beyond what is predicted without prompt and reference; 1 is not at all.
    """

    def __init__(
        self,
        model: MultiviewModel,
        vae: Any,
        scheduler: Any,
        prompt: dict[str, Tensor],
        steps: int = STEPS,
        guidance: float = GUIDANCE,
    ) -> None:
        self.model, self.vae, self.scheduler = model.eval(), vae.eval(), shifted(scheduler)
        self.steps, self.guidance = steps, guidance
        self.shrinkage = 2 ** (len(vae.config["block_out_channels"]) - 1)
        self.size = int(model.unet.config["sample_size"] * self.shrinkage * SIZE_SHARE)
        self.dtype, self.device = model.unet.dtype, model.unet.device
        sizes = torch.tensor([[self.size, self.size, 0, 0, self.size, self.size]]).expand(2, -1)
        condition = {**prompt, "time_ids": sizes}
        self.condition = {key: value.to(self.device, self.dtype) for key, value in condition.items()}

    @classmethod
    def load(cls, folder: Path, dtype: torch.dtype, device: torch.device, steps: int = STEPS) -> ViewPainter:
        """Open a weights folder: SDXL as it is published in base/, the adapter's file in adapter/.

        Raises:
            WeightsMissing: the folder lacks a component.
            checkpoints.errors.CheckpointError: the weights are unsafe, damaged, of another layout or too large.
        """
        check_safe(folder)
        base = folder / "base"
        for part in COMPONENTS:
            if not any((base / part).glob("*.json")):
                raise WeightsMissing(f"{folder.name} holds no base/{part}: pull the model first")
        adapter = read_layout(folder / "adapter")
        weights = weight_bytes(read_layout(base / "unet") | adapter, dtype.itemsize)
        check_fits(folder.name, weights + weight_bytes(read_layout(base / "vae"), torch.float32.itemsize), device)
        unet = open_diffusers(UNet2DConditionModel, base / "unet", dtype)
        with torch.device("meta"):  # what is added gets its values from the file
            model = MultiviewModel(unet)
        check_layout("adapter", adapter, {key: tuple(value.shape) for key, value in model.adapter().items()})
        for file in (folder / "adapter").glob("*.safetensors"):
            model.load_adapter(load_file(file))
        vae: Any = open_diffusers(AutoencoderKL, base / "vae", torch.float32)
        scheduler = EulerDiscreteScheduler.from_pretrained(base / "scheduler")  # type: ignore[no-untyped-call]
        for name, module in (("texture", model.to(device)), ("vae", vae.to(device))):
            check_finite(name, module)
        return cls(model, vae, scheduler, read_prompt(base), steps)

    @torch.inference_mode()
    def paint(self, maps: Tensor, reference: Tensor, seed: int, is_cancelled: Callable[[], bool]) -> Tensor:
        """Six pictures of an object.

        Args:
            maps: (6, 6, S, S) as `views.Maps.channels`, S being `size`.
            reference: (1, 3, S, S) in [0, 1], the object on grey.
            seed: of the noise, which is drawn on the CPU: the same on every device.
            is_cancelled: asked before each step.

        Returns:
            (6, 3, S, S) in [0, 1], float32.

        Raises:
            Cancelled: after `is_cancelled` answered true.
        """
        scale = self.vae.config["scaling_factor"]
        seen = self.vae.encode(reference.to(self.device) * 2 - 1).latent_dist.mode() * scale
        self.model.remember(seen.to(self.dtype), {key: value[1:] for key, value in self.condition.items()})
        condition = {key: value.repeat_interleave(VIEWS, 0) for key, value in self.condition.items()}
        features = self.model.guide(maps.to(self.device, self.dtype))
        side = self.size // self.shrinkage
        noise = torch.randn(VIEWS, seen.shape[1], side, side, generator=torch.Generator().manual_seed(seed))
        self.scheduler.set_timesteps(self.steps, device=self.device)
        latents = noise.to(self.device) * self.scheduler.init_noise_sigma
        for step, time in enumerate(self.scheduler.timesteps):
            if is_cancelled():
                raise Cancelled(f"stopped before step {step}")
            scaled = self.scheduler.scale_model_input(latents, time).to(self.dtype)
            blind, sighted = self.model(scaled.repeat(2, 1, 1, 1), time, condition, features).float().chunk(2)
            latents = self.scheduler.step(blind + self.guidance * (sighted - blind), time, latents).prev_sample
        pictures = [self.vae.decode(own[None] / scale).sample for own in latents]
        return (torch.cat(pictures) / 2 + 0.5).clamp(0, 1)


def shifted(scheduler: Any) -> Any:
    """The schedule with its signal-to-noise ratio lowered step by step, at the last step NOISE_SHIFT times."""
    kept = scheduler.alphas_cumprod.double()
    ratio = kept / (1 - kept) * NOISE_SHIFT ** -torch.linspace(0, 1, len(kept), dtype=torch.float64)
    kept = ratio / (1 + ratio)
    betas = 1 - kept / torch.cat([kept.new_ones(1), kept[:-1]])
    return type(scheduler).from_config(scheduler.config, trained_betas=betas.tolist())


@torch.inference_mode()
def read_prompt(base: Path) -> dict[str, Tensor]:
    """What SDXL's text encoders say of the two prompts; they never change, so that the encoders need not stay.

    Raises:
        checkpoints.errors.CheckpointError: the encoders do not fit their configs, or hold a number that is none.
    """
    kinds = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}
    parts = {name: open_transformers(kind.from_pretrained, base / name, torch.float32) for name, kind in kinds.items()}
    for name, encoder in parts.items():
        check_finite(name, encoder)
    names = ("tokenizer", "tokenizer_2")
    parts |= {name: CLIPTokenizer.from_pretrained(base / name, local_files_only=True) for name in names}
    absent = dict.fromkeys(("vae", "unet", "scheduler"))
    pipeline: Any = StableDiffusionXLPipeline(**absent, **parts, add_watermarker=False)  # type: ignore[no-untyped-call]
    tokens, blind_tokens, summary, blind_summary = pipeline.encode_prompt(
        PROMPT, device="cpu", num_images_per_prompt=1, negative_prompt=NEGATIVE_PROMPT
    )
    return {
        "encoder_hidden_states": torch.cat([blind_tokens, tokens]),
        "text_embeds": torch.cat([blind_summary, summary]),
    }
