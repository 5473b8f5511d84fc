"""BatchedMuon takes torch.optim.Muon's steps."""

import pytest
import torch
from torch import nn

from training.muon import BatchedMuon, orthogonalise


@pytest.mark.parametrize("shape", [(16, 16), (48, 16), (16, 48)])
def test_agrees_with_torch(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(3)
    ours = [nn.Parameter(torch.randn(shape, generator=generator)) for _ in range(3)]
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    mine = BatchedMuon(ours, lr=0.02, weight_decay=0.1)
    reference = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = torch.randn(shape, generator=generator)
            q.grad = p.grad.clone()
        mine.step()
        reference.step()
    for p, q in zip(ours, theirs, strict=True):
        assert torch.allclose(p, q, atol=5e-3)


def test_singular_values_come_near_one() -> None:
    matrices = torch.randn(2, 24, 40, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrices).float())
    assert values.min() > 0.4
    assert values.max() < 1.4
