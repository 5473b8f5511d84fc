"""Photographic effects against Pillow's JPEG and plain expectations."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from training import photo
from training.jpeg import compressed


def picture(size: int = 64) -> torch.Tensor:
    """(S, S, 3) bands and a gradient, without noise."""
    ramp = torch.linspace(0.1, 0.9, size)
    red = ramp[:, None].expand(size, size)
    green = 0.5 + 0.4 * torch.sin(ramp * 40)[None].expand(size, size)
    return torch.stack([red, green, 1 - red], -1)


@pytest.mark.parametrize("quality", [20, 50, 90])
def test_compression_leaves_what_pillow_leaves(quality: int) -> None:
    image = picture()
    file = io.BytesIO()
    Image.fromarray((image * 255).round().byte().numpy()).save(file, "JPEG", quality=quality, subsampling=2)
    expected = torch.tensor(np.asarray(Image.open(file))) / 255
    ours = compressed(image[None], torch.tensor([float(quality)]))[0]
    lost = float((expected - image).abs().mean())
    assert float((ours - expected).abs().mean()) < max(0.35 * lost, 0.006)


def test_better_quality_loses_less_in_the_same_batch() -> None:
    image = picture(50).expand(2, -1, -1, -1)
    worse, better = (compressed(image, torch.tensor([10.0, 95.0])) - image).abs().mean((1, 2, 3))
    assert better < 0.5 * worse


def test_development_is_a_function_of_its_random_numbers() -> None:
    image, coverage = picture()[None], torch.zeros(1, 64, 64)
    table, grain = torch.rand(1, photo.DRAWS, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 64, 64, 3)
    first, second = (photo.developed(image, coverage, table, grain) for _ in range(2))
    assert torch.equal(first, second)
    assert ((first >= 0) & (first <= 1)).all()
    assert not torch.equal(first, photo.developed(image, coverage, 1 - table, grain))


def test_defocus_spares_the_object_and_takes_no_colour_from_it() -> None:
    coverage = torch.zeros(1, 64, 64, 1)
    coverage[:, 20:44, 20:44] = 1
    image = torch.where(coverage > 0, torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0]))
    lens = photo._lens(64, torch.tensor([3.0]), torch.tensor([1.0]))
    torch.testing.assert_close(photo._behind_blurred(image, coverage, lens), image, atol=1e-4, rtol=0)


def test_lost_resolution_keeps_the_mean_and_loses_detail() -> None:
    stripes = (torch.arange(64) % 2).float()[None, :, None, None].expand(1, 64, 64, 3)
    lens = photo._lens(64, torch.tensor([0.0]), torch.tensor([0.5]))
    seen = photo._through(stripes, lens, lens)
    torch.testing.assert_close(seen.mean(), stripes.mean(), atol=0.02, rtol=0)
    assert seen.std() < 0.3 * stripes.std()
