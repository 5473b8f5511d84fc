"""Seeded choices that know their split: what training may draw and what only the test split may.

Three things are held out of training (`docs/data.md`): layouts (combinations of discrete choices), finishes and handle
styles, and camera bands. Every single choice of a layout also occurs in training; only the combination is new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

LAYOUT_MODULUS = 5
"""One layout in this many is held out."""


class Split(StrEnum):
    """Which objects: training, validation (new objects, same distribution) or test (new layouts, finishes, views)."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"

    @property
    def stream(self) -> int:
        """Number mixed into every seed, so that no two splits share a random stream."""
        return list(Split).index(self)


def is_held_out(choices: Sequence[int]) -> bool:
    """Whether the layout with these choice indices belongs to the test split alone."""
    return sum(choices) % LAYOUT_MODULUS == LAYOUT_MODULUS - 1


class Draw:
    """Random choices of one object.

    Attributes:
        rng: the object's random stream.
        split: decides which layouts and pool entries are open.
    """

    def __init__(self, seed: int, split: Split) -> None:
        self.rng = np.random.default_rng([split.stream, seed])
        self.split = split

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.rng.random())

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.rng.random() * len(options))]

    def pool(self, seen: Sequence[T], held_out: Sequence[T]) -> T:
        """Pick from `seen`, or from `held_out` in the test split."""
        return self.pick(held_out if self.split is Split.TEST else seen)

    def layout(
        self, options: Mapping[str, Sequence[Any]], possible: Callable[[Mapping[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """Pick one value for every name, such that the combination is `possible` and open to the split.

        The first name's values are equally likely, however many combinations each allows; with every one of them, there
        must be combinations on both sides of `is_held_out`.
        """
        (_, kinds), *rest = options.items()
        kind = int(self.rng.random() * len(kinds))
        while True:
            indices = [kind, *(int(self.rng.random() * len(values)) for _, values in rest)]
            chosen = {name: values[i] for (name, values), i in zip(options.items(), indices, strict=True)}
            if is_held_out(indices) == (self.split is Split.TEST) and possible(chosen):
                return chosen

    @staticmethod
    def style(layout: Mapping[str, Any]) -> str:
        """The layout in words, e.g. "hinge=left knobs=2"."""
        return " ".join(f"{name}={value}".replace(" ", "_") for name, value in layout.items())
