"""The gate: what counts as worse, and from when on."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.releases.gate import Limits, Outcome, Verdict, judge, summarise

LIMITS = Limits(min_jobs=10)


def jobs(count: int, *, failed: int = 0, refused: int = 0, confidence: float = 0.8, seconds: float = 2.0):
    """Of which some failed, and some were refused."""
    ends = ["failed"] * failed + ["refused"] * refused + ["ok"] * (count - failed - refused)
    return summarise(
        Outcome("1", end == "failed", end == "refused", confidence if end == "ok" else None, seconds) for end in ends
    )


@pytest.mark.parametrize(
    ("candidate", "verdict", "word"),
    [
        (jobs(20), Verdict.READY, "no worse"),
        (jobs(9), Verdict.HOLD, "10 of each"),
        (jobs(0), Verdict.HOLD, "10 of each"),
        (jobs(3, failed=3), Verdict.WORSE, "fails 3 of 3"),
        (jobs(20, failed=8), Verdict.WORSE, "fails 8 of 20"),
        (jobs(20, refused=8), Verdict.WORSE, "refuses 8 of 20"),
        (jobs(20, failed=3), Verdict.HOLD, "chance"),
        (jobs(20, failed=1), Verdict.READY, "no worse"),
        (jobs(20, confidence=0.6), Verdict.WORSE, "joint confidence 0.60"),
        (jobs(20, confidence=0.75), Verdict.READY, "no worse"),
        (jobs(20, seconds=2.5), Verdict.WORSE, "takes longer than 2.4 s in 20 of 20"),
        (jobs(20, seconds=2.3), Verdict.READY, "no worse"),
    ],
)
def test_a_version_is_judged_by_its_jobs(candidate, verdict: Verdict, word: str) -> None:
    found, reason = judge(jobs(40), candidate, LIMITS)
    assert (found, word in reason) == (verdict, True), reason


@pytest.mark.parametrize(("slow", "verdict"), [(1, Verdict.READY), (3, Verdict.HOLD), (5, Verdict.WORSE)])
def test_a_slow_tail_counts_even_with_a_good_median(slow: int, verdict: Verdict) -> None:
    tail = summarise(Outcome("2", False, False, 0.8, 9.0 if index < slow else 2.0) for index in range(20))
    assert judge(jobs(40), tail, LIMITS)[0] is verdict


def test_slowness_waits_for_the_minimum_of_jobs() -> None:
    assert judge(jobs(9), jobs(9, seconds=9), LIMITS)[0] is Verdict.HOLD


def test_a_version_without_moving_joints_or_times_is_judged_by_the_rest() -> None:
    bare = summarise(Outcome("2", False, False, None, None) for _ in range(20))
    assert judge(jobs(40), bare, LIMITS)[0] is Verdict.READY


def test_one_failure_is_no_verdict() -> None:
    assert judge(jobs(40), jobs(1, failed=1), LIMITS)[0] is Verdict.HOLD


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(count=st.integers(10, 60), bad=st.integers(0, 10), seconds=st.floats(0.1, 100))
def test_a_version_like_the_stable_one_is_never_worse(count: int, bad: int, seconds: float) -> None:
    same = jobs(count, failed=bad, seconds=seconds)
    assert judge(same, same, LIMITS)[0] is Verdict.READY


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(count=st.integers(20, 60), stable=st.integers(0, 5), more=st.integers(0, 15))
def test_more_failures_never_make_a_better_verdict(count: int, stable: int, more: int) -> None:
    order = [Verdict.READY, Verdict.HOLD, Verdict.WORSE]
    few, many = (judge(jobs(60, failed=stable), jobs(count, failed=n), LIMITS)[0] for n in (stable, stable + more))
    assert order.index(many) >= order.index(few)
