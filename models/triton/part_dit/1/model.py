"""Triton's entry to the shape stage: tensors in and out; the work is `services.part_dit.pipeline`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import triton_python_backend_utils as pb_utils
from torch.utils.dlpack import from_dlpack

from checkpoints.manifest import checked_digest
from services.part_dit.errors import GenerationCancelled, InvalidInput
from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.precision import best_dtype
from services.part_dit.tensors import pack


class TritonPythonModel:
    """One instance: one pipeline on one device."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the weights beside this file; where they cannot be used the load fails and says why."""
        weights = Path(args["model_repository"]) / args["model_version"] / "weights"
        on_gpu = args["model_instance_kind"] == "GPU"
        device = torch.device(f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu")
        checked_digest(weights)
        self.pipeline = PartDiTPipeline.load(weights, best_dtype(device), device)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request on its own; one that fails leaves the others untouched."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        try:
            meshes = self.pipeline(
                _read(request, "object_image"),
                _read(request, "part_images"),
                _read(request, "parent_index"),
                _read(request, "part_boxes") if _switch(request, "use_boxes") else None,
                seed=_scalar(request, "seed"),
                num_inference_steps=_scalar(request, "num_steps"),
                guidance_scale=_scalar(request, "guidance_scale"),
                resolution=_scalar(request, "resolution"),
                use_part_images=_switch(request, "use_part_images"),
                use_hierarchy=_switch(request, "use_hierarchy"),
                cancelled=request.is_cancelled,
            )
        except InvalidInput as error:
            return _failure(str(error), pb_utils.TritonError.INVALID_ARG)
        except GenerationCancelled as error:
            pb_utils.Logger.log_info(f"cancelled: {error}")
            return _failure(str(error), pb_utils.TritonError.CANCELLED)
        tensors = [pb_utils.Tensor.from_dlpack(name, tensor) for name, tensor in pack(meshes).items()]
        return pb_utils.InferenceResponse(output_tensors=tensors)


def _read(request: Any, name: str) -> torch.Tensor:
    # DLPack, not as_numpy: this backend's stub and numpy 2 corrupt tensors silently.
    return from_dlpack(pb_utils.get_input_tensor_by_name(request, name))


def _scalar(request: Any, name: str) -> Any:
    return _read(request, name)[0].item()


def _switch(request: Any, name: str) -> bool:
    """An optional input: on, unless the request says 0."""
    return pb_utils.get_input_tensor_by_name(request, name) is None or bool(_scalar(request, name))


def _failure(message: str, code: int) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
