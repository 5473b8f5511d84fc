"""TLS between a server and its callers, with certificates made here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from client.errors import ClientError, ServerUnavailableError
from client.local.ensemble import free_port
from client.sdk import SparkClient
from client.tls import Tls
from gateway.settings import Settings
from serving.server import RunningServer, ServerOptions, running
from serving.tls import Identity, Line, TlsSettings


class ToySettings(TlsSettings):
    model_config = SettingsConfigDict(env_prefix="SPARK_TOY_", frozen=True)


def write(path: Path, authority: trustme.CA, name: str = "localhost") -> Identity:
    """Files of a new certificate that an authority signed, and of the authority's own; those there are replaced."""
    path.mkdir(exist_ok=True)
    leaf = authority.issue_cert(name)
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    for file, content in (
        ("tls.crt", chain), ("tls.key", leaf.private_key_pem.bytes()), ("ca.crt", authority.cert_pem.bytes())
    ):  # fmt: skip
        (path / f"{file}.new").write_bytes(content)
        (path / f"{file}.new").replace(path / file)
    return Identity(path / "tls.crt", path / "tls.key", path / "ca.crt")


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def server(identity: Identity | None, health_port: int | None = None) -> AsyncIterator[RunningServer]:
    options = ServerOptions("localhost:0", grace_seconds=0, identity=identity, health_port=health_port)
    async with running({}, options) as handle:
        yield handle


async def healthy(channel: grpc.aio.Channel) -> bool:
    try:
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=30, wait_for_ready=False
        )
    except grpc.aio.AioRpcError:
        return False
    return answer.status == health_pb2.HealthCheckResponse.SERVING


async def reaches(handle: RunningServer, identity: Identity | None) -> bool:
    line = Line(f"localhost:{handle.port}", identity, [])
    try:
        return await healthy(line.channel())
    finally:
        await line.close()


async def test_a_caller_of_the_same_authority_is_let_in_and_nobody_else(tmp_path: Path, authority: trustme.CA) -> None:
    own = write(tmp_path / "server", authority)
    caller = write(tmp_path / "caller", authority, "gateway")
    stranger = write(tmp_path / "stranger", trustme.CA(), "gateway")
    async with server(own) as handle:
        assert await reaches(handle, caller)
        assert not await reaches(handle, None)
        assert not await reaches(handle, Identity(None, None, own.ca))
        assert not await reaches(handle, Identity(stranger.certificate, stranger.key, own.ca))
        assert not await reaches(handle, Identity(caller.certificate, caller.key, stranger.ca))


async def test_without_a_client_authority_a_caller_needs_no_certificate(tmp_path: Path, authority: trustme.CA) -> None:
    own = write(tmp_path, authority)
    async with server(Identity(own.certificate, own.key, None)) as handle:
        assert await reaches(handle, Identity(None, None, own.ca))


async def test_both_sides_take_a_new_certificate_without_a_restart(tmp_path: Path, authority: trustme.CA) -> None:
    own = write(tmp_path / "server", authority)
    caller = write(tmp_path / "caller", authority, "gateway")
    async with server(own) as handle:
        line = Line(f"localhost:{handle.port}", caller, [])
        old = line.channel()
        assert await healthy(old)
        another = trustme.CA()
        write(tmp_path / "server", another)
        assert not await reaches(handle, caller)
        write(tmp_path / "caller", another, "gateway")
        assert line.channel() is not old
        assert await healthy(line.channel())
        assert await healthy(old)  # the connection that there was goes on
        await line.close()


async def test_a_half_replaced_certificate_leaves_the_old_one_in_service(tmp_path: Path, authority: trustme.CA) -> None:
    own = write(tmp_path / "server", authority)
    async with server(own) as handle:
        assert own.key is not None
        own.key.write_bytes(authority.issue_cert("localhost").private_key_pem.bytes())
        assert await reaches(handle, own_caller(tmp_path, authority))


def own_caller(folder: Path, authority: trustme.CA) -> Identity:
    return write(folder / "caller", authority, "gateway")


async def test_probes_are_answered_in_the_clear_and_learn_nothing_else(tmp_path: Path, authority: trustme.CA) -> None:
    port = free_port()
    async with (
        server(write(tmp_path, authority), health_port=port),
        grpc.aio.insecure_channel(f"localhost:{port}") as channel,
    ):
        assert await healthy(channel)
        method = channel.unary_unary("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await method(b"")
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_the_sdk_speaks_tls(tmp_path: Path, authority: trustme.CA) -> None:
    own, caller = write(tmp_path / "server", authority), own_caller(tmp_path, authority)
    async with server(own) as handle:
        address = f"localhost:{handle.port}"
        trusted = Tls(caller.ca, caller.certificate, caller.key)
        with SparkClient(address, tls=trusted) as client, pytest.raises(ClientError) as answered:
            await asyncio.to_thread(client.get, "reconstructions/none")
        assert answered.value.code == "UNIMPLEMENTED"  # nothing but health is served here
        with SparkClient(address) as client, pytest.raises(ServerUnavailableError):
            await asyncio.to_thread(client.get, "reconstructions/none")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tls_key": None}, "SPARK_TOY_TLS_KEY is missing: SPARK_TOY_TLS_CERTIFICATE needs it"),
        ({"tls_certificate": None}, "SPARK_TOY_TLS_CERTIFICATE is missing: SPARK_TOY_TLS_KEY needs it"),
        ({"tls_certificate": "nowhere"}, "SPARK_TOY_TLS_CERTIFICATE: nowhere: No such file"),
        ({"tls_client_ca": "garbage"}, "SPARK_TOY_TLS_CLIENT_CA: garbage: is no PEM file"),
        ({"tls_key": "other/tls.key"}, "SPARK_TOY_TLS_KEY: other/tls.key: is not the key of the certificate"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_file_ends_the_start_and_its_setting_is_named(
    tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, change: dict, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    own = write(tmp_path / "own", authority)
    write(tmp_path / "other", authority)
    Path("garbage").write_text("no certificate")
    good = {"tls_certificate": own.certificate, "tls_key": own.key, "tls_client_ca": own.ca}
    assert ToySettings(**good).identity == own
    with pytest.raises(ValidationError, match=message):
        ToySettings(**good | change)


def test_a_gateway_that_shows_a_certificate_must_say_whom_it_believes(tmp_path: Path, authority: trustme.CA) -> None:
    own = write(tmp_path, authority)
    with pytest.raises(ValidationError, match="SPARK_GATEWAY_PEER_CA is missing"):
        Settings(peer_certificate=own.certificate, peer_key=own.key)
    assert Settings(peer_certificate=own.certificate, peer_key=own.key, peer_ca=own.ca).peer_identity == own
    assert Settings().peer_identity is None
