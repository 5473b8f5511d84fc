"""Triton's entry to the texture stage: tensors in and out; the work is that of `services.texture.families`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import triton_python_backend_utils as pb_utils

from checkpoints.manifest import checked_digest
from services.texture.errors import Cancelled, InvalidInput
from services.texture.families import load
from services.texture.tensors import INPUTS, decode, encode


class TritonPythonModel:
    """One instance: one pipeline on one device."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the weights beside this file; where they cannot be used the load fails and says why."""
        weights = Path(args["model_repository"]) / args["model_version"] / "weights"
        on_gpu = args["model_instance_kind"] == "GPU"
        device = torch.device(f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu")
        checked_digest(weights)
        self.pipeline = load(weights, device)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request on its own; one that fails leaves the others untouched."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        try:
            call = decode({name: _read(request, name) for name in INPUTS})
            meshes = self.pipeline(
                call.parts,
                call.photograph,
                call.object_image,
                call.part_images,
                call.camera,
                call.texture_size,
                call.seed,
                is_cancelled=request.is_cancelled,
            )
        except InvalidInput as error:
            return _failure(str(error), pb_utils.TritonError.INVALID_ARG)
        except Cancelled as error:
            pb_utils.Logger.log_info(f"cancelled: {error}")
            return _failure(str(error), pb_utils.TritonError.CANCELLED)
        tensors = [
            pb_utils.Tensor.from_dlpack(name, torch.from_numpy(array).contiguous())
            for name, array in encode(meshes).items()
        ]
        return pb_utils.InferenceResponse(output_tensors=tensors)


def _read(request: Any, name: str) -> Any:
    # DLPack, not as_numpy: this backend's stub and numpy 2 corrupt tensors silently.
    return torch.from_dlpack(pb_utils.get_input_tensor_by_name(request, name)).cpu().numpy()


def _failure(message: str, code: int) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
