"""SeaweedFS on loopback: a real S3 server, which makes a bucket at the first write."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from client.local.ensemble import free_port

START_SECONDS = 60


class S3Server:
    """A server that can be stopped and started again; it keeps its objects.

    Args:
        folder: for its files.

    Attributes:
        environment: what obstore reads.
    """

    def __init__(self, folder: Path) -> None:
        roles = ("s3", "master", "volume", "filer")
        self._ports = {name: free_port() for role in roles for name in (f"{role}.port", f"{role}.port.grpc")}
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._ports['s3.port']}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "spark",
            "AWS_SECRET_ACCESS_KEY": "not-so-secret",
        }

    def start(self) -> None:
        program = Path(sys.executable).with_name("weed")
        flags = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        flags += [
            "-master.telemetry=false",
            "-volume.max=8",
            *(f"-{name}={port}" for name, port in self._ports.items()),
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "server", f"-dir={self._folder}", *flags], env=self.environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()[-3000:]
            time.sleep(0.1)

    def stop(self) -> None:
        """At once; on SIGTERM it takes its time."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        """It refuses whoever has no key; before it is ready it says nothing, or 5xx."""
        try:
            return httpx.get(self.environment["AWS_ENDPOINT_URL"]).status_code == httpx.codes.FORBIDDEN
        except httpx.TransportError:
            return False


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """A server until the block ends; meanwhile obstore finds it by the environment."""
    folder.mkdir(parents=True, exist_ok=True)
    server = S3Server(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        server.start()
        try:
            yield server
        finally:
            server.stop()
