"""A real tritonserver on loopback, and requests to it, for tests of several packages."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from client.local.ensemble import free_port
from client.local.triton import TritonPorts, command

MODELS = Path(__file__).parents[2] / "models/triton"
START_SECONDS = 120


@dataclass(frozen=True)
class TritonServer:
    """A running server: where it answers gRPC, and what it has written to its log."""

    address: str
    log: Path
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """At once, by SIGKILL; the Python processes of its models end with it."""
        self.process.kill()

    def wait_for_log(self, text: str) -> None:
        """Wait until the server has logged `text`."""
        deadline = time.monotonic() + 60
        while text not in self.log.read_text():
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.1)


@contextmanager
def triton_server(
    repository: Path, models: Sequence[str], work: Path, flags: Sequence[str] = (), **tls: Any
) -> Iterator[TritonServer]:
    """Serve `models` out of `repository` until the block ends; it may have failed to load some of them.

    Args:
        work: a folder for the server's own files and its log.
        flags: further ones of the command.
        tls: how a client speaks to a server whose flags ask for TLS.
    """
    ports = TritonPorts(free_port(), free_port(), free_port())
    arguments, environment = command(repository, models, ports, work)
    address, log = f"127.0.0.1:{ports.grpc}", work / "log"
    with log.open("wb") as output:
        server = subprocess.Popen([*arguments, *flags], env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(address, tls):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.1)
        yield TritonServer(address, log, server)
    finally:
        server.terminate()
        server.wait(timeout=60)


def _listens(address: str, tls: Mapping[str, Any]) -> bool:
    """Whether a server answers; tritonserver listens once its models are loaded."""
    try:
        return bool(grpcclient.InferenceServerClient(address, **tls).is_server_live())
    except InferenceServerException:
        return False


def copy_model(repository: Path, model: str, name: str) -> Path:
    """Put a model of this project into a repository under a name, without weights; its version folder."""
    version = repository / name / "1"
    version.mkdir(parents=True)
    config = (MODELS / model / "config.pbtxt").read_text().replace(f'name: "{model}"', f'name: "{name}"')
    (repository / name / "config.pbtxt").write_text(config)
    shutil.copy(MODELS / model / "1/model.py", version)
    return version


def inputs(arrays: Mapping[str, np.ndarray]) -> list[grpcclient.InferInput]:
    """Request tensors by name."""
    tensors = []
    for name, array in arrays.items():
        tensors.append(grpcclient.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)))
        tensors[-1].set_data_from_numpy(np.ascontiguousarray(array))
    return tensors
