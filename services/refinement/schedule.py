"""How much work one refinement is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

PYRAMID = 8
"""Picture sides are multiples of this, so that each level of the losses' pyramid halves the one before."""


@dataclass(frozen=True)
class Schedule:
    """How long and how finely to optimise.

    Attributes:
        camera_steps: Adam steps on the camera.
        joint_steps: Adam steps in each round.
        sizes: picture side of each round [px].
        search_size: picture side on which hypotheses are compared [px].
        settle_count: hypotheses of one joint that are moved before they are compared.
        settle_steps: Adam steps on those.
        batch: pictures rendered at once; bounds the memory.
        temperature: loss difference by which one hypothesis becomes e times as probable as another.
        noise: the same of a picture that may be drawn and not true, as a share of what the best explanation leaves.
        report_every: steps between two progress reports before the last, which comes with the outcome.
    """

    camera_steps: int = 40
    joint_steps: int = 50
    sizes: tuple[int, ...] = (64, 128)
    search_size: int = 64
    settle_count: int = 6
    settle_steps: int = 10
    batch: int = 32
    temperature: float = 0.012
    noise: float = 0.5
    report_every: int = 5

    def limited(self, effort: float) -> Schedule:
        """The same with a share in (0, 1] of the steps and of the pixels."""

        def share(steps: int) -> int:
            return math.ceil(steps * effort)

        def side(size: int) -> int:
            return PYRAMID * math.ceil(size * math.sqrt(effort) / PYRAMID)

        return replace(
            self,
            camera_steps=share(self.camera_steps),
            joint_steps=share(self.joint_steps),
            sizes=tuple(side(size) for size in self.sizes),
            search_size=side(self.search_size),
            settle_count=share(self.settle_count),
            settle_steps=share(self.settle_steps),
        )

    def noise_of(self, loss: float, pictures: int) -> float:
        """Differences in loss that say nothing, where the best explanation leaves `loss` of all pictures together."""
        return self.noise * max(loss / pictures, self.temperature)

    @property
    def total_steps(self) -> int:
        return self.camera_steps + self.joint_steps * len(self.sizes)
