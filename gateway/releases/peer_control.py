"""Versions of a service, the VLM or refinement: each is a set of servers of its own, started by whoever deploys it.

There is nothing to load here. A version is checked where it listens, and jobs are led to its address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Generic

from grpc.aio import AioRpcError
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.models import FIRST_VERSION
from gateway.peers import P, PeerVersions
from gateway.releases.control import ReplicaState, refused
from gateway.releases.jobs import Versions
from gateway.releases.state import ModelRecord
from serving.errors import SparkError

QUICK_SECONDS = 5.0
GOLDEN_SECONDS = 300.0


class PeerControl(Generic[P]):
    """One service.

    Args:
        model: "vlm" or "refinement".
        peers: connections to its versions.
        versions: knows their addresses.
        golden: puts the golden request to a server, with a time limit [s], and says what is wrong with the answer;
            empty if nothing is.
    """

    def __init__(
        self, model: str, peers: PeerVersions[P], versions: Versions, golden: Callable[[P, float], Awaitable[str]]
    ) -> None:
        self._model = model
        self._peers = peers
        self._versions = versions
        self._golden = golden

    async def stable(self) -> str:
        return FIRST_VERSION

    async def load(self, record: ModelRecord) -> None:
        address = record.addresses[record.candidate]
        replicas = await self._peers.each(address, fresh=True)
        serving = {address: peer for address, peer in replicas.items() if await serves(peer)}
        if not serving:
            raise refused("load", address, "no server there says that it serves")
        for replica, peer in serving.items():
            try:
                problem = await self._golden(peer, GOLDEN_SECONDS)
            except SparkError as error:
                problem = error.message
            if problem:
                raise refused("golden", replica, problem)

    async def keep(self, record: ModelRecord, held: Collection[str]) -> None:
        """Servers of a service look after themselves."""

    async def replicas(self, record: ModelRecord | None) -> list[ReplicaState]:
        found: dict[str, list[str]] = {}
        serving: dict[str, bool] = {}
        for version in sorted(record.wanted) if record else [FIRST_VERSION]:
            peers = await self._peers.each(await self._versions.address(self._model, version), fresh=True)
            answers = await asyncio.gather(*(serves(peer) for peer in peers.values()))
            for replica, ready in zip(peers, answers, strict=True):
                found.setdefault(replica, []).append(version)
                serving[replica] = ready
        return [ReplicaState(one, tuple(versions) if serving[one] else None) for one, versions in found.items()]


async def serves(peer: P) -> bool:
    """Whether a server says that it can work."""
    check = health_pb2_grpc.HealthStub(peer.line.channel()).Check(
        health_pb2.HealthCheckRequest(), timeout=QUICK_SECONDS
    )
    try:
        return bool((await check).status == health_pb2.HealthCheckResponse.SERVING)
    except AioRpcError:
        return False
