"""The compact editing pipeline: a diffusers folder of a UNet and a flow-matching scheduler."""

from __future__ import annotations

from copy import copy
from typing import Any

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from services.vlm.edit_model import EDIT_PLANES, FOLD, predict_edit

DEFAULT_STEPS = 3


class CompactEditPipeline(DiffusionPipeline):
    """Sample edits by Euler steps of a rectified flow from noise, steered by image and prompt.

    `CompactEditPipeline.from_pretrained(folder)` opens what `save_pretrained` wrote.
    """

    unet: Any
    scheduler: Any

    def __init__(self, unet: UNet2DModel, scheduler: FlowMatchEulerDiscreteScheduler) -> None:
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)  # type: ignore[no-untyped-call]

    @property
    def image_size(self) -> int:
        """Side of the images that the network works on [pixels]."""
        return int(self.unet.config.sample_size) * FOLD

    @torch.inference_mode()
    def __call__(
        self, image: Tensor, prompt: Tensor, generator: torch.Generator, num_inference_steps: int = DEFAULT_STEPS
    ) -> Tensor:
        """Make a batch of edits.

        Args:
            image: (B, 3, S, S) input image in [-1, 1].
            prompt: (B, C, S, S) from `services.vlm.edit_prompt.draw_prompt`.
            generator: on the CPU; the only source of randomness. One noise picture serves the whole batch, so an edit
                does not depend on what else is asked.
            num_inference_steps: network calls.

        Returns:
            (B, 4, S, S) in [-1, 1]: colours on white, and coverage.
        """
        size = image.shape[-1]
        edit = torch.randn(1, EDIT_PLANES, size, size, generator=generator).to(image).expand(len(image), -1, -1, -1)
        levels = torch.linspace(1, 0, num_inference_steps + 1)[:-1]
        scheduler = copy(self.scheduler)  # it keeps state, and calls may run at the same time
        scheduler.set_timesteps(sigmas=levels.tolist(), device=image.device)
        for sigma, timestep in zip(scheduler.sigmas[:-1], scheduler.timesteps, strict=True):
            clean, _ = predict_edit(self.unet, edit, image, prompt, sigma.expand(len(image)))
            edit = scheduler.step((edit - clean) / sigma, timestep, edit).prev_sample
        return edit
