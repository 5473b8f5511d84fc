"""Is a new version as good as the stable one? Judged by how the jobs of both ended; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.stats import fisher_exact


@dataclass(frozen=True)
class Outcome:
    """How one job ended.

    Attributes:
        failed: there is no asset, because a stage failed or the asset was invalid.
        refused: there is none because of the picture or of doubtful joints.
        confidence: mean over the asset's moving joints; None without any.
        seconds: of the model's own stages; None where they did not end.
    """

    version: str
    failed: bool
    refused: bool
    confidence: float | None
    seconds: float | None


@dataclass(frozen=True)
class Summary:
    """How the jobs of one version ended."""

    jobs: int
    failed: int
    refused: int
    confidence: float | None
    seconds: tuple[float, ...]

    @property
    def median_seconds(self) -> float | None:
        return float(np.median(self.seconds)) if self.seconds else None

    @property
    def p95_seconds(self) -> float | None:
        return float(np.percentile(self.seconds, 95)) if self.seconds else None

    def slower_than(self, seconds: float) -> int:
        """How many jobs took longer."""
        return sum(one > seconds for one in self.seconds)


class Verdict(StrEnum):
    """What to do with a version at release."""

    HOLD = "hold"
    READY = "ready"
    WORSE = "worse"


@dataclass(frozen=True)
class Limits:
    """What counts as worse.

    Attributes:
        min_jobs: of each version, before anything but a plain failure is judged.
        significance: a higher rate of bad jobs counts if chance is a less probable reason for it than this.
        rate_margin: by how much a rate may be higher, without significance, in a version that is ready.
        confidence_drop: by how much the mean joint confidence may be lower.
        latency_ratio: a job is slow if it takes so many times the stable version's 95th percentile.
    """

    min_jobs: int = 20
    significance: float = 0.01
    rate_margin: float = 0.1
    confidence_drop: float = 0.1
    latency_ratio: float = 1.2


def summarise(outcomes: Iterable[Outcome]) -> Summary:
    found = list(outcomes)
    confidences = [one.confidence for one in found if one.confidence is not None]
    return Summary(
        jobs=len(found),
        failed=sum(one.failed for one in found),
        refused=sum(one.refused for one in found),
        confidence=float(np.mean(confidences)) if confidences else None,
        seconds=tuple(one.seconds for one in found if one.seconds is not None),
    )


def judge(stable: Summary, candidate: Summary, limits: Limits) -> tuple[Verdict, str]:
    """The verdict on a version at release, and why.

    Rates of bad jobs are compared by Fisher's exact test. For failures and refusals it needs no minimum: three of three
    beside none of twenty are enough. Slow jobs and joint confidence wait for `min_jobs` of both.
    """
    fewest = min(stable.jobs, candidate.jobs)
    rates = [("fails", stable.failed, candidate.failed), ("refuses", stable.refused, candidate.refused)]
    if fewest >= limits.min_jobs and stable.p95_seconds is not None:
        slow = limits.latency_ratio * stable.p95_seconds
        rates.append((f"takes longer than {slow:.3g} s in", stable.slower_than(slow), candidate.slower_than(slow)))
    for word, before, now in rates:
        if _chance(before, stable.jobs, now, candidate.jobs) < limits.significance:
            counts = f"{now} of {candidate.jobs} jobs, the stable version {before} of {stable.jobs}"
            return Verdict.WORSE, f"it {word} {counts}"
    if fewest < limits.min_jobs:
        return Verdict.HOLD, f"{candidate.jobs} and {stable.jobs} jobs of the stable version; {limits.min_jobs} of each"
    if _lower(stable.confidence, candidate.confidence, limits.confidence_drop):
        return Verdict.WORSE, f"joint confidence {candidate.confidence:.2f}, stable {stable.confidence:.2f}"
    for word, before, now in rates:
        if now / candidate.jobs > before / stable.jobs + limits.rate_margin:
            return Verdict.HOLD, f"it {word} more jobs, which may be chance"
    return Verdict.READY, f"no worse over {candidate.jobs} jobs"


def _chance(before: int, stable_jobs: int, now: int, jobs: int) -> float:
    """Probability of so many bad jobs of the new version if both versions were alike."""
    table: Sequence[Sequence[int]] = [[now, jobs - now], [before, stable_jobs - before]]
    return float(fisher_exact(table, alternative="greater").pvalue)


def _lower(usual: float | None, now: float | None, drop: float) -> bool:
    return usual is not None and now is not None and now < usual - drop
