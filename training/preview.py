"""Pictures to look at: contact sheets of generated objects, and sample photographs."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from articulation.camera import Camera
from articulation.typing import ImageArray
from training.camera import sample_camera
from training.draw import Split
from training.objects import generate
from training.render import Background, render
from training.scene import pack
from training.spec import ObjectSpec

PALETTE = torch.tensor(
    [(0.8, 0.8, 0.8)] + [colorsys.hsv_to_rgb(i * 0.381 % 1, 0.75, 0.9) for i in range(31)] + [(1.0, 1.0, 1.0)]
)
"""(33, 3) colour of each link; the last one, index -1, is the background."""


def contact_sheet(path: Path, count: int, split: Split, size: int, columns: int, seed: int = 0) -> None:
    """Write a picture of `count` objects, `columns` a row: each photographed, opened at the same place, part mask."""
    specs = [generate(seed + index, split) for index in range(count)]
    tiles = [np.concatenate(list(views)) for views in zip(*_views(specs, split, size, seed), strict=True)]
    while len(tiles) % columns:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(path)


def to_bytes(rgb: Tensor) -> ImageArray:
    """(..., 3) sRGB in [0, 1] as bytes."""
    return (rgb * 255 + 0.5).to(torch.uint8).cpu().numpy()


def _views(specs: Sequence[ObjectSpec], split: Split, size: int, seed: int) -> list[ImageArray]:
    scene = pack(specs, "cpu")
    rng = np.random.default_rng(seed)
    cameras = torch.tensor(np.stack([sample_camera(rng, split, x.half_extent).to_array() for x in specs])).float()
    closed, opened = (
        render(
            scene, cameras, scene.joint_upper * share, scene.link_valid, size, Background.RANDOM,
            torch.Generator().manual_seed(seed), samples=2,
        )
        for share in (0.0, 0.7)
    )  # fmt: skip
    return [to_bytes(x) for x in (closed.rgb, opened.rgb, PALETTE[closed.link])]


def sample_images(folder: Path, seeds: Mapping[str, int], size: int = 512) -> None:
    """Write one photograph a category, of the validation object with that seed, and the page that describes them."""
    folder.mkdir(parents=True, exist_ok=True)
    for category, seed in seeds.items():
        spec = generate(seed, Split.VAL, category)
        image = photograph(spec, Split.VAL, size, seed)
        Image.fromarray(image).save(folder / f"{category}.png", optimize=True)
    rows = "\n".join(f"| [{category}.png]({category}.png) | {seed} |" for category, seed in seeds.items())
    (folder / "README.md").write_text(_SAMPLES_PAGE.format(size=size, rows=rows))


def photograph_view(spec: ObjectSpec, split: Split, seed: int) -> Camera:
    """The camera of `photograph`."""
    return sample_camera(np.random.default_rng(seed), split, spec.half_extent)


def photograph(spec: ObjectSpec, split: Split, size: int, seed: int) -> ImageArray:
    """(S, S, 3) one smooth photograph of the closed object from a random view of the split."""
    scene = pack([spec], "cpu")
    view = photograph_view(spec, split, seed).to_array()
    generator = torch.Generator().manual_seed(seed)
    closed = torch.zeros_like(scene.joint_upper)
    out = render(
        scene, torch.tensor(view)[None], closed, scene.link_valid, size, Background.RANDOM, generator, samples=2
    )
    return to_bytes(out.rgb[0])


_SAMPLES_PAGE = """# Sample images

Photographs ({size} x {size} pixels) of objects that `training/` generated, one a category, from the validation split:
no model has seen them. `spark-training examples -o examples/` writes them again.

| image | seed |
| --- | --- |
{rows}

Licence: Apache-2.0, as everything in this repository.
"""
