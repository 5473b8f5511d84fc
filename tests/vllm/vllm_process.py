"""A real vLLM server with the compact model, on the CPU."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "models/vlm/compact-plan"
START_SECONDS = 1200
NAME = "compact-plan"
KEY = "for-this-test"


@dataclass(frozen=True)
class Vllm:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]

    def metric(self, name: str) -> float:
        """The value of one of its metrics."""
        lines = self.metrics().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{"))

    def metrics(self) -> str:
        """The page that Prometheus reads."""
        return httpx.get(f"{self.url}/metrics").text


@contextmanager
def serving(environment: Path, work: Path) -> Iterator[Vllm]:
    """vLLM with production's flags and some for the CPU; float32, as the engine in this process computes.

    Args:
        environment: what `environment/make.sh` filled.
        work: a folder for its log.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = work / "log"
    command = [
        environment / "bin/vllm", "serve", FOLDER, "--served-model-name", NAME, "--api-key", KEY,
        "--host", "127.0.0.1", "--port", str(port), "--max-model-len", "4096",
        "--structured-outputs-config", '{"backend": "guidance", "disable_any_whitespace": true}',
        "--dtype", "float32", "--enforce-eager", "--block-size", "32",
    ]  # fmt: skip
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **settings}, cwd=work, stdout=output, stderr=subprocess.STDOUT
        )
    server = Vllm(f"http://127.0.0.1:{port}", process)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _is_healthy(server):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-5000:]
            time.sleep(1)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=120)


def _is_healthy(server: Vllm) -> bool:
    try:
        return httpx.get(f"{server.url}/health").is_success
    except httpx.TransportError:
        return False
