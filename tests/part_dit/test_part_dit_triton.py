"""The shape stage as callers meet it: a real tritonserver, a toy checkpoint, gRPC."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import tritonclient.grpc as grpcclient
from spoilt_weights import SPOILT, cut_short, pickled
from torch import Tensor
from triton_server import MODELS, TritonServer, copy_model, inputs, triton_server
from tritonclient.utils import InferenceServerException

from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.precision import best_dtype
from services.part_dit.tensors import pack

OPTIONS = {
    "seed": np.array([5], np.int64),
    "num_steps": np.array([2], np.int32),
    "guidance_scale": np.array([2.0], np.float32),
    "resolution": np.array([32], np.int32),
}


@pytest.fixture(scope="module")
def server(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    folder = tmp_path_factory.mktemp("triton")
    (copy_model(folder / "repository", "part_dit", "part_dit") / "weights").symlink_to(weights)
    copy_model(folder / "repository", "part_dit", "untrained")
    with triton_server(folder / "repository", ["part_dit"], folder) as server:
        yield server


@pytest.fixture(scope="module")
def loaded(weights: Path) -> PartDiTPipeline:
    """The pipeline as Triton loads it on a CPU."""
    pipeline = PartDiTPipeline.load(weights, best_dtype(torch.device("cpu")))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture
def address(server: TritonServer) -> str:
    return server.address


def ask(address: str, tensors: dict[str, np.ndarray]) -> grpcclient.InferResult:
    return grpcclient.InferenceServerClient(address).infer("part_dit", inputs(tensors))


def arrays(request_tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in request_tensors.items()} | OPTIONS


def test_the_answer_is_the_pipeline_s(
    address: str, loaded: PartDiTPipeline, request_tensors: dict[str, Tensor]
) -> None:
    answer = ask(address, arrays(request_tensors))
    meshes = loaded(**request_tensors, seed=5, num_inference_steps=2, guidance_scale=2.0, resolution=32)
    for name, expected in pack(meshes).items():
        found = answer.as_numpy(name)
        assert found.shape == tuple(expected.shape), name
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-3)
    assert answer.as_numpy("vertices").any()


def test_switches_reach_the_pipeline(address: str, loaded: PartDiTPipeline, request_tensors: dict[str, Tensor]) -> None:
    off = {name: np.array([0], np.int32) for name in ("use_part_images", "use_hierarchy", "use_boxes")}
    answer = ask(address, arrays(request_tensors) | off)
    meshes = loaded(
        **request_tensors | {"part_boxes": None},
        seed=5,
        num_inference_steps=2,
        guidance_scale=2.0,
        resolution=32,
        use_part_images=False,
        use_hierarchy=False,
    )
    for name, expected in pack(meshes).items():
        np.testing.assert_allclose(answer.as_numpy(name), expected.numpy(), atol=1e-3)


def test_a_cycle_is_an_invalid_argument(address: str, request_tensors: dict[str, Tensor]) -> None:
    tensors = arrays(request_tensors) | {"parent_index": np.array([-1, 2, 1], np.int32)}
    with pytest.raises(InferenceServerException, match="parent_index") as caught:
        ask(address, tensors)
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_a_cancelled_request_stops_the_sampling(server: TritonServer, request_tensors: dict[str, Tensor]) -> None:
    tensors = arrays(request_tensors) | {"num_steps": np.array([1000], np.int32)}
    client = grpcclient.InferenceServerClient(server.address)
    call = client.async_infer("part_dit", inputs(tensors), callback=lambda result, error: None)
    time.sleep(0.5)  # sooner, it could be cancelled before it is at work
    call.cancel()
    server.wait_for_log("cancelled: stopped")
    assert ask(server.address, arrays(request_tensors)).as_numpy("vertices").any()


def test_missing_weights_fail_the_load_and_say_so(address: str) -> None:
    with pytest.raises(InferenceServerException, match="train or pull the model first"):
        grpcclient.InferenceServerClient(address).load_model("untrained")


@pytest.mark.parametrize("spoil", [cut_short, pickled], ids=lambda spoil: spoil.__name__)
def test_a_new_version_with_spoilt_weights_leaves_the_old_one_serving(
    server: TritonServer, weights: Path, request_tensors: dict[str, Tensor], spoil: Callable[[Path], None]
) -> None:
    version = server.log.parent / "repository/part_dit/2"
    shutil.copytree(weights, version / "weights")
    shutil.copy(MODELS / "part_dit/1/model.py", version)
    spoil(version / "weights/transformer/diffusion_pytorch_model.safetensors")
    client = grpcclient.InferenceServerClient(server.address)
    try:
        with pytest.raises(InferenceServerException, match=SPOILT[spoil]):
            client.load_model("part_dit")
        assert client.is_model_ready("part_dit", "1")
        assert ask(server.address, arrays(request_tensors)).as_numpy("vertices").any()
    finally:
        shutil.rmtree(version)
