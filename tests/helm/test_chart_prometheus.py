"""Every query of autoscaling, and every alert, in a real Prometheus that reads our servers and a Triton under load.

The load stands still until it has been read: calls wait at gates, not on a clock, so that a slow machine sees the same.
"""

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from chart import COMPONENTS, NAMESPACE, component, of_kind, render
from gateway_fixtures import local_gateway, toy_settings
from prometheus_client import start_http_server
from prometheus_server import Prometheus, needs_prometheus, prometheus
from toy_services import ToyServices
from triton_server import triton_server
from tritonclient.grpc import aio as triton_client

import gateway.server
from client.local.ensemble import free_port
from services.vlm.worker import ModelWorker

pytestmark = [needs_prometheus, pytest.mark.slow, pytest.mark.timeout(900)]

READ_SECONDS = 240
CONFIG = """
name: "NAME"
backend: "python"
max_batch_size: 0
input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] } ]
"""
MODEL = """
import pathlib, time
import numpy as np
import triton_python_backend_utils as utils

class TritonPythonModel:
    def execute(self, requests):
        while pathlib.Path("GATE").exists():
            time.sleep(0.1)
        return [utils.InferenceResponse([utils.Tensor("y", np.zeros(1, np.float32))]) for _ in requests]
"""
TRITONS = ("part_dit", "texture")
WAITING = 3
"""Calls before each gate: one is worked on, two wait."""


def service(name: str) -> str:
    return "spark-gateway-pods" if name == "gateway" else f"spark-{name.replace('_', '-')}"


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """While this file exists, Triton's models do not answer."""
    path = tmp_path / "gate"
    path.touch()
    return path


@pytest.fixture
def triton(tmp_path: Path, gate: Path) -> Iterator[tuple[str, int]]:
    """The address and the metrics port of a Triton with a model of each name."""
    for name in TRITONS:
        (tmp_path / "repository" / name / "1").mkdir(parents=True)
        (tmp_path / "repository" / name / "config.pbtxt").write_text(CONFIG.replace("NAME", name))
        (tmp_path / "repository" / name / "1/model.py").write_text(MODEL.replace("GATE", str(gate)))
    (tmp_path / "triton").mkdir()
    with triton_server(tmp_path / "repository", TRITONS, tmp_path / "triton") as server:
        server.wait_for_log("Started Metrics Service")
        (port,) = re.findall(r"Started Metrics Service at [\d.]+:(\d+)", server.log.read_text())
        yield server.address, int(port)
        gate.unlink(missing_ok=True)


@asynccontextmanager
async def load_on_triton(address: str, gate: Path) -> AsyncIterator[None]:
    """Calls of each model that wait for the gate."""
    tensor = triton_client.InferInput("x", [1], "FP32")
    tensor.set_data_from_numpy(np.ones(1, np.float32))
    async with triton_client.InferenceServerClient(address) as client:
        calls = [asyncio.create_task(client.infer(model, [tensor])) for model in TRITONS for _ in range(WAITING)]
        yield
        gate.unlink()
        await asyncio.wait_for(asyncio.gather(*calls), 120)


@asynccontextmanager
async def load_on_a_model_worker() -> AsyncIterator[None]:
    """Requests at the queue that the VLM service has; the refinement service's is the same."""
    worker, done = ModelWorker(queue=8), threading.Event()
    calls = [asyncio.create_task(worker.run(lambda _: done.wait())) for _ in range(WAITING)]
    yield
    done.set()
    await asyncio.wait_for(asyncio.gather(*calls), 60)
    worker.close()


async def test_every_query_and_alert_is_answered_under_load(
    triton: tuple[str, int], gate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.server, "LOOK_SECONDS", 0.5)
    values = {
        name: {"autoscaling": {"enabled": True, "min": int(name == "gateway"), "max": 4, "target": 2}}
        for name in COMPONENTS
    }
    objects = render("production", values)
    (rules,) = of_kind(objects, "PrometheusRule")
    queries = {
        (component(one), trigger["name"]): trigger["metadata"]["query"]
        for one in of_kind(objects, "ScaledObject")
        for trigger in one["spec"]["triggers"]
    }
    own = free_port()
    exporter, thread = start_http_server(own, addr="127.0.0.1")
    targets = {
        name: (triton[1] if name in TRITONS else own, {"namespace": NAMESPACE, "service": service(name)})
        for name in COMPONENTS
    }
    async with ToyServices() as toys:
        settings = toy_settings(tmp_path / "data", toys, concurrency=4, stage_timeout_seconds=800)
        with prometheus(targets, rules["spec"], tmp_path) as server:
            async with local_gateway(settings) as api, load_on_triton(triton[0], gate), load_on_a_model_worker():
                # One reconstruction stands at each stage; a fifth one is queued.
                for calls, stage in enumerate(("refine", "texture", "part_dit", "plan"), start=1):
                    toys.board.hold(stage)
                    await api.create()
                    while toys.board.calls[stage] < calls:
                        await asyncio.sleep(0.1)
                await api.create()
                found = await asyncio.to_thread(read, server, queries)
                for held in toys.board.gates.values():
                    held.set()
    exporter.shutdown()
    thread.join(30)
    assert found.pop(("gateway", "demand")) == 5
    assert {name for name, value in found.items() if value <= 0} == set()


def read(server: Prometheus, queries: dict[tuple[str, str], str]) -> dict[tuple[str, str], float]:
    """Every query's value, as soon as Prometheus has read the whole load and evaluated every alert."""
    deadline = time.monotonic() + READ_SECONDS
    while time.monotonic() < deadline:
        values = {name: server.value(query) for name, query in queries.items()}
        health = set(server.rules().values())
        if values["gateway", "demand"] == 5 and min(values.values()) > 0 and health == {"ok"}:
            return values
        assert "err" not in health, server.rules()
        time.sleep(1)
    raise AssertionError((values, server.rules()))
