"""The gateway's Triton calls against a real tritonserver, with a toy model under part_dit's real configuration."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from triton_server import MODELS, triton_server
from tritonclient.utils import InferenceServerException

from client.local.ensemble import free_port
from gateway.stages import shape
from gateway.triton import TritonModels
from serving.errors import ModelNotReady, Unavailable

MODEL = """
import numpy as np
import triton_python_backend_utils as utils

class TritonPythonModel:
    def initialize(self, args):
        pass

    def execute(self, requests):
        return [utils.InferenceResponse(self.boxes(request)) for request in requests]

    def boxes(self, request):
        boxes = utils.get_input_tensor_by_name(request, "part_boxes").as_numpy()
        images = utils.get_input_tensor_by_name(request, "part_images").as_numpy()
        corners = np.stack([boxes[:, :3] - boxes[:, 3:], boxes[:, :3] + boxes[:, 3:], boxes[:, :3]], 1)
        corners[:, 2, 0] = images.reshape(len(boxes), -1).mean(1)
        offsets = np.arange(len(boxes) + 1, dtype=np.int32)
        return [
            utils.Tensor("vertices", corners.reshape(-1, 3).astype(np.float32)),
            utils.Tensor("faces", np.tile(np.arange(3, dtype=np.int32), (len(boxes), 1))),
            utils.Tensor("vertex_offsets", 3 * offsets),
            utils.Tensor("face_offsets", offsets),
        ]
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """part_dit as above, and texture, whose weights are missing."""
    folder = tmp_path_factory.mktemp("repository")
    for name, code in (("part_dit", MODEL), ("texture", MODEL.replace("pass", "raise RuntimeError('no weights')"))):
        (folder / name / "1").mkdir(parents=True)
        shutil.copy(MODELS / name / "config.pbtxt", folder / name)
        (folder / name / "1/model.py").write_text(code)
    (folder / "part_dit/1/weights").mkdir()
    (folder / "part_dit/1/weights/model.safetensors").write_bytes(b"toy")
    return folder


@pytest.fixture(scope="module")
def address(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with triton_server(repository, ["part_dit", "texture"], tmp_path_factory.mktemp("triton")) as server:
        yield server.address


@pytest.fixture(params=[True, False], ids=["shared memory", "inline"])
async def models(address: str, repository: Path, request: pytest.FixtureRequest) -> AsyncIterator[TritonModels]:
    models = TritonModels(address, use_shared_memory=request.param, repository=repository)
    yield models
    await models.close()


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        "object_image": rng.integers(0, 255, (256, 256, 3), np.uint8),
        "part_images": rng.integers(0, 255, (3, 256, 256, 3), np.uint8),
        "parent_index": np.array([-1, 0, 1], np.int32),
        "part_boxes": rng.random((3, 6)).astype(np.float32),
        "seed": np.array([-5], np.int64),
        "num_steps": np.array([1], np.int32),
        "guidance_scale": np.array([1], np.float32),
        "resolution": np.array([32], np.int32),
    }


async def test_every_byte_reaches_the_model(models: TritonModels) -> None:
    sent = tensors()
    outputs, model = await models.infer("part_dit", "", sent, shape.OUTPUTS, 20)
    vertices = outputs["vertices"].reshape(3, 3, 3)
    boxes = sent["part_boxes"]
    assert vertices[:, 1] == pytest.approx(boxes[:, :3] + boxes[:, 3:])
    assert vertices[:, 2, 0] == pytest.approx(sent["part_images"].reshape(3, -1).mean(1), rel=1e-4)
    assert (model.model, model.version, len(model.digest)) == ("part_dit", "1", 64)
    assert not list(Path("/dev/shm").glob(f"spark_{os.getpid()}_*"))


async def test_a_region_still_in_use_is_unmapped_later(
    models: TritonModels, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = models.client(address, "part_dit")
    unregister, refusals = client.unregister_system_shared_memory, iter(range(2))

    async def in_use_twice(region: str) -> None:
        if next(refusals, None) is not None:
            raise InferenceServerException("it is currently in use", status=str(grpc.StatusCode.INTERNAL))
        await unregister(region)

    monkeypatch.setattr(client, "unregister_system_shared_memory", in_use_twice)
    await models.infer("part_dit", "", tensors(), shape.OUTPUTS, 20)
    regions = await client.get_system_shared_memory_status()
    assert not regions.regions


async def test_only_what_is_loaded_is_served(models: TritonModels) -> None:
    assert await models.served("part_dit") == ["1"]
    assert await models.served("texture") == []


@pytest.mark.parametrize(("name", "version"), [("part_dit", "7"), ("texture", ""), ("nobody", "")])
async def test_what_is_not_loaded_is_not_ready(models: TritonModels, name: str, version: str) -> None:
    with pytest.raises(ModelNotReady) as caught:
        await models.infer(name, version, tensors(), shape.OUTPUTS, 20)
    assert caught.value.metadata == {"model": name}


async def test_a_killed_server_is_unavailable(repository: Path) -> None:
    models = TritonModels(f"127.0.0.1:{free_port()}", use_shared_memory=True, repository=repository)
    with pytest.raises(Unavailable):
        await models.infer("part_dit", "", tensors(), shape.OUTPUTS, 20)
    with pytest.raises(Unavailable):
        await models.served("part_dit")
    await models.close()
    assert not list(Path("/dev/shm").glob(f"spark_{os.getpid()}_*"))
