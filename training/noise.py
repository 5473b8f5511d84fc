"""Deterministic noise from integer hashes: the same on every device, and nothing to draw or store."""

from __future__ import annotations

import torch
from torch import Tensor

_PRIMES = (374761393, 668265263, 1274126177)
_BITS = 10


def vector_noise(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Three independent smooth noises in [0, 1] at points whose coordinates are x, y, z (...), one cell a unit."""
    lows, highs, weights = [], [], []
    for value, prime in zip((x, y, z), _PRIMES, strict=True):
        cell = value.floor()
        part = value - cell
        low = cell.to(torch.int32) * prime
        lows.append(low)
        highs.append(low + prime)
        weights.append(part * part * (3 - 2 * part))
    total = None
    for corner in range(8):
        ends = [highs[axis] if corner >> axis & 1 else lows[axis] for axis in range(3)]
        weight = None
        for axis in range(3):
            share = weights[axis] if corner >> axis & 1 else 1 - weights[axis]
            weight = share if weight is None else weight * share
        bits = mixed(ends[0] ^ ends[1] ^ ends[2])
        values = [weight * (bits >> (_BITS * channel) & (1 << _BITS) - 1) for channel in range(3)]
        total = values if total is None else [a + b for a, b in zip(total, values, strict=True)]
    assert total is not None
    red, green, blue = (value * (1 / ((1 << _BITS) - 1)) for value in total)
    return red, green, blue


def value_noise(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Smooth noise in [0, 1] at points whose coordinates are x, y, z (...), one cell a unit."""
    return vector_noise(x, y, z)[0]


def uniform_of(index: Tensor) -> Tensor:
    """A number in [0, 1) for each int32 `index` (...), unlike those of its neighbours."""
    return (mixed(index * _PRIMES[0]) & (1 << 24) - 1) * (1 / (1 << 24))


def mixed(bits: Tensor) -> Tensor:
    """Scramble int32 numbers (...)."""
    bits = (bits ^ (bits >> 15)) * _PRIMES[1]
    bits = (bits ^ (bits >> 13)) * _PRIMES[2]
    return bits ^ (bits >> 16)
