"""A real Prometheus on loopback."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from client.local.ensemble import free_port

START_SECONDS = 120
needs_prometheus = pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")


class Prometheus:
    """What a running server answers."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def value(self, query: str) -> float:
        """What KEDA reads of a query: 0 where there is no series."""
        result = self._data("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else 0.0

    def rules(self) -> dict[str, str]:
        """Health of every rule by its name: `unknown` before it was evaluated, then `ok` or `err`."""
        return {rule["name"]: rule["health"] for group in self._data("rules")["groups"] for rule in group["rules"]}

    def _data(self, path: str, **parameters: str) -> dict[str, Any]:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)["data"]
        return found


@contextmanager
def prometheus(targets: Mapping[str, tuple[int, Mapping[str, str]]], rules: Any, folder: Path) -> Iterator[Prometheus]:
    """A server that reads the targets every second until the block ends.

    Args:
        targets: by job, a port of this machine and the labels that a cluster would give its series.
        rules: the groups of a PrometheusRule, as its `spec`.
        folder: for its own files.
    """
    port = free_port()
    jobs = [
        {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{at}"], "labels": dict(labels)}]}
        for job, (at, labels) in targets.items()
    ]
    timing = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config = {"global": timing, "scrape_configs": jobs, "rule_files": ["rules.yaml"]}
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _ready(port):
            assert process.poll() is None and time.monotonic() < deadline, (folder / "prometheus.log").read_text()
            time.sleep(0.2)
        yield Prometheus(port)
    finally:
        process.kill()  # nothing of it is kept
        process.wait(timeout=60)


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=10):
            return True
    except OSError:
        return False
