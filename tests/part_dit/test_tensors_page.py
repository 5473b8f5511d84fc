"""docs/tensors.md and every config.pbtxt say the same."""

import re
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig

ROOT = Path(__file__).parents[2]
Tensors = dict[tuple[str, str], tuple[str, tuple[int, ...]]]


def of_page(model: str) -> Tensors:
    """(direction, name) to dtype and dims, letters and sums as -1."""
    page = (ROOT / "docs/tensors.md").read_text()
    section = page.split(f"\n## {model}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| (in|out) \| (\w+) \| \[(.+?)\] \|", section, re.MULTILINE)
    return {(direction, name): (dtype, dims(shape)) for name, direction, dtype, shape in rows}


def dims(shape: str) -> tuple[int, ...]:
    return tuple(int(x) if x.strip().isdigit() else -1 for x in shape.split(","))


def of_config(model: str) -> Tensors:
    config = text_format.Parse((ROOT / f"models/triton/{model}/config.pbtxt").read_text(), ModelConfig())
    assert config.name == model
    return {
        (direction, tensor.name): (DataType.Name(tensor.data_type).removeprefix("TYPE_"), tuple(tensor.dims))
        for direction, tensors in (("in", config.input), ("out", config.output))
        for tensor in tensors
    }


@pytest.mark.parametrize("model", ["part_dit", "texture"])
def test_page_and_configuration_agree(model: str) -> None:
    assert len(of_page(model)) > 10
    assert of_page(model) == of_config(model)
