"""Shape: images and the parent graph to part meshes, by part_dit on Triton."""

from __future__ import annotations

import asyncio

import numpy as np

from articulation.plan import Plan
from articulation.typing import AnyArray
from gateway.images import read_rgb
from gateway.meshes import PackedMeshes, write_glb
from gateway.models import PART_DIT
from gateway.plans import PATH, plan_to_json, without_parts
from gateway.quality import preset
from gateway.stages import guide
from gateway.stages.work import Outcome, Work
from serving.errors import StageFailed
from spark.v1 import reconstruction_service_pb2 as pb

MODEL = PART_DIT
OUTPUTS = ("vertices", "faces", "vertex_offsets", "face_offsets")


def mesh_path(name: str) -> str:
    return f"shape/parts/{name}.glb"


async def images(work: Work, plan: Plan) -> tuple[AnyArray, AnyArray]:
    """(S, S, 3) the object and (K, S, S, 3) its parts, uint8, as the guide stage drew them."""
    files = [await work.read(path) for path in (guide.OBJECT_PATH, *(guide.part_path(p.name) for p in plan.parts))]
    pictures = await asyncio.to_thread(lambda: [read_rgb(data) for data in files])
    return pictures[0], np.stack(pictures[1:])


def tensors(
    plan: Plan,
    object_image: AnyArray,
    part_images: AnyArray,
    options: pb.ReconstructionOptions,
    guidance_scale: float,
) -> dict[str, AnyArray]:
    """The model's inputs, as `docs/tensors.md` lists them."""
    effort = preset(options.quality)
    return {
        "object_image": object_image,
        "part_images": part_images,
        "parent_index": np.array([part.parent for part in plan.parts], np.int32),
        "part_boxes": np.stack([part.box.to_array() for part in plan.parts]).astype(np.float32),
        "seed": np.array([options.seed], np.int64),
        "num_steps": np.array([effort.num_steps], np.int32),
        "guidance_scale": np.array([guidance_scale], np.float32),
        "resolution": np.array([effort.resolution], np.int32),
    }


def problem(plan: Plan, meshes: PackedMeshes) -> str:
    """How the model's answer breaks its contract; empty if it does not. A part without faces is none."""
    if len(meshes) != len(plan.parts):
        return meshes.problem() or f"{len(meshes)} meshes for {len(plan.parts)} parts"
    return meshes.problem()


async def run(work: Work) -> Outcome:
    """Write one `shape/parts/NAME.glb` a part, in model space.

    A part without a surface that carries no other part is left out, and a `plan.json` without it is written.

    Raises:
        EmptyPart: a part that others hang on came out without a surface.
        StageFailed: the meshes are none, or not one a part.
    """
    plan = await work.plan()
    object_image, part_images = await images(work, plan)
    inputs = tensors(plan, object_image, part_images, work.options, work.settings.guidance_scale)
    outputs, model = await work.infer(MODEL, inputs, OUTPUTS)
    meshes = PackedMeshes(**outputs)
    if wrong := problem(plan, meshes):
        raise StageFailed(f"part_dit answered {wrong}", metadata={"stage": "shape"})
    empty = [index for index in range(len(meshes)) if not len(meshes.part(index)[1])]
    artifacts = []
    if empty:
        artifacts.append(await work.session.put(PATH, plan_to_json(without_parts(plan, empty))))
    for index, part in enumerate(plan.parts):
        if index not in empty:
            data = await asyncio.to_thread(write_glb, *meshes.part(index))
            artifacts.append(await work.session.put(mesh_path(part.name), data))
    return Outcome(artifacts, [model])
