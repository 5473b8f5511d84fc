"""Calls to a KServe v2 server over a real socket."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from toy_services import ToyServices

from checkpoints.digest import folder_digest
from client.local.ensemble import free_port
from gateway.stages import shape
from gateway.triton import TritonModels
from serving.errors import ModelNotReady, Unavailable

TIMEOUT = 20


def tensors(side: int) -> dict[str, np.ndarray]:
    return {
        "object_image": np.zeros((side, side, 3), np.uint8),
        "part_images": np.zeros((1, side, side, 3), np.uint8),
        "parent_index": np.array([-1], np.int32),
        "part_boxes": np.array([[0, 0, 0, 0.5, 0.25, 1]], np.float32),
        "seed": np.array([0], np.int64),
        "num_steps": np.array([1], np.int32),
        "guidance_scale": np.array([1], np.float32),
        "resolution": np.array([32], np.int32),
    }


@pytest.fixture
async def repository(tmp_path: Path) -> Path:
    weights = tmp_path / "part_dit/2/weights"
    weights.mkdir(parents=True)
    (weights / "model.safetensors").write_bytes(b"weights")
    return tmp_path


@pytest.fixture
async def models(toys: ToyServices, repository: Path) -> AsyncIterator[TritonModels]:
    models = TritonModels(toys.triton.address, use_shared_memory=True, repository=repository)
    yield models
    await models.close()


@pytest.mark.parametrize("side", [8, 256], ids=["inline", "shared memory"])
async def test_tensors_arrive_and_nothing_stays_in_shared_memory(
    models: TritonModels, toys: ToyServices, side: int
) -> None:
    outputs, model = await models.infer("part_dit", "", tensors(side), shape.OUTPUTS, TIMEOUT)
    assert np.ptp(outputs["vertices"], axis=0) == pytest.approx([1, 0.5, 2])
    assert (model.model, model.version) == ("part_dit", "2")
    assert (toys.board.shared_memory_inputs > 0) == (side == 256)
    assert not list(Path("/dev/shm").glob(f"spark_{os.getpid()}_*"))


async def test_the_version_that_answers_is_named_with_the_digest_of_its_weights(
    models: TritonModels, repository: Path
) -> None:
    _, model = await models.infer("part_dit", "2", tensors(8), shape.OUTPUTS, TIMEOUT)
    assert model.digest == folder_digest(repository / "part_dit/2/weights")


@pytest.mark.parametrize(("name", "version"), [("part_dit", "9"), ("nobody", "")])
async def test_a_model_that_is_not_served_is_not_ready(models: TritonModels, name: str, version: str) -> None:
    with pytest.raises(ModelNotReady) as caught:
        await models.infer(name, version, tensors(8), shape.OUTPUTS, TIMEOUT)
    assert caught.value.metadata == {"model": name}


async def test_a_triton_that_is_gone_is_unavailable(models: TritonModels, toys: ToyServices) -> None:
    await toys.triton.stop()
    with pytest.raises(Unavailable):
        await models.infer("part_dit", "", tensors(8), shape.OUTPUTS, TIMEOUT)


async def test_a_model_with_a_server_of_its_own_is_asked_there(toys: ToyServices) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    models = TritonModels(nobody, use_shared_memory=False, repository=None, elsewhere={"part_dit": toys.triton.address})
    _, model = await models.infer("part_dit", "2", tensors(8), shape.OUTPUTS, TIMEOUT)
    assert model.version == "2"
    with pytest.raises(Unavailable):
        await models.infer("texture", "", tensors(8), shape.OUTPUTS, TIMEOUT)
    await models.close()


async def test_a_server_that_is_gone_is_not_taken_for_one_without_models(toys: ToyServices) -> None:
    gone = TritonModels(f"127.0.0.1:{free_port()}", use_shared_memory=False, repository=None)
    with pytest.raises(Unavailable):
        await gone.served("part_dit")
    await gone.close()


async def test_calls_go_past_a_replica_that_is_gone(toys: ToyServices) -> None:
    address = f"127.0.0.1:{free_port()},{toys.triton.address}"
    models = TritonModels(address, use_shared_memory=False, repository=None)
    for _ in range(4):
        _, model = await models.infer("part_dit", "1", tensors(8), shape.OUTPUTS, TIMEOUT)
        assert model.version == "1"
    assert await models.served("part_dit") == ["1", "2"]
    with pytest.raises(Unavailable):  # the one that is gone may have it
        await models.infer("part_dit", "9", tensors(8), shape.OUTPUTS, TIMEOUT)
    await models.close()


async def test_replicas_take_turns(toys: ToyServices) -> None:
    async with ToyServices() as others:
        address = f"{toys.triton.address},{others.triton.address}"
        models = TritonModels(address, use_shared_memory=False, repository=None)
        for _ in range(4):
            await models.infer("part_dit", "1", tensors(8), shape.OUTPUTS, TIMEOUT)
        assert toys.board.calls["part_dit"] == others.board.calls["part_dit"] == 2
        await models.close()
