"""Deterministic noise from integer hashes: the same on every device, and nothing to draw or store."""

from __future__ import annotations

import torch
from torch import Tensor

_PRIMES = (374761393, 668265263, 1274126177)
_BITS = 10


def vector_noise(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Three independent smooth noises in [0, 1] at points whose coordinates are x, y, z (...), one cell a unit.

    On a GPU by one kernel: half of a picture's memory traffic would be the corners of its cells, and compiled into
    what is around them they would take minutes to compile.
    """
    if not x.is_cuda:
        return _vector_noise(x, y, z)
    from training.noise_triton import vector_noise_fused

    red, green, blue = vector_noise_fused(*(value.reshape(-1) for value in (x, y, z)))
    return red.view(x.shape), green.view(x.shape), blue.view(x.shape)


def _vector_noise(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    corner = torch.arange(8, device=x.device, dtype=torch.int32).view(8, *(1,) * x.dim())
    bits, weight = torch.zeros_like(corner), corner.new_ones((), dtype=x.dtype)
    for axis, (value, prime) in enumerate(zip((x, y, z), _PRIMES, strict=True)):
        cell, far = value.floor(), corner >> axis & 1
        part = value - cell
        part = part * part * (3 - 2 * part)
        bits = bits ^ (cell.to(torch.int32) + far) * prime
        weight = weight * (1 - far + (2 * far - 1) * part)
    bits = mixed(bits)
    top = (1 << _BITS) - 1
    red, green, blue = ((weight * (bits >> _BITS * channel & top)).sum(0) / top for channel in range(3))
    return red, green, blue


def uniform_of(index: Tensor) -> Tensor:
    """A number in [0, 1) for each int32 `index` (...), unlike those of its neighbours."""
    return (mixed(index * _PRIMES[0]) & (1 << 24) - 1) * (1 / (1 << 24))


def mixed(bits: Tensor) -> Tensor:
    """Scramble int32 numbers (...)."""
    bits = (bits ^ (bits >> 15)) * _PRIMES[1]
    bits = (bits ^ (bits >> 13)) * _PRIMES[2]
    return bits ^ (bits >> 16)
