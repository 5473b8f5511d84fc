"""The shape stage as callers meet it: a real tritonserver, a toy checkpoint, gRPC."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from torch import Tensor
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from client.local import triton
from client.local.ensemble import free_port, healthy
from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.tensors import pack

MODEL = Path(__file__).parents[2] / "models/triton/part_dit"
OPTIONS = {
    "seed": np.array([5], np.int64),
    "num_steps": np.array([2], np.int32),
    "guidance_scale": np.array([2.0], np.float32),
    "resolution": np.array([32], np.int32),
}


def copy_model(repository: Path, name: str) -> Path:
    """The model under another name, without weights; its version folder."""
    version = repository / name / "1"
    version.mkdir(parents=True)
    config = (MODEL / "config.pbtxt").read_text().replace('name: "part_dit"', f'name: "{name}"')
    (repository / name / "config.pbtxt").write_text(config)
    shutil.copy(MODEL / "1/model.py", version)
    return version


@pytest.fixture(scope="module")
def address(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("triton")
    (copy_model(folder / "repository", "part_dit") / "weights").symlink_to(weights)
    copy_model(folder / "repository", "untrained")
    ports = triton.TritonPorts(free_port(), free_port(), free_port())
    command, environment = triton.command(folder / "repository", ["part_dit"], ports, folder / "work")
    log, found = folder / "log", f"127.0.0.1:{ports.grpc}"
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 120
        while not healthy(found):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.1)
        yield found
    finally:
        server.terminate()
        server.wait(timeout=60)


def ask(address: str, tensors: dict[str, np.ndarray]) -> grpcclient.InferResult:
    inputs = []
    for name, array in tensors.items():
        inputs.append(grpcclient.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)))
        inputs[-1].set_data_from_numpy(np.ascontiguousarray(array))
    return grpcclient.InferenceServerClient(address).infer("part_dit", inputs)


def arrays(request_tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in request_tensors.items()} | OPTIONS


def test_the_answer_is_the_pipeline_s(
    address: str, pipeline: PartDiTPipeline, request_tensors: dict[str, Tensor]
) -> None:
    answer = ask(address, arrays(request_tensors))
    meshes = pipeline(**request_tensors, seed=5, num_inference_steps=2, guidance_scale=2.0, resolution=32)
    for name, expected in pack(meshes).items():
        found = answer.as_numpy(name)
        assert found.shape == tuple(expected.shape), name
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-3)
    assert answer.as_numpy("vertices").any()


def test_a_cycle_is_an_invalid_argument(address: str, request_tensors: dict[str, Tensor]) -> None:
    tensors = arrays(request_tensors) | {"parent_index": np.array([-1, 2, 1], np.int32)}
    with pytest.raises(InferenceServerException, match="parent_index") as caught:
        ask(address, tensors)
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_a_cancelled_request_stops_the_sampling(address: str, request_tensors: dict[str, Tensor]) -> None:
    tensors = arrays(request_tensors) | {"num_steps": np.array([1000], np.int32)}
    inputs = []
    for name, array in tensors.items():
        inputs.append(grpcclient.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)))
        inputs[-1].set_data_from_numpy(np.ascontiguousarray(array))
    client = grpcclient.InferenceServerClient(address)
    call = client.async_infer("part_dit", inputs, callback=lambda result, error: None)
    time.sleep(0.5)
    call.cancel()
    start = time.monotonic()
    ask(address, arrays(request_tensors))
    assert time.monotonic() - start < 3, "the one instance was still busy with the cancelled request"


def test_missing_weights_fail_the_load_and_say_so(address: str) -> None:
    with pytest.raises(InferenceServerException, match="train or pull the model first"):
        grpcclient.InferenceServerClient(address).load_model("untrained")
