"""Rectified flow: straight paths from noise to data, integrated by Euler steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from diffusers.utils.outputs import BaseOutput
from torch import Tensor


@dataclass
class RectifiedFlowStep(BaseOutput):
    """`prev_sample`: the sample at the next, lower noise level."""

    prev_sample: Tensor


class RectifiedFlowScheduler(SchedulerMixin, ConfigMixin):  # type: ignore[misc]
    """x(sigma) = (1 - sigma) * data + sigma * noise; the model predicts the velocity data - noise.

    Args:
        num_train_timesteps: the model's time is sigma times this.
        shift: above 1 spends more steps at high noise: sigma' = shift * sigma / (1 + (shift - 1) * sigma).

    Attributes:
        sigmas: (steps + 1,) noise levels from 1 down to 0.
        timesteps: (steps,) what the model gets as its time.
    """

    order = 1

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, num_train_timesteps: int = 1000, shift: float = 1.0) -> None:
        self.num_train_timesteps = num_train_timesteps
        self.shift = shift
        self.set_timesteps(num_train_timesteps)

    def set_timesteps(self, num_inference_steps: int, device: torch.device | str | None = None) -> None:
        """Spread the noise levels of a sampling run and start it.

        Raises:
            ValueError: fewer than one step.
        """
        if num_inference_steps < 1:
            raise ValueError(f"num_inference_steps must be at least 1, got {num_inference_steps}")
        sigmas = torch.linspace(1.0, 0.0, num_inference_steps + 1, dtype=torch.float64)
        self.sigmas = (self.shift * sigmas / (1 + (self.shift - 1) * sigmas)).to(device, torch.float32)
        self.timesteps = self.sigmas[:-1] * self.num_train_timesteps
        self._step = 0

    def step(self, model_output: Tensor, timestep: Tensor | float, sample: Tensor) -> RectifiedFlowStep:
        """One Euler step from `timesteps[i]` to `timesteps[i + 1]`; call in the order of `timesteps`.

        Raises:
            ValueError: `timestep` is not the next one.
        """
        if float(timestep) != float(self.timesteps[self._step]):
            raise ValueError(f"expected timestep {float(self.timesteps[self._step])}, got {float(timestep)}")
        stride = self.sigmas[self._step] - self.sigmas[self._step + 1]
        self._step += 1
        return RectifiedFlowStep(prev_sample=sample + stride * model_output)

    def add_noise(self, data: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """(N, ...) data and noise, (N,) sigma in [0, 1] -> (N, ...) the sample at that noise level."""
        sigma = sigma.reshape(-1, *[1] * (data.ndim - 1)).to(data.dtype)
        return (1 - sigma) * data + sigma * noise
