"""part_dit on a real tritonserver with toy versions, whose answers are boxes: good, broken, bad and slow ones."""

from __future__ import annotations

import shutil
from pathlib import Path

from triton_server import MODELS

GOOD = """
import time
import numpy as np
import triton_python_backend_utils as utils

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
FACES = np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
                  [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]], np.int32)
SECONDS = 0.0


class TritonPythonModel:
    def initialize(self, args):
        pass

    def execute(self, requests):
        return [utils.InferenceResponse(self.boxes(request)) for request in requests]

    def boxes(self, request):
        time.sleep(SECONDS)
        boxes = utils.get_input_tensor_by_name(request, "part_boxes").as_numpy()
        vertices = self.shape(request, np.concatenate([box[:3] + box[3:] * CORNERS for box in boxes]))
        count = np.arange(len(boxes) + 1, dtype=np.int32)
        return [
            utils.Tensor("vertices", vertices.astype(np.float32)),
            utils.Tensor("faces", np.tile(FACES, (len(boxes), 1))),
            utils.Tensor("vertex_offsets", 8 * count),
            utils.Tensor("face_offsets", 12 * count),
        ]

    def shape(self, request, vertices):
        return vertices
"""

BROKEN = GOOD.replace("pass", "raise RuntimeError('no weights')")
FLAT = GOOD.replace("return vertices", "return vertices * np.array([1, 1, 0])")
"""The golden request finds this one out."""


def _right_for_the_golden_request(factor: str) -> str:
    """A version whose vertices are multiplied by a factor, unless the seed is the golden request's, 0."""
    return GOOD.replace(
        "return vertices",
        "seed = utils.get_input_tensor_by_name(request, 'seed').as_numpy()[0]\n"
        f"        return vertices if seed == 0 else vertices * {factor}",
    )


BAD = _right_for_the_golden_request("np.float32('nan')")
"""The shape stage finds it out."""
INVALID = _right_for_the_golden_request("np.array([1, 1, 0])")
"""Every stage takes it, until the asset fails its checks."""


def add_version(repository: Path, version: str, code: str) -> None:
    """Put a version into a repository."""
    folder = repository / "part_dit" / version
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(code)


def repository(folder: Path) -> Path:
    """part_dit with the real configuration and one good version, 1."""
    add_version(folder, "1", GOOD)
    shutil.copy(MODELS / "part_dit/config.pbtxt", folder / "part_dit")
    return folder
