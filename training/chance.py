"""Chance for compiled code: one table of uniform numbers, drawn before, dealt out column by column."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from training.primitives import Pattern


class Chance:
    """Deals the columns of `table` (B, K), uniform in [0, 1), each once.

    Raises:
        ValueError: from every method, when too few columns are left.
    """

    def __init__(self, table: Tensor) -> None:
        self._table = table
        self._used = 0

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """(B, *shape) uniform in [low, high)."""
        count = 1
        for side in shape:
            count *= side
        start, self._used = self._used, self._used + count
        if self._used > self._table.shape[1]:
            raise ValueError("the table of random numbers is too narrow")
        return low + (high - low) * self._table[:, start : self._used].reshape(-1, *shape)

    def likely(self, share: float, *shape: int) -> Tensor:
        """(B, *shape) bool, True in this share of cases."""
        return self.uniform(0, 1, *shape) < share

    def pattern(self, shares: Mapping[Pattern, float], *shape: int) -> Tensor:
        """(B, *shape) float number of a pattern, each in its share of cases; shares sum to 1."""
        drawn = self.uniform(0, 1, *shape)
        out = torch.zeros_like(drawn)
        edge = 0.0
        for kind, share in shares.items():
            out = torch.where(drawn >= edge, float(kind.value), out)
            edge += share
        return out

    def color(self, warm: tuple[float, float], bright: tuple[float, float], tint: float, *shape: int) -> Tensor:
        """(B, *shape, 3) sRGB: grey of some brightness, `warm` from neutral (0) to brown (1), tinted."""
        value, warmth = self.uniform(*bright, *shape, 1), self.uniform(*warm, *shape, 1)
        fall = torch.arange(3, device=self._table.device) * 0.25
        return (value * (1 - warmth * fall) + self.uniform(-tint, tint, *shape, 3)).clamp(0.02, 0.97)
