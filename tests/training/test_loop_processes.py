"""Processes that train together step by the mean of their gradients."""

import socket
from pathlib import Path

import pytest
import torch
from torch import multiprocessing, nn

from training.loop import Loop
from training.processes import join

INPUTS = torch.tensor([[1.0, 2.0], [3.0, -4.0]])
START = 0.5


def _train(rank: int, folder: Path, port: int) -> None:
    """Gradient descent on this rank's row only; rank 1 starts elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        addressed = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        for name, value in addressed.items():
            patch.setenv(name, str(value))
        join("cpu")
    module = nn.Linear(2, 1, bias=False)
    nn.init.constant_(module.weight, START + rank)
    loop = Loop("toy", module, folder, 1.0, 1e9, adam_lr=1e-2, warmup=1)
    loop.run(lambda _: {"loss": module(INPUTS[rank : rank + 1]).square().mean()})
    torch.save({"weight": module.weight.detach(), "step": loop.step}, folder / f"rank-{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_step_as_one_that_sees_both_batches(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(_train, (tmp_path, port), nprocs=2)
    first, second = (torch.load(tmp_path / f"rank-{rank}.pt") for rank in (0, 1))

    alone = nn.Linear(2, 1, bias=False)
    nn.init.constant_(alone.weight, START)
    optimiser = torch.optim.AdamW(alone.parameters(), lr=1e-2, betas=(0.9, 0.99), weight_decay=0.01)
    for _ in range(first["step"]):
        optimiser.zero_grad()
        alone(INPUTS).square().mean().backward()
        nn.utils.clip_grad_norm_(alone.parameters(), 1.0)
        optimiser.step()
    assert first["step"] > 0
    torch.testing.assert_close(first["weight"], second["weight"], rtol=0, atol=0)
    torch.testing.assert_close(first["weight"], alone.weight.detach(), rtol=0, atol=1e-4)
