"""Checks that need torch: that weights fit the device, and that every number of a loaded model is one."""

from __future__ import annotations

import torch
from torch import nn

from checkpoints.errors import CheckpointCorrupt, CheckpointTooLarge

GIB = 1024**3


def check_fits(name: str, weight_bytes: int, device: torch.device) -> None:
    """Refuse weights that the device has no room for; what they compute with comes on top. A CPU may swap.

    Raises:
        CheckpointTooLarge: saying how much there is.
    """
    free = free_bytes(device)
    if free is not None and weight_bytes > free:
        raise CheckpointTooLarge(
            f"{name} needs {weight_bytes / GIB:.1f} GiB for its weights; {device} has {free / GIB:.1f} GiB free"
        )


def free_bytes(device: torch.device) -> int | None:
    """Memory that is free on a GPU; None for a CPU."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


@torch.no_grad()
def check_finite(name: str, module: nn.Module) -> None:
    """Refuse a model with a weight that is not a number, or not one in the dtype that it was loaded in.

    Raises:
        CheckpointCorrupt: naming the first such weight.
    """
    for key, value in module.state_dict().items():
        if not bool(value.isfinite().all()):
            raise CheckpointCorrupt(f"{name} holds a weight that is not finite in {value.dtype}: {key}")
