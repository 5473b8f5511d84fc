"""White bars around pictures."""

import numpy as np
import pytest
import torch
from PIL import Image

from articulation.files import png
from gateway.images import normalise, read_rgb
from training import letterbox as module
from training.letterbox import WIDEST, letterbox


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARE", 1.0)


def barred(free: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """(B, S, S) where bars cover black pictures."""
    size = free.shape[1]
    pictures = letterbox(torch.zeros(len(free), size, size, 3), free, torch.Generator().manual_seed(seed))
    assert set(pictures.unique().tolist()) <= {0.0, 1.0}
    return pictures[..., 0] == 1


def test_bars_are_equal_opposite_and_no_wider_than_the_widest() -> None:
    covered = barred(torch.ones(200, 40, 40, dtype=torch.bool))
    assert torch.equal(covered, covered.flip(1, 2))
    share = covered.float().mean((1, 2))
    assert share.min() > 0.1
    assert share.max() <= 2 * WIDEST + 1e-6
    lying = covered[:, 0].all(1)
    assert 0.5 < lying.float().mean() < 0.8
    assert torch.equal(lying, ~covered[:, :, 0].all(1))


def test_bars_leave_the_object_free() -> None:
    free = torch.ones(100, 40, 40, dtype=torch.bool)
    free[:, 5:30, 3:36] = False
    covered = barred(free)
    assert not (covered & ~free).any()
    assert covered.any((1, 2)).float().mean() > 0.9


def test_an_object_at_the_edge_leaves_no_room() -> None:
    free = torch.ones(20, 40, 40, dtype=torch.bool)
    free[:, 0, 0] = False
    assert not barred(free).any()


def test_the_gateway_makes_the_same_bars() -> None:
    wide = np.zeros((384, 512, 3), np.uint8)
    wide[:, :, 1] = np.arange(512) // 4
    got = read_rgb(normalise(png(wide)))
    square = np.asarray(Image.fromarray(got).resize((64, 64), Image.Resampling.BOX))
    covered = (square > 250).all(-1)
    assert covered[:8].all()
    assert covered[-8:].all()
    assert not covered[8:-8].any()
