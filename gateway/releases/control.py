"""What the controller of releases asks of a model's servers, whatever they are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from gateway.releases.state import ModelRecord
from serving.errors import VersionRefused


@dataclass(frozen=True)
class ReplicaState:
    """One server of a model.

    Attributes:
        address: host and port.
        versions: in service there; None where it cannot be reached.
    """

    address: str
    versions: tuple[str, ...] | None


class Control(Protocol):
    """The servers of one model."""

    async def stable(self) -> str:
        """The version in service before any release.

        Raises:
            Unavailable, ClusterForbidden: no replica can be found.
            ReleaseConflict: the replicas do not agree on one.
        """

    async def load(self, record: ModelRecord) -> None:
        """Bring the candidate into service on every replica and check it there; the other versions serve on.

        Raises:
            VersionRefused: it cannot be loaded, has other tensors, or gives a wrong answer to the golden request.
            Unavailable, ClusterForbidden: no replica can be found.
        """

    async def keep(self, record: ModelRecord, held: Collection[str]) -> None:
        """Bring replicas that began anew to the wanted versions, and unload the retired ones that no job holds."""

    async def replicas(self, record: ModelRecord | None) -> list[ReplicaState]:
        """All of them, as they are now; raises Unavailable or ClusterForbidden where they cannot be found."""


def refused(check: str, replica: str, problem: str) -> VersionRefused:
    """A version that failed a check on a replica."""
    return VersionRefused(f"{check} on {replica}: {problem}", metadata={"check": check, "replica": replica})
