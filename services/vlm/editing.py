"""The guide stage's image editor: input image and plan to the object, its parts, and the opened object, on white."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from articulation.plan import Plan
from articulation.typing import ImageArray
from checkpoints.errors import CheckpointError
from checkpoints.folder import check_safe, read_layout, weight_bytes
from checkpoints.loading import check_finite, check_fits, open_diffusers
from services.vlm.edit_model import EditModel, composite
from services.vlm.edit_pipeline import CompactEditPipeline
from services.vlm.edit_prompt import EditTask, PlanTensors, draw_prompt
from serving.errors import InvalidImage, InvalidRequest, ModelNotReady

MODEL_NAME = "compact-edit"


class ImageEditor:
    """Edits by the compact diffusers pipeline; the images it returns have the network's own size."""

    def __init__(self, pipeline: CompactEditPipeline) -> None:
        self._pipeline = pipeline

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> Self:
        """Open a diffusers folder on a torch device.

        Raises:
            serving.errors.ModelNotReady: the folder holds no pipeline that may be used; says what is wrong with it.
        """
        try:
            check_safe(folder)
            check_fits(
                folder.name, weight_bytes(read_layout(folder / "model"), torch.float32.itemsize), torch.device(device)
            )
            model = open_diffusers(EditModel, folder / "model", torch.float32)
            check_finite(folder.name, model)
            pipeline: CompactEditPipeline = CompactEditPipeline.from_pretrained(
                folder, model=model, dtype=torch.float32, local_files_only=True
            )
        except CheckpointError as error:
            raise ModelNotReady(f"no usable image-editing model: {error}", metadata={"model": MODEL_NAME}) from error
        except (OSError, ValueError) as error:  # a missing or broken file; a pipeline of other parts
            raise ModelNotReady(f"no image-editing model in {folder.name}", metadata={"model": MODEL_NAME}) from error
        pipeline.model.eval().to(device=device, memory_format=torch.channels_last)
        return cls(pipeline)

    def part_references(
        self, image: ImageArray, plan: Plan, seed: int, stop: Callable[[], bool] = lambda: False
    ) -> tuple[ImageArray, list[ImageArray]]:
        """The closed object alone, and every part alone and complete, seen by the plan's camera.

        Args:
            image: (H, H, 3) sRGB.
            plan: what to look for, and where.
            seed: of the noise; the same arguments give the same images.
            stop: true abandons the work.

        Returns:
            The object (S, S, 3), and one image (S, S, 3) a part in the plan's order; white where nothing is.

        Raises:
            serving.errors.InvalidImage: not a square uint8 RGB array.
            services.vlm.engine.Abandoned: `stop` returned true.
        """
        parts = len(plan.parts)
        asked = torch.cat([torch.ones(1, parts, dtype=torch.bool), torch.eye(parts, dtype=torch.bool)])
        task = torch.tensor([EditTask.OBJECT] + [EditTask.PART] * parts)
        edits = self.edit(image, plan, None, asked, task, seed, stop)
        return edits[0], edits[1:]

    def open_state(
        self,
        image: ImageArray,
        plan: Plan,
        opening: Sequence[float],
        seed: int,
        stop: Callable[[], bool] = lambda: False,
    ) -> ImageArray:
        """The object alone with every joint opened, seen by the plan's camera.

        Args:
            image: (H, H, 3) sRGB.
            plan: what to look for, and where.
            opening: one fraction of the planned upper limit a part, in the plan's order; fixed parts ignore theirs.
            seed: of the noise; the same arguments give the same image.
            stop: true abandons the work.

        Returns:
            (S, S, 3), white where nothing is.

        Raises:
            serving.errors.InvalidImage: not a square uint8 RGB array.
            serving.errors.InvalidRequest: `opening` has the wrong length or leaves [0, 1].
            services.vlm.engine.Abandoned: `stop` returned true.
        """
        coordinates = opened(plan, opening)
        asked = torch.ones(1, len(plan.parts), dtype=torch.bool)
        return self.edit(image, plan, coordinates, asked, torch.tensor([EditTask.OPEN]), seed, stop)[0]

    @torch.inference_mode()
    def edit(
        self,
        image: ImageArray,
        plan: Plan,
        coordinates: Tensor | None,
        asked: Tensor,
        task: Tensor,
        seed: int,
        stop: Callable[[], bool] = lambda: False,
    ) -> list[ImageArray]:
        """A batch of edits of one picture.

        Args:
            image: (H, H, 3) sRGB.
            plan: of P parts.
            coordinates: (1, P) joint coordinate of every part [rad or model units]; None when all are zero, closed.
            asked: (B, P) bool, the parts that each edit shows.
            task: (B,) int64 values of `services.vlm.edit_prompt.EditTask`.
            seed: of the noise.
            stop: true abandons the work.

        Returns:
            B images (S, S, 3), white where nothing is.

        Raises:
            serving.errors.InvalidImage: not a square uint8 RGB array.
            services.vlm.engine.Abandoned: `stop` returned true.
        """
        batch = len(task)
        pixels = network_image(image, self._pipeline.image_size).expand(batch, -1, -1, -1)
        prompt = draw_prompt(PlanTensors.from_plan(plan), coordinates, asked, task, pixels)
        device = self._pipeline.model.device
        noise = torch.Generator().manual_seed(seed)
        edits = self._pipeline(pixels.to(device), prompt.to(device), noise, stop=stop).cpu()
        pictures = (composite(edits) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        return list(pictures.contiguous().numpy())


def network_image(image: ImageArray, size: int) -> Tensor:
    """(H, H, 3) uint8 -> (1, 3, size, size) float32 in [-1, 1].

    Raises:
        serving.errors.InvalidImage: not a square uint8 RGB array.
    """
    if image.dtype != np.uint8:
        raise InvalidImage.at("image", f"must hold uint8, got {image.dtype}")
    if image.ndim != 3 or image.shape[2] != 3 or image.shape[0] != image.shape[1] or not image.size:
        raise InvalidImage.at("image", f"must have shape (H, H, 3), got {image.shape}")
    resized = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BOX))
    return torch.tensor(resized, dtype=torch.float32).permute(2, 0, 1)[None] / 127.5 - 1


def opened(plan: Plan, opening: Sequence[float]) -> Tensor:
    """(1, P) joint coordinates [rad or model units].

    Args:
        plan: of P parts.
        opening: one fraction of the planned upper limit a part; fixed parts ignore theirs.

    Raises:
        serving.errors.InvalidRequest: wrong length, or a value outside [0, 1].
    """
    if len(opening) != len(plan.parts):
        raise InvalidRequest.at("opening", f"must hold one number a part ({len(plan.parts)}), got {len(opening)}")
    for index, value in enumerate(opening):
        if not 0 <= value <= 1:
            raise InvalidRequest.at(f"opening[{index}]", f"must lie in [0, 1], got {value}")
    upper = torch.tensor([[part.joint.upper for part in plan.parts]], dtype=torch.float32)
    return upper * torch.tensor([list(opening)], dtype=torch.float32)
