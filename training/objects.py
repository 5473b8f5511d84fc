"""Articulated objects from seeds: the six categories of the paper and six more.

The same seed, split and category give the same object, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import get_context

from training.camera import sample_camera, sample_cameras
from training.categories import (
    box,
    dishwasher,
    door,
    laptop,
    microwave,
    oven,
    refrigerator,
    safe,
    storage_furniture,
    table,
    toilet,
    washing_machine,
)
from training.draw import Draw, Split
from training.spec import ObjectSpec, SpecLink

__all__ = [
    "CATEGORIES", "ObjectSpec", "SpecLink", "Split", "generate", "generate_many", "sample_camera", "sample_cameras",
]  # fmt: skip

_BUILDERS: dict[str, Callable[[Draw], ObjectSpec]] = {
    "microwave": microwave.build,
    "refrigerator": refrigerator.build,
    "table": table.build,
    "storage_furniture": storage_furniture.build,
    "safe": safe.build,
    "washing_machine": washing_machine.build,
    "dishwasher": dishwasher.build,
    "oven": oven.build,
    "laptop": laptop.build,
    "box": box.build,
    "toilet": toilet.build,
    "door": door.build,
}
CATEGORIES: tuple[str, ...] = tuple(_BUILDERS)


def generate(seed: int, split: Split, category: str | None = None) -> ObjectSpec:
    """One object; without a category the seed picks it.

    Raises:
        KeyError: the category is not one of `CATEGORIES`.
    """
    draw = Draw(seed, split)
    picked = draw.pick(CATEGORIES)
    return _BUILDERS[category or picked](draw)


def generate_many(seeds: Sequence[int], split: Split, processes: int = 1) -> list[ObjectSpec]:
    """`generate` for every seed, in order, on several processes."""
    one = partial(generate, split=split)
    if processes <= 1:
        return [one(seed) for seed in seeds]
    with get_context("spawn").Pool(processes) as pool:
        return pool.map(one, seeds, chunksize=256)
