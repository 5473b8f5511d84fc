"""TLS of the connection to a gateway."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from client.errors import InvalidRequestError


@dataclass(frozen=True)
class Tls:
    """PEM files; all empty is TLS by the authorities that gRPC brings.

    Attributes:
        ca: authorities whose gateways are believed.
        certificate: shown to a gateway that asks for one.
        key: of that certificate.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Raises InvalidRequestError: a file cannot be read, is no PEM file, or key and certificate do not match."""
        if (self.certificate is None) != (self.key is None):
            raise InvalidRequestError("tls: certificate and key come together", "INVALID_ARGUMENT")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if self.ca:
                context.load_verify_locations(self.ca)
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            name = "ca" if self.ca and not context.cert_store_stats()["x509_ca"] else "certificate, key"
            raise InvalidRequestError(f"tls {name}: {error}", "INVALID_ARGUMENT") from error
        ca, key, certificate = (path.read_bytes() if path else None for path in (self.ca, self.key, self.certificate))
        return grpc.ssl_channel_credentials(ca, key, certificate)
