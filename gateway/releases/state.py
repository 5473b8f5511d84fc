"""What is known of one model's versions, and how a release moves it: pure functions from record to record.

deploy ──> LOADING ──loaded──> SERVING ──promote──> PROMOTED
              │                   │                    │
            failed            roll_back            roll_back
              v                   v                    v
            FAILED           ROLLED_BACK          ROLLED_BACK (the previous version is stable again)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from serving.errors import InvalidRequest, ReleaseConflict


class Mode(StrEnum):
    """Whether the new version answers, or only works along."""

    CANARY = "canary"
    MIRROR = "mirror"


class Phase(StrEnum):
    """Where a release is; the last three are its end."""

    LOADING = "loading"
    SERVING = "serving"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    FAILED = "failed"


@dataclass(frozen=True)
class Release:
    """One version on its way to become the stable one.

    Attributes:
        weight: share of new jobs, in (0, 1].
        start: when it was deployed [s since 1970].
        reason: why it ended; empty before.
        facts: of the end, for programs: the `check` that it failed and the `replica`.
    """

    version: str
    mode: Mode
    weight: float
    start: float
    phase: Phase = Phase.LOADING
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def at_work(self) -> bool:
        return self.phase in (Phase.LOADING, Phase.SERVING)


@dataclass(frozen=True)
class ModelRecord:
    """The versions of one model.

    Attributes:
        stable: what new jobs use.
        previous: what was stable before and stays loaded; empty if nothing is to go back to.
        retired: versions of earlier releases, to be unloaded once no job holds them.
        addresses: of a service, where each version listens, also of those that jobs may still hold.
        release: the latest one.
        revision: counts the changes, so that two at once are noticed.
    """

    model: str
    stable: str
    previous: str = ""
    retired: frozenset[str] = frozenset()
    addresses: Mapping[str, str] = field(default_factory=dict)
    release: Release | None = None
    revision: int = 0

    @property
    def candidate(self) -> str:
        """The version at release; empty without one at work."""
        return self.release.version if self.release and self.release.at_work else ""

    @property
    def wanted(self) -> frozenset[str]:
        """Versions that every replica is to have in service."""
        return frozenset({self.stable, self.previous, self.candidate}) - {""}


def deploy(
    record: ModelRecord, version: str, mode: Mode, weight: float, start: float, addresses: str = ""
) -> ModelRecord:
    """Begin a release.

    Args:
        addresses: of a service, where the version's replicas listen, with commas; empty for a model on Triton.

    Raises:
        ReleaseConflict: one is at work.
        InvalidRequest: the version is the stable one.
    """
    if record.candidate:
        raise _conflict(record, f"version {record.candidate} of {record.model} is at release already")
    if version == record.stable:
        raise InvalidRequest.at("version", f"{version} is the stable version of {record.model}")
    return replace(
        record,
        previous="",
        retired=(record.retired | {record.previous}) - {"", version},
        addresses={**record.addresses, version: addresses} if addresses else record.addresses,
        release=Release(version, mode, weight, start),
    )


def loaded(record: ModelRecord) -> ModelRecord:
    """Every replica has the version and passed the checks: it takes its share of the jobs."""
    return _moved(record, Phase.LOADING, phase=Phase.SERVING)


def failed(record: ModelRecord, reason: str, facts: Mapping[str, str]) -> ModelRecord:
    """The version cannot be used."""
    ended = _moved(record, Phase.LOADING, phase=Phase.FAILED, reason=reason, facts=dict(facts))
    return replace(ended, retired=ended.retired | {record.candidate})


def promote(record: ModelRecord, weight: float) -> ModelRecord:
    """Give the version `weight` of the new jobs; with 1 it is stable.

    Raises:
        ReleaseConflict: no version takes jobs.
    """
    if weight < 1:
        return _moved(record, Phase.SERVING, mode=Mode.CANARY, weight=weight)
    ended = _moved(record, Phase.SERVING, phase=Phase.PROMOTED, mode=Mode.CANARY, weight=1.0)
    return replace(ended, stable=record.candidate, previous=record.stable)


def roll_back(record: ModelRecord, reason: str) -> ModelRecord:
    """End the release at work, or go back to the version before.

    Raises:
        ReleaseConflict: there is neither.
    """
    release = record.release
    if release and release.at_work:
        ended = replace(release, phase=Phase.ROLLED_BACK, reason=reason)
        return replace(record, release=ended, retired=record.retired | {release.version})
    if not record.previous:
        raise _conflict(record, f"{record.model} has no release at work and no version to go back to")
    if release and release.version == record.stable:
        release = replace(release, phase=Phase.ROLLED_BACK, reason=reason)
    return replace(
        record, stable=record.previous, previous="", retired=record.retired | {record.stable}, release=release
    )


def _moved(record: ModelRecord, expected: Phase, **changes: object) -> ModelRecord:
    release = record.release
    if release is None or release.phase is not expected:
        raise _conflict(record, f"no version of {record.model} is {expected}")
    return replace(record, release=replace(release, **changes))  # type: ignore[arg-type]


def _conflict(record: ModelRecord, problem: str) -> ReleaseConflict:
    phase = str(record.release.phase) if record.release else "none"
    return ReleaseConflict(problem, metadata={"model": record.model, "phase": phase})
