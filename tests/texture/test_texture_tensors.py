import re
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import model_config_pb2

from services.texture.errors import InvalidInput
from services.texture.meshes import TexturedMesh
from services.texture.tensors import INPUTS, decode, encode

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\w+) \| (in|out) \| (\w+) \| \[(.+?)\] \|", re.MULTILINE)


def documented() -> dict[tuple[str, str], tuple[str, list[int]]]:
    """Direction and name to dtype and dims, as the table says; a letter stands for any size."""
    section = (ROOT / "docs/tensors.md").read_text().split("## texture")[1].split("\n## ")[0]
    return {
        (direction, name): (dtype, [int(d) if d.isdigit() else -1 for d in shape.split(", ")])
        for name, direction, dtype, shape in ROW.findall(section)
    }


def configured() -> dict[tuple[str, str], tuple[str, list[int]]]:
    text = (ROOT / "models/triton/texture/config.pbtxt").read_text()
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    return {
        (direction, tensor.name): (
            model_config_pb2.DataType.Name(tensor.data_type).removeprefix("TYPE_"),
            list(tensor.dims),
        )
        for direction, tensors in (("in", config.input), ("out", config.output))
        for tensor in tensors
    }


def arrays(counts: list[tuple[int, int]]) -> dict[str, np.ndarray]:
    """A request whose parts have the given numbers of vertices and faces."""
    vertices, faces = (np.cumsum([0, *column]).astype(np.int32) for column in zip(*counts, strict=True))
    return {
        "vertices": np.arange(vertices[-1] * 3, dtype=np.float32).reshape(-1, 3),
        "faces": np.zeros((faces[-1], 3), dtype=np.int32),
        "vertex_offsets": vertices,
        "face_offsets": faces,
        "photograph": np.zeros((16, 16, 3), dtype=np.uint8),
        "object_image": np.zeros((8, 8, 3), dtype=np.uint8),
        "part_images": np.zeros((len(counts), 8, 8, 3), dtype=np.uint8),
        "camera": np.array([0, 0, 4, 0.6, 0, 0], dtype=np.float32),
        "texture_size": np.array([64], dtype=np.int32),
        "seed": np.array([-5], dtype=np.int64),
    }


def test_document_and_configuration_say_the_same() -> None:
    assert documented() == configured()
    assert len(documented()) == 16


def test_code_reads_every_documented_input() -> None:
    assert set(INPUTS) == {name for direction, name in documented() if direction == "in"}


def test_code_writes_every_documented_output_with_its_dtype() -> None:
    mesh = TexturedMesh(
        np.zeros((4, 3)), np.zeros((2, 3), dtype=np.int64), np.zeros((4, 2)), np.zeros((8, 8, 3), np.uint8)
    )
    dtypes = {"float32": "FP32", "int32": "INT32", "uint8": "UINT8"}
    written = {("out", name): dtypes[array.dtype.name] for name, array in encode([mesh, mesh]).items()}
    assert written == {key: dtype for key, (dtype, _) in documented().items() if key[0] == "out"}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=6))
def test_parts_are_cut_at_the_offsets(counts: list[tuple[int, int]]) -> None:
    request = decode(arrays(counts))
    assert [(len(part.vertices), len(part.faces)) for part in request.parts] == counts
    np.testing.assert_array_equal(np.concatenate([p.vertices for p in request.parts]), arrays(counts)["vertices"])
    assert request.seed == -5


@given(st.sampled_from(["vertex_offsets", "face_offsets"]), st.lists(st.integers(-3, 9), max_size=5))
def test_offsets_that_do_not_cut_are_refused(name: str, offsets: list[int]) -> None:
    request = arrays([(3, 1), (4, 2)])
    total = {"vertex_offsets": 7, "face_offsets": 3}[name]
    rises = len(offsets) == 3 and offsets[0] == 0 and offsets[-1] == total and sorted(offsets) == offsets
    request[name] = np.array(offsets, dtype=np.int32)
    if rises:
        assert len(decode(request).parts) == 2
    else:
        with pytest.raises(InvalidInput):
            decode(request)
