"""`training.noise.vector_noise` as one Triton kernel, which compiled code calls without looking into it."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 256
"""Points a program."""


@torch.library.custom_op("spark::vector_noise", mutates_args=())
def vector_noise_fused(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """(3, N) noises at N points; x, y, z (N,) float32, contiguous."""
    out = x.new_empty((3, len(x)))
    if len(x):
        _vector_noise[(triton.cdiv(len(x), BLOCK),)](x, y, z, out, len(x), BLOCK)
    return out


@vector_noise_fused.register_fake
def _(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    return x.new_empty((3, x.shape[0]))


@triton.jit
def _mixed(bits):  # type: ignore[no-untyped-def]
    bits = (bits ^ (bits >> 15)) * 668265263
    bits = (bits ^ (bits >> 13)) * 1274126177
    return bits ^ (bits >> 16)


def _kernel(x_points, y_points, z_points, out, count, block: tl.constexpr):  # type: ignore[no-untyped-def]
    at = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = at < count
    x = tl.load(x_points + at, mask=inside, other=0.0)
    y = tl.load(y_points + at, mask=inside, other=0.0)
    z = tl.load(z_points + at, mask=inside, other=0.0)
    cell_x, cell_y, cell_z = tl.floor(x), tl.floor(y), tl.floor(z)
    u, v, w = x - cell_x, y - cell_y, z - cell_z
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    i, j, k = cell_x.to(tl.int32), cell_y.to(tl.int32), cell_z.to(tl.int32)
    red = tl.zeros([block], tl.float32)
    green = tl.zeros([block], tl.float32)
    blue = tl.zeros([block], tl.float32)
    for corner in tl.static_range(8):
        bits = ((i + corner % 2) * 374761393) ^ ((j + corner // 2 % 2) * 668265263) ^ ((k + corner // 4) * 1274126177)
        bits = _mixed(bits)
        weight = (u if corner % 2 else 1 - u) * (v if corner // 2 % 2 else 1 - v) * (w if corner // 4 else 1 - w)
        red += weight * (bits & 1023).to(tl.float32)
        green += weight * ((bits >> 10) & 1023).to(tl.float32)
        blue += weight * ((bits >> 20) & 1023).to(tl.float32)
    tl.store(out + at, red / 1023, mask=inside)
    tl.store(out + count + at, green / 1023, mask=inside)
    tl.store(out + 2 * count + at, blue / 1023, mask=inside)


_vector_noise: Any = triton.jit(_kernel, do_not_specialize=["count"])
