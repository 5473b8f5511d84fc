"""The launcher starts a real tritonserver that runs Python models in this environment."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as grpcclient

from client.local import triton
from client.local.ensemble import free_port, healthy

CONFIG = """
name: "probe"
backend: "python"
max_batch_size: 0
input [{ name: "x" data_type: TYPE_FP32 dims: [-1] }]
output [{ name: "y" data_type: TYPE_FP32 dims: [-1] }]
"""
MODEL = """
import triton_python_backend_utils as pb_utils
from torch.utils.dlpack import from_dlpack, to_dlpack


class TritonPythonModel:
    def execute(self, requests):
        tensors = [from_dlpack(pb_utils.get_input_tensor_by_name(r, "x").to_dlpack()) for r in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor.from_dlpack("y", to_dlpack(x * x))]) for x in tensors]
"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "repository/probe"
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text(CONFIG)
    (folder / "1/model.py").write_text(MODEL)
    ports = triton.TritonPorts(free_port(), free_port(), free_port())
    command, environment = triton.command(tmp_path / "repository", ["probe"], ports, tmp_path / "work")
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        found = f"127.0.0.1:{ports.grpc}"
        deadline = time.monotonic() + 60
        while not healthy(found):
            assert server.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()[-2000:]
            time.sleep(0.1)
        yield found
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_a_torch_model_answers_over_grpc(address: str) -> None:
    client = grpcclient.InferenceServerClient(address)
    tensor = grpcclient.InferInput("x", [3], "FP32")
    tensor.set_data_from_numpy(np.array([1, 2, 3], np.float32))
    result = client.infer("probe", [tensor]).as_numpy("y")
    assert result.tolist() == [1, 4, 9]


def test_a_missing_wheel_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(triton.TritonUnavailable, match="pip install"):
        triton.command(tmp_path, [], triton.TritonPorts(1, 2, 3), tmp_path)
