"""Where the replicas of a server listen."""

from __future__ import annotations

from typing import Protocol


class Replicas(Protocol):
    """Turns the address of a server, as the settings have it, into those of its replicas."""

    async def find(self, address: str, *, fresh: bool = False) -> tuple[str, ...]:
        """Host and port of each replica.

        Args:
            address: hosts and ports, with commas.
            fresh: do not answer from memory.

        Raises:
            Unavailable, ClusterForbidden: `fresh`, and they cannot be found.
        """


def split(address: str) -> tuple[str, ...]:
    """Addresses with commas between them."""
    return tuple(part.strip() for part in address.split(",") if part.strip())


def host(address: str) -> str:
    """The host of an address, of the first where it is several: the name that the certificates of all replicas bear."""
    return next(iter(split(address)), "").rpartition(":")[0].strip("[]")


class StaticReplicas:
    """The addresses themselves."""

    async def find(self, address: str, *, fresh: bool = False) -> tuple[str, ...]:
        return split(address)
