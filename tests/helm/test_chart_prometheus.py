"""Every query of autoscaling, answered by a real Prometheus that reads our servers and a real Triton under load."""

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import yaml
from chart import MODEL_SERVERS, NAMESPACE, of_kind, render
from gateway_fixtures import Api, local_gateway, toy_settings
from prometheus_client import start_http_server
from toy_services import ToyServer, ToyServices, ToyTriton
from triton_server import inputs, triton_server
from tritonclient.grpc import service_pb2_grpc as kserve_grpc

from client.local.ensemble import free_port

pytestmark = pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")

CONFIG = """
name: "NAME"
backend: "python"
max_batch_size: 0
input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] } ]
"""
MODEL = """
import time
import triton_python_backend_utils as utils

class TritonPythonModel:
    def execute(self, requests):
        time.sleep(0.1 * len(requests))
        y = utils.get_input_tensor_by_name(requests[0], "x").as_numpy()
        return [utils.InferenceResponse([utils.Tensor("y", y)]) for _ in requests]
"""
TRITONS = ("part_dit", "texture")


def service(name: str) -> str:
    return "spark-gateway-pods" if name == "gateway" else f"spark-{name.replace('_', '-')}"


@pytest.fixture
def triton(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """The address and the metrics port of a Triton with a slow model of each name."""
    for name in TRITONS:
        (tmp_path / "repository" / name / "1").mkdir(parents=True)
        (tmp_path / "repository" / name / "config.pbtxt").write_text(CONFIG.replace("NAME", name))
        (tmp_path / "repository" / name / "1/model.py").write_text(MODEL)
    (tmp_path / "triton").mkdir()
    with triton_server(tmp_path / "repository", TRITONS, tmp_path / "triton") as server:
        server.wait_for_log("Started Metrics Service")
        (port,) = re.findall(r"Started Metrics Service at [\d.]+:(\d+)", server.log.read_text())
        yield server.address, int(port)


@pytest.fixture
def prometheus(triton: tuple[str, int], tmp_path: Path) -> Iterator[str]:
    """A Prometheus that reads this process as every Python server, and Triton, with the labels of a cluster."""
    own, port = free_port(), free_port()
    exporter, _ = start_http_server(own, addr="127.0.0.1")
    ports = {name: triton[1] if name in TRITONS else own for name in ("gateway", *MODEL_SERVERS)}
    jobs = [
        {
            "job_name": name,
            "static_configs": [
                {"targets": [f"127.0.0.1:{at}"], "labels": {"namespace": NAMESPACE, "service": service(name)}}
            ],
        }
        for name, at in ports.items()
    ]
    config = tmp_path / "prometheus.yaml"
    config.write_text(yaml.safe_dump({"global": {"scrape_interval": "300ms"}, "scrape_configs": jobs}))
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=subprocess.STDOUT
        )
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=30)
    exporter.shutdown()


def value(prometheus: str, query: str) -> float:
    """What KEDA would read: 0 where there is no series."""
    url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            result = json.load(answer)["data"]["result"]
    except OSError:  # it has not started yet
        return 0.0
    return float(result[0]["value"][1]) if result else 0.0


@contextlib.asynccontextmanager
async def load_on_triton(address: str) -> AsyncIterator[None]:
    """Four callers of each model, one after another request."""
    tensors = inputs({"x": np.ones(1, np.float32)})

    async def call(model: str) -> None:
        while True:
            await asyncio.to_thread(client.infer, model, tensors)

    client = grpcclient.InferenceServerClient(address)
    callers = [asyncio.create_task(call(model)) for model in TRITONS for _ in range(4)]
    yield
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)


async def reach(api: Api, stages: int) -> None:
    """Start a reconstruction and wait until it has finished so many stages."""
    operation = await api.create()
    while len((await api.get(operation)).stages) < stages:
        await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_every_query_is_above_zero_under_load(prometheus: str, triton: tuple[str, int], tmp_path: Path) -> None:
    scaling = {"enabled": True, "min": 0, "max": 4, "target": 2}
    objects = of_kind(render("production", {name: {"autoscaling": scaling} for name in MODEL_SERVERS}), "ScaledObject")
    waiting = {trigger["metadata"]["query"] for one in objects for trigger in one["spec"]["triggers"]}
    assert len(waiting) == 2 * len(MODEL_SERVERS)
    async with ToyServices() as toys:
        texture = ToyServer(lambda s: kserve_grpc.add_GRPCInferenceServiceServicer_to_server(ToyTriton(toys.board), s))
        await texture.start()
        settings = toy_settings(
            tmp_path / "data", toys, texture_address=texture.address, concurrency=8, stage_attempts=10
        )
        async with local_gateway(settings) as api, load_on_triton(triton[0]):
            for _ in range(2):
                await api.wait(await api.create())
            # From the last stage backwards, each service goes, and a reconstruction stands before it and knocks.
            for finished, server in ((4, toys.refinement), (3, texture), (2, toys.triton), (0, toys.vlm)):
                await server.stop()
                await reach(api, finished)
            async with asyncio.timeout(60):
                while waiting:
                    waiting = {query for query in waiting if await asyncio.to_thread(value, prometheus, query) <= 0}
                    await asyncio.sleep(0.3)
