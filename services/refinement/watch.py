"""How long one request may be worked on."""

from __future__ import annotations

import time
from collections.abc import Callable

MARGIN_SHARE, MARGIN_SECONDS = 0.1, 2.0
"""Of the time until a call's deadline, what is kept for the last pictures and for the answer; the larger counts."""


class Watch:
    """Tells when to stop: when the time is over, or when nobody waits for the result any more.

    Args:
        seconds: from now on; None for as long as it takes.
        clock: [s].
    """

    def __init__(self, seconds: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = None if seconds is None else clock() + seconds
        self._called_off = False

    def call_off(self) -> None:
        """Nobody waits any more; from any thread."""
        self._called_off = True

    def over(self) -> bool:
        """Whether to stop."""
        return self._called_off or (self._end is not None and self._clock() >= self._end)


def allowed(budget: float | None, until_deadline: float | None) -> float | None:
    """Seconds that a request may take.

    Args:
        budget: that the request states [s]; None if it states none.
        until_deadline: of the call [s]; None if it has none.
    """
    limits = [] if budget is None else [budget]
    if until_deadline is not None:
        limits.append(until_deadline - max(MARGIN_SHARE * until_deadline, MARGIN_SECONDS))
    return min(limits, default=None)
