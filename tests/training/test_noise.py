"""Hashed noise: range, smoothness, independence."""

from __future__ import annotations

import os
import subprocess
import sys

import torch

from training.noise import uniform_of, vector_noise


def test_noise_fills_its_range_and_its_channels_are_independent() -> None:
    points = torch.rand(3, 20000, generator=torch.Generator().manual_seed(0)) * 200 - 100
    channels = torch.stack(vector_noise(*points))
    assert channels.min() >= 0
    assert channels.max() <= 1
    assert (channels.mean(1) - 0.5).abs().max() < 0.02
    assert (torch.corrcoef(channels) - torch.eye(3)).abs().max() < 0.05


def test_noise_is_continuous_across_cells() -> None:
    x = torch.linspace(-3, 3, 6001)
    value = vector_noise(x, torch.full_like(x, 0.3), torch.full_like(x, -1.7))[0]
    assert value.diff().abs().max() < 0.003
    assert value.std() > 0.05


def test_neighbouring_numbers_get_unlike_uniforms() -> None:
    drawn = uniform_of(torch.arange(4096, dtype=torch.int32))
    assert drawn.histc(16, 0, 1).min() > 190
    assert torch.corrcoef(torch.stack([drawn[:-1], drawn[1:]]))[0, 1].abs() < 0.05


def check_kernel() -> None:
    """Run in an interpreter of its own: Triton reads TRITON_INTERPRET when it is first imported."""
    from training.noise_triton import vector_noise_fused

    points = torch.rand(3, 700, generator=torch.Generator().manual_seed(0)) * 200 - 100
    torch.testing.assert_close(vector_noise_fused(*points), torch.stack(vector_noise(*points)), rtol=0, atol=1e-5)


def test_the_kernel_makes_the_same_noise() -> None:
    program = "from tests.training.test_noise import check_kernel; check_kernel()"
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
