"""Training samples of the plan stage before they are rendered, drawn on many processes: object, view, answer, hints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from articulation.errors import InvalidArticulation
from articulation.typing import Array
from services.vlm.hints import describe
from services.vlm.plan_format import to_document
from training.camera import sample_camera
from training.objects import ObjectSpec, Split, generate

HINTED = 0.25
"""Share of samples whose prompt states some of the part counts."""


@dataclass(frozen=True, eq=False)
class Sample:
    """An object as one picture will show it.

    Attributes:
        spec: the object.
        camera: (6,) in `Camera.to_array` order.
        document: the answer, as in `services.vlm.plan_format`.
        hints: true statements about the number of parts; often none.
    """

    spec: ObjectSpec
    camera: Array
    document: dict[str, Any]
    hints: list[str]


def samples(seeds: Sequence[int], split: Split, processes: int = 1) -> list[Sample]:
    """One sample for each object that the format can describe, in the order of the seeds."""
    one = partial(_sample, split=split)
    if processes <= 1:
        drawn = [one(seed) for seed in seeds]
    else:
        with get_context("spawn").Pool(processes) as pool:
            drawn = pool.map(one, seeds, chunksize=256)
    return [sample for sample in drawn if sample is not None]


def _sample(seed: int, split: Split) -> Sample | None:
    spec = generate(seed, split)
    rng = np.random.default_rng([split.stream, seed, 1])
    camera = sample_camera(rng, split, spec.half_extent)
    try:
        document = to_document(spec.plan(camera))
    except InvalidArticulation:
        return None
    return Sample(spec, camera.to_array(), document, _hints(document, rng))


def _hints(document: dict[str, Any], rng: np.random.Generator) -> list[str]:
    if rng.random() > HINTED:
        return []
    counts = Counter(part["label"] for part in document["parts"][1:])
    return [describe({label: count}) for label, count in counts.items() if rng.random() < 0.7]
