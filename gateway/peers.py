"""Connections from the gateway to the VLM and refinement services, each of whose versions may have replicas."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import suppress
from typing import ClassVar, Generic, TypeVar

import grpc

from gateway.replicas import Replicas, host
from serving.errors import Unavailable
from serving.server import MAX_MESSAGE_BYTES
from serving.status import from_rpc_error
from serving.tls import Identity, Line
from spark.v1.refinement_service_pb2_grpc import RefinementServiceStub
from spark.v1.vlm_service_pb2_grpc import VlmServiceStub

CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # A service that restarts is found again within a second, not after gRPC's growing pauses.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Retrying is the workflow's business, where each try is recorded.
    ("grpc.enable_retries", 0),
]
ROUND_ROBIN = ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]}))

T = TypeVar("T")


class Peer:
    """One version of a service behind the gateway.

    Calls go to its replicas in turn, past those that cannot be reached; gRPC sees to it.

    Args:
        replicas: host and port of each.
        host: the name in their certificates.
        identity: who calls, and whom it believes; None calls in the clear.

    Attributes:
        name: what errors and logs call the service.
        line: to all of them.
    """

    name: ClassVar[str]

    def __init__(self, replicas: Sequence[str], host: str, identity: Identity | None) -> None:
        self.line = Line(_target(replicas), identity, [*CHANNEL_OPTIONS, ROUND_ROBIN, tls_name(host)])

    async def close(self) -> None:
        await self.line.close()

    async def call(self, answer: Awaitable[T]) -> T:
        """The answer to a unary call.

        Raises:
            SparkError: what the peer sent, or `Unavailable` where it cannot be reached.
        """
        try:
            return await answer
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, self.name) from error

    async def stream(self, answers: AsyncIterator[T]) -> AsyncIterator[T]:
        """The answers of a streaming call; raises as `call`."""
        try:
            async for answer in answers:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, self.name) from error


class VlmPeer(Peer):
    """The VLM service: the plan and guide stages."""

    name = "vlm"

    @property
    def stub(self) -> VlmServiceStub:
        """For the next call."""
        return VlmServiceStub(self.line.channel())


class RefinementPeer(Peer):
    """The refinement service: the refine stage."""

    name = "refinement"

    @property
    def stub(self) -> RefinementServiceStub:
        """For the next call."""
        return RefinementServiceStub(self.line.channel())


P = TypeVar("P", bound=Peer)


class PeerVersions(Generic[P]):
    """The versions of one service, by the address of each.

    Args:
        kind: of the peers.
        replicas: who knows the replicas behind an address.
        identity: who calls, and whom it believes; None calls in the clear.
    """

    def __init__(self, kind: type[P], replicas: Replicas, identity: Identity | None = None) -> None:
        self._kind = kind
        self._replicas = replicas
        self._identity = identity
        self._peers: dict[tuple[tuple[str, ...], str], P] = {}

    async def at(self, address: str, *, fresh: bool = False) -> P:
        """The version that listens there, all of its replicas; raises as `Replicas.find`."""
        return self._peer(await self._replicas.find(address, fresh=fresh), host(address))

    async def each(self, address: str, *, fresh: bool = False) -> dict[str, P]:
        """Its replicas one by one; raises as `Replicas.find`."""
        return {one: self._peer((one,), host(address)) for one in await self._replicas.find(address, fresh=fresh)}

    async def close(self) -> None:
        await asyncio.gather(*(peer.close() for peer in self._peers.values()))

    def _peer(self, replicas: tuple[str, ...], name: str) -> P:
        """The connection to some replicas; it is kept, for calls may be on their way."""
        if (replicas, name) not in self._peers:
            self._peers[replicas, name] = self._kind(replicas, name, self._identity)
        return self._peers[replicas, name]


def tls_name(host: str) -> tuple[str, str]:
    """The option of a channel whose server's certificate bears a name that is not in its address."""
    return "grpc.ssl_target_name_override", host


def _target(replicas: Sequence[str]) -> str:
    """One address as it is; several in gRPC's form for lists, which knows numbers only: names are looked up here.

    Raises:
        Unavailable: no name is known.
    """
    if len(replicas) == 1:
        return replicas[0]
    found: dict[socket.AddressFamily, dict[str, None]] = {socket.AF_INET: {}, socket.AF_INET6: {}}
    for replica in replicas:
        host, _, port = replica.rpartition(":")
        with suppress(socket.gaierror):
            for family, _, _, _, where in socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM):
                form = "[{}]:{}" if family is socket.AF_INET6 else "{}:{}"
                found[family][form.format(*where[:2])] = None
    for family, scheme in ((socket.AF_INET, "ipv4"), (socket.AF_INET6, "ipv6")):
        if found[family]:
            return f"{scheme}:{','.join(found[family])}"
    raise Unavailable(f"none of {', '.join(replicas)} is known")
