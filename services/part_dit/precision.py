"""In which numbers the shape stage computes."""

from __future__ import annotations

import torch

FAST_BFLOAT16 = ("avx512_bf16", "amx_bf16")
"""Instruction sets with which a CPU multiplies bfloat16 two to three times faster than float32."""


def best_dtype(device: torch.device) -> torch.dtype:
    """float16 on a GPU; on a CPU bfloat16, in which the compact model is trained, where that is fast, else float32."""
    if device.type != "cpu":
        return torch.float16
    capabilities = torch.cpu.get_capabilities()
    return torch.bfloat16 if any(capabilities.get(name) for name in FAST_BFLOAT16) else torch.float32
