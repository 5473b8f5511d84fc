"""The compact editing pipeline: a diffusers folder of an editing network and a flow-matching scheduler."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from services.vlm.edit_model import EDIT_PLANES, EditModel
from services.vlm.engine import Abandoned


class CompactEditPipeline(DiffusionPipeline):
    """Sample edits by Euler steps of a rectified flow from noise, steered by image and prompt.

    `CompactEditPipeline.from_pretrained(folder)` opens what `save_pretrained` wrote.

    Args:
        steps: network calls that this network needs; kept in `model_index.json`.
    """

    model: Any
    scheduler: Any

    def __init__(self, model: EditModel, scheduler: FlowMatchEulerDiscreteScheduler, steps: int = 2) -> None:
        super().__init__()
        self.register_modules(model=model, scheduler=scheduler)  # type: ignore[no-untyped-call]
        self.register_to_config(steps=steps)  # type: ignore[no-untyped-call]

    @property
    def image_size(self) -> int:
        """Side of the images that the network works on [pixels]."""
        return int(self.model.config.image_size)

    @torch.inference_mode()
    def __call__(
        self,
        image: Tensor,
        prompt: Tensor,
        generator: torch.Generator,
        num_inference_steps: int | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Tensor:
        """Make a batch of edits.

        Args:
            image: (B, 3, S, S) input image in [-1, 1].
            prompt: (B, C, S, S) from `services.vlm.edit_prompt.draw_prompt`.
            generator: on the CPU; the only source of randomness. One noise picture serves the whole batch, so an edit
                does not depend on what else is asked.
            num_inference_steps: network calls; the folder's own number when None.
            stop: asked before each network call; true abandons the edits.

        Returns:
            (B, 4, S, S) in [-1, 1]: colours on white, and coverage.

        Raises:
            services.vlm.engine.Abandoned: `stop` returned true.
        """
        size = image.shape[-1]
        steps = num_inference_steps or int(self.config["steps"])
        edit = torch.randn(1, EDIT_PLANES, size, size, generator=generator).to(image).expand(len(image), -1, -1, -1)
        levels = torch.linspace(1, 0, steps + 1)[:-1]
        scheduler = copy(self.scheduler)  # it keeps state, and calls may run at the same time
        scheduler.set_timesteps(sigmas=levels.tolist(), device=image.device)
        for sigma, timestep in zip(scheduler.sigmas[:-1], scheduler.timesteps, strict=True):
            if stop():
                raise Abandoned
            clean, _ = self.model(edit, image, prompt, sigma.expand(len(image)))
            edit = scheduler.step((edit - clean) / sigma, timestep, edit).prev_sample
        return edit
