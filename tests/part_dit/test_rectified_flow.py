"""Rectified flow: noise levels and Euler steps."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from services.part_dit.scheduler import RectifiedFlowScheduler


@given(st.integers(1, 60), st.floats(0.2, 8))
def test_noise_falls_from_one_to_zero(steps: int, shift: float) -> None:
    scheduler = RectifiedFlowScheduler(shift=shift)
    scheduler.set_timesteps(steps)
    assert scheduler.sigmas[0] == 1
    assert scheduler.sigmas[-1] == 0
    assert bool((scheduler.sigmas.diff() < 0).all())
    torch.testing.assert_close(scheduler.timesteps, scheduler.sigmas[:-1] * 1000)


@pytest.mark.parametrize("steps", [1, 7])
def test_the_true_velocity_leads_to_the_data(steps: int) -> None:
    data, noise = torch.randn(2, 3), torch.randn(2, 3)
    scheduler = RectifiedFlowScheduler(shift=3.0)
    scheduler.set_timesteps(steps)
    sample = noise
    for timestep in scheduler.timesteps:
        sample = scheduler.step(data - noise, timestep, sample).prev_sample
    torch.testing.assert_close(sample, data)


def test_noising_ends_at_data_and_noise() -> None:
    data, noise = torch.randn(2, 3), torch.randn(2, 3)
    mixed = RectifiedFlowScheduler().add_noise(data, noise, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(mixed, torch.stack([data[0], noise[1]]))


def test_steps_out_of_order_are_refused() -> None:
    scheduler = RectifiedFlowScheduler()
    scheduler.set_timesteps(4)
    with pytest.raises(ValueError, match="expected timestep"):
        scheduler.step(torch.zeros(1), scheduler.timesteps[2], torch.zeros(1))


def test_no_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RectifiedFlowScheduler().set_timesteps(0)
