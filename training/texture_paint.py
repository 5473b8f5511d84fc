"""The guide's pictures as the service has them: painted by the image editor, under fallible plans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as fn
from torch import Tensor

from services.vlm.edit_model import composite
from services.vlm.edit_pipeline import CompactEditPipeline
from services.vlm.edit_prompt import EditTask, PlanTensors, draw_prompt
from training.edit_data import draw_missed, imagine, plan_tensors, select
from training.scene import Scene
from training.texture_data import TextureData

PAINTED = 0.8
"""Share of the training objects with painted pictures; the others keep the true ones, spoiled, so that the network also
serves with a better editor."""

CHUNK = 32
"""Edits painted together; a prompt's rays meet every box of its plan, some 4 MB an edit and part at 256 pixels."""


class Painter:
    """Paints guide pictures as `services.vlm.editing.ImageEditor` does, for many objects at once."""

    def __init__(self, pipeline: CompactEditPipeline) -> None:
        self._pipeline = pipeline

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Painter:
        """Open an editor's diffusers folder on a device."""
        pipeline: CompactEditPipeline = CompactEditPipeline.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True
        )
        pipeline.model.eval().to(device=device, memory_format=torch.channels_last)
        return cls(pipeline)

    def paint(self, data: TextureData, scene: Scene, share: float, generator: torch.Generator) -> TextureData:
        """Replace the pictures of a random `share` of the objects, and of all parts of these.

        Args:
            data: rendered of the scene; its cameras, as told, are the plans' cameras.
            scene: N objects, on the data's device.
            generator: on that device: which objects, what their plans get wrong, noise.
        """
        device = scene.device
        painted = torch.rand(len(scene), generator=generator, device=device) < share
        exact = plan_tensors(scene, data.camera)
        plan = replace(imagine(exact, generator), camera=data.camera)
        known = exact.valid & ~draw_missed(exact, generator)
        seed = int(torch.randint(2**31, (), generator=generator, device=device))

        objects, parts = painted.nonzero()[:, 0], painted[data.owner].nonzero()[:, 0]
        row = torch.cat([objects, data.owner[parts]])
        link = scene.link_valid.nonzero()[parts, 1]
        alone = fn.one_hot(link, exact.valid.shape[1]).bool()
        asked = torch.cat([exact.valid[objects], alone])
        valid = known[row]
        valid[len(objects) :] |= alone  # only parts in the plan are asked for
        task = torch.full_like(row, EditTask.PART)
        task[: len(objects)] = EditTask.OBJECT

        pictures = data.object_image.new_empty(len(row), *data.object_image.shape[1:])
        for start in range(0, len(row), CHUNK):
            chunk = slice(start, start + CHUNK)
            plans = replace(select(plan, row[chunk]), valid=valid[chunk])
            photographs = data.photograph[row[chunk]]
            pictures[chunk] = self._edit(photographs, plans, asked[chunk], task[chunk], seed, pictures.shape[-1])
        return replace(
            data,
            object_image=data.object_image.index_copy(0, objects, pictures[: len(objects)]),
            part_image=data.part_image.index_copy(0, parts, pictures[len(objects) :]),
            painted=painted,
        )

    @torch.inference_mode()
    def _edit(
        self, photographs: Tensor, plan: PlanTensors, asked: Tensor, task: Tensor, seed: int, size: int
    ) -> Tensor:
        """(B, 3, size, size) uint8 on white, from photographs (B, 3, P, P) uint8 under B plans."""
        side = self._pipeline.image_size
        image = fn.interpolate(photographs.float(), (side, side), mode="area") / 127.5 - 1
        prompt = draw_prompt(plan, None, asked, task, image)
        with torch.autocast(image.device.type, torch.bfloat16, enabled=image.is_cuda):  # painting bounds new views
            edits = self._pipeline(image, prompt, torch.Generator().manual_seed(seed)).float()
        pictures = fn.interpolate(composite(edits), (size, size), mode="area")
        return (pictures * 255).round().to(torch.uint8)
