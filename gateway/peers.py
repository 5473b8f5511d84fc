"""Connections from the gateway to the VLM and refinement services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

import grpc

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

T = TypeVar("T")


class Peer:
    """One service behind the gateway, under the name that errors and logs give it."""

    def __init__(self, name: str, address: str, identity: Identity | None) -> None:
        self.name = name
        self.line = Line(address, identity, CHANNEL_OPTIONS)

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

    def __init__(self, address: str, identity: Identity | None = None) -> None:
        super().__init__("vlm", address, identity)

    @property
    def stub(self) -> VlmServiceStub:
        """For the next call."""
        return VlmServiceStub(self.line.channel())


class RefinementPeer(Peer):
    """The refinement service: the refine stage."""

    def __init__(self, address: str, identity: Identity | None = None) -> None:
        super().__init__("refinement", address, identity)

    @property
    def stub(self) -> RefinementServiceStub:
        """For the next call."""
        return RefinementServiceStub(self.line.channel())
