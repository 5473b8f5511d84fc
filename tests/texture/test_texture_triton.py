"""The model folder in a real tritonserver, with a toy checkpoint beside it."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from texture_scenes import CAMERA, parts, pictures, toy_pipeline
from triton_server import TritonServer, copy_model, inputs, triton_server
from tritonclient.utils import InferenceServerException

from services.texture.families import load
from services.texture.meshes import PartMesh
from services.texture.tensors import encode
from training.published_texture import SMALL, write_random

RED = (200, 40, 30)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    toy_pipeline().save_pretrained(copy_model(folder, "texture", "texture") / "weights")
    write_random(copy_model(folder, "texture", "full") / "weights", SMALL)
    copy_model(folder, "texture", "bare")
    return folder


@pytest.fixture(scope="module")
def server(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    with triton_server(repository, ["texture", "full"], tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def client(server: TritonServer) -> grpcclient.InferenceServerClient:
    return grpcclient.InferenceServerClient(server.address)


def request(meshes: list[PartMesh], **changes: np.ndarray) -> list[grpcclient.InferInput]:
    photograph, image, references = pictures(RED, len(meshes))
    arrays = {
        "vertices": np.concatenate([part.vertices for part in meshes]).astype(np.float32),
        "faces": np.concatenate([part.faces for part in meshes]).astype(np.int32),
        "vertex_offsets": np.cumsum([0, *(len(part.vertices) for part in meshes)]).astype(np.int32),
        "face_offsets": np.cumsum([0, *(len(part.faces) for part in meshes)]).astype(np.int32),
        "photograph": photograph,
        "object_image": image,
        "part_images": references,
        "camera": CAMERA.to_array().astype(np.float32),
        "texture_size": np.array([64], dtype=np.int32),
        "seed": np.array([3], dtype=np.int64),
    }
    return inputs({**arrays, **changes})


@pytest.mark.parametrize("model", ["texture", "full"])
def test_answers_what_the_pipeline_answers(
    client: grpcclient.InferenceServerClient, repository: Path, model: str
) -> None:
    answer = client.infer(model, request(parts()))
    single = [PartMesh(part.vertices.astype(np.float32).astype(np.float64), part.faces) for part in parts()]
    eye = CAMERA.to_array().astype(np.float32).astype(np.float64)
    pipeline = load(repository / model / "1/weights")
    for name, expected in encode(pipeline(single, *pictures(RED), eye, 64, 3)).items():
        found = answer.as_numpy(name)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(
            found.astype(np.float64), expected.astype(np.float64), atol=1.01 if name == "textures" else 1e-6
        )


def test_part_without_surface_has_equal_offsets(client: grpcclient.InferenceServerClient) -> None:
    empty = PartMesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64))
    answer = client.infer("texture", request([parts()[0], empty]))
    offsets = answer.as_numpy("out_face_offsets")
    assert offsets.tolist() == [0, len(parts()[0].faces), len(parts()[0].faces)]
    assert answer.as_numpy("textures").shape == (2, 64, 64, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("texture_size", np.array([8], dtype=np.int32)),
        ("camera", np.array([0, 0, -2, 0.6, 0, 0], dtype=np.float32)),
        ("face_offsets", np.array([0, 5], dtype=np.int32)),
    ],
)
def test_bad_tensor_is_an_invalid_argument_that_names_it(
    client: grpcclient.InferenceServerClient, name: str, value: np.ndarray
) -> None:
    with pytest.raises(InferenceServerException, match=name) as caught:
        client.infer("texture", request(parts(), **{name: value}))
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_a_version_without_weights_does_not_load(client: grpcclient.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="train or pull the model first"):
        client.load_model("bare")
    assert not client.is_model_ready("bare")


def test_cancelled_request_stops_and_the_next_is_served(
    server: TritonServer, client: grpcclient.InferenceServerClient
) -> None:
    many = [PartMesh(part.vertices, part.faces) for part in parts() * 30]
    large = request(many, texture_size=np.array([1024], dtype=np.int32))
    call = client.async_infer("texture", large, lambda result, error: None)
    time.sleep(0.5)  # sooner, it could be cancelled before it is at work
    call.cancel()
    server.wait_for_log("cancelled: stopped")
    assert client.infer("texture", request(parts())).as_numpy("textures").shape == (2, 64, 64, 3)
