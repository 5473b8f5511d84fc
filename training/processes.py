"""Several processes that train one model together, as torchrun starts them."""

from __future__ import annotations

import os

import torch


def join(device: str) -> tuple[str, int, int]:
    """Join the process group that torchrun's environment describes; without one, this process is alone.

    Args:
        device: asked for on the command line; under torchrun a process takes the accelerator of its local rank.

    Returns:
        the device, this process's rank and the number of processes.
    """
    if "RANK" not in os.environ:
        return device, 0, 1
    if device.startswith("cuda"):
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return device, torch.distributed.get_rank(), torch.distributed.get_world_size()
