"""TLS of servers and of the calls between them, by PEM files that may be replaced while a process runs."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import grpc
import structlog
from pydantic import model_validator
from pydantic_settings import BaseSettings

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Identity:
    """Who one side is, and whom it believes.

    Attributes:
        certificate: of this side, with the chain to its issuer; None to show none.
        key: of that certificate.
        ca: certificates whose bearers are believed; a server with none believes everybody.
    """

    certificate: Path | None
    key: Path | None
    ca: Path | None

    @property
    def stamp(self) -> tuple[int, ...]:
        """Changes when a file does."""
        return tuple(path.stat().st_mtime_ns for path in (self.certificate, self.key, self.ca) if path)

    def check(self) -> None:
        """Raises OSError, of which ssl.SSLError is one: a file cannot be read, or key and certificate do not match."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key)
        if self.ca:
            context.load_verify_locations(self.ca)

    def server_credentials(self) -> grpc.ServerCredentials:
        """Credentials that read the files again when they change; callers must show a certificate where `ca` is set."""
        seen, lock = self.stamp, threading.Lock()

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal seen
            with lock:
                try:
                    if (stamp := self.stamp) == seen:
                        return None
                    self.check()
                    configuration = self._configuration()
                except OSError as error:  # half replaced: the next caller finds the rest
                    _log.warning("certificate is kept", error=str(error))
                    return None
                seen = stamp
            _log.info("certificate is new", certificate=str(self.certificate))
            return configuration

        return grpc.dynamic_ssl_server_credentials(self._configuration(), fetch, self.ca is not None)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Credentials of a caller, of the files as they are now."""
        return grpc.ssl_channel_credentials(_read(self.ca), _read(self.key), _read(self.certificate))

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(_read(self.key), _read(self.certificate))], _read(self.ca))


class Line:
    """A channel to one address, opened anew when the caller's certificate changes; calls on the old one go on.

    Args:
        address: host and port.
        identity: who calls, and whom it believes; None calls in the clear.
        options: of the channel.
    """

    def __init__(self, address: str, identity: Identity | None, options: Sequence[tuple[str, Any]]) -> None:
        self._address = address
        self._identity = identity
        self._options = options
        self._channels: list[grpc.aio.Channel] = []
        self._stamp: tuple[int, ...] = ()

    def channel(self) -> grpc.aio.Channel:
        """The channel for a new call."""
        if self._identity is None:
            if not self._channels:
                self._channels.append(grpc.aio.insecure_channel(self._address, options=self._options))
        elif (stamp := self._identity.stamp) != self._stamp:
            credentials = self._identity.channel_credentials()
            self._channels.append(grpc.aio.secure_channel(self._address, credentials, options=self._options))
            self._stamp = stamp
        return self._channels[-1]

    async def close(self) -> None:
        await asyncio.gather(*(channel.close() for channel in self._channels))


def _read(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None


class TlsSettings(BaseSettings):
    """The part of a server's settings that is about TLS; a server without a certificate listens in the clear."""

    tls_certificate: Path | None = None
    """PEM file of the server's certificate and its chain; none is no TLS."""
    tls_key: Path | None = None
    """PEM file of its key."""
    tls_client_ca: Path | None = None
    """PEM file of the authorities whose clients may call; none lets in everybody."""
    health_port: int | None = None
    """Where health alone is answered, without TLS, for Kubernetes' probes, which speak no TLS; none by default."""

    TLS_NEEDS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("tls_certificate", "tls_key"),
        ("tls_key", "tls_certificate"),
        ("tls_client_ca", "tls_certificate"),
    )
    """Settings that are nothing without another one."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        for name, needed in self.TLS_NEEDS:
            if getattr(self, name) and not getattr(self, needed):
                raise ValueError(f"{self._variable(needed)} is missing: {self._variable(name)} needs it")
        for name in sorted({name for pair in self.TLS_NEEDS for name in pair}):
            if (path := getattr(self, name)) is not None:
                certificate = getattr(self, name.replace("_key", "_certificate"))
                try:
                    (Identity(certificate, path, None) if name.endswith("_key") else Identity(None, None, path)).check()
                except OSError as error:
                    raise ValueError(f"{self._variable(name)}: {path}: {_words(error)}") from error
        return self

    @property
    def identity(self) -> Identity | None:
        """Of the server; None without TLS."""
        return Identity(self.tls_certificate, self.tls_key, self.tls_client_ca) if self.tls_certificate else None

    def _variable(self, field: str) -> str:
        return f"{self.model_config.get('env_prefix', '')}{field}".upper()


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        return "is not the key of the certificate" if mismatch else f"is no PEM file of its kind ({error.reason})"
    return error.strerror or str(error)
