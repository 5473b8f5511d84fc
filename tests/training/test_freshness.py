"""The share of time that goes into new views, under a clock that the test turns."""

from __future__ import annotations

import pytest
import torch

from training.freshness import MOST_SECONDS, Freshness


class Clocked(Freshness):
    def __init__(self, share: float) -> None:
        self.clock = 0.0
        super().__init__(share, torch.device("cpu"))

    def now(self) -> float:
        return self.clock

    def renew(self, seconds: float) -> None:
        self.clock += seconds


@pytest.mark.parametrize("share", [0.12, 0.5])
def test_the_share_is_kept_though_a_renewal_takes_longer_than_what_one_call_earns(share: float) -> None:
    fresh = Clocked(share)
    for _ in range(1000):
        fresh.clock += 0.5
        fresh.keep(lambda: fresh.renew(1.7))
    assert fresh.seconds / fresh.clock == pytest.approx(share, abs=0.01)


def test_nothing_is_renewed_when_there_is_enough() -> None:
    fresh = Clocked(0.5)
    fresh.clock += 3
    fresh.keep(lambda: fresh.renew(1), enough=lambda: fresh.seconds >= 2)
    assert fresh.seconds == 2


def test_a_compilation_neither_earns_nor_costs_more_than_a_moment() -> None:
    fresh = Clocked(0.5)
    fresh.clock += 100
    fresh.keep(lambda: fresh.renew(0.5))
    assert fresh.seconds == pytest.approx(MOST_SECONDS, abs=0.5)
    fresh.clock += 1
    fresh.keep(lambda: fresh.renew(100))
    spent = fresh.seconds
    fresh.clock += MOST_SECONDS + 1
    fresh.keep(lambda: fresh.renew(0.5))
    assert fresh.seconds > spent
