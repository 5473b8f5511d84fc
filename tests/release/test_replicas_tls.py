"""Mutual TLS with replicas whose addresses are in no certificate: they are known by the name of their service."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme
from pods import Pods

from gateway.peers import PeerVersions, VlmPeer
from gateway.releases.peer_control import serves
from serving.server import ServerOptions, running
from serving.tls import Identity


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    authority = trustme.CA()
    leaf = authority.issue_cert("spark-vlm")
    files = [tmp_path / name for name in ("tls.crt", "tls.key", "ca.crt")]
    for path, pem in zip(files, (leaf.cert_chain_pems[0], leaf.private_key_pem, authority.cert_pem), strict=True):
        path.write_bytes(pem.bytes())
    return Identity(*files)


@pytest.fixture
async def pods(identity: Identity) -> AsyncIterator[Pods]:
    async with AsyncExitStack() as stack:
        options = ServerOptions("127.0.0.1:0", grace_seconds=0, identity=identity)
        servers = [await stack.enter_async_context(running({}, options)) for _ in range(2)]
        yield Pods(*(f"127.0.0.1:{server.port}" for server in servers))


@pytest.mark.parametrize(("service", "believed"), [("spark-vlm:50051", True), ("spark-other:50051", False)])
async def test_replicas_are_believed_by_the_name_of_their_service(
    identity: Identity, pods: Pods, service: str, believed: bool
) -> None:
    peers = PeerVersions(VlmPeer, pods, identity)
    try:
        assert await serves(await peers.at(service)) is believed
        assert [await serves(peer) for peer in (await peers.each(service)).values()] == [believed, believed]
    finally:
        await peers.close()
