"""What share of a run's time goes into new training data."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

MOST_SECONDS = 5.0
"""Of credit or debt that is carried over: compilation neither asks for new views nor makes some."""


class Freshness:
    """Lets a pool renew its views for a share of the time, on average; the clock starts with the object.

    Args:
        share: of the time, in (0, 1).
        device: whose queued work is done before the clock is read.

    Attributes:
        seconds: spent on new views.
    """

    def __init__(self, share: float, device: torch.device) -> None:
        self.seconds = 0.0
        self._device = device
        self._earned = share / (1 - share)
        self._credit = 0.0
        self._resumed = self.now()

    def keep(self, renew: Callable[[], None], enough: Callable[[], bool] = lambda: False) -> None:
        """Renew views until there are enough or the time is up that the work since the last call has earned."""
        before = self.now()
        self._credit = min(self._credit + self._earned * (before - self._resumed), MOST_SECONDS)
        self._resumed = before
        while self._credit > 0 and not enough():
            renew()
            before, self._resumed = self._resumed, self.now()
            self._credit = max(self._credit - (self._resumed - before), -MOST_SECONDS)
            self.seconds += self._resumed - before

    def now(self) -> float:
        """Seconds of a monotonic clock, once the device has nothing left to do."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.monotonic()
