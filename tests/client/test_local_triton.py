"""The launcher starts a real tritonserver that runs Python models in this environment."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from triton_server import inputs, triton_server

from client.local import triton

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
    with triton_server(tmp_path / "repository", ["probe"], tmp_path) as server:
        yield server.address


def test_a_torch_model_answers_over_grpc(address: str) -> None:
    client = grpcclient.InferenceServerClient(address)
    result = client.infer("probe", inputs({"x": np.array([1, 2, 3], np.float32)})).as_numpy("y")
    assert result.tolist() == [1, 4, 9]


def test_a_missing_wheel_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(triton.TritonUnavailable, match="pip install"):
        triton.command(tmp_path, [], triton.TritonPorts(1, 2, 3), tmp_path)
