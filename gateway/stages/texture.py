"""Texture: meshes and images to UV-mapped, textured meshes, by texture on Triton."""

from __future__ import annotations

import asyncio

import numpy as np

from articulation.plan import Plan
from articulation.typing import AnyArray
from gateway.images import read_rgb
from gateway.meshes import PackedMeshes, read_glb, write_glb
from gateway.models import TEXTURE
from gateway.package.clean import lighter
from gateway.quality import preset
from gateway.stages import shape
from gateway.stages.work import INPUT_PATH, Outcome, Work
from serving.errors import StageFailed
from spark.v1 import reconstruction_service_pb2 as pb

MODEL = TEXTURE
DETAIL = 0.001
"""Extraction covers flat sides with thousands of faces; those that say less than this [model units] are merged."""
SLACK = 1e-3
"""How far texture coordinates may lie outside of [0, 1]."""
OUTPUTS = ("out_vertices", "out_faces", "out_vertex_offsets", "out_face_offsets", "uvs", "textures")


def mesh_path(name: str) -> str:
    return f"texture/parts/{name}.glb"


def tensors(
    plan: Plan,
    meshes: PackedMeshes,
    photograph: AnyArray,
    object_image: AnyArray,
    part_images: AnyArray,
    options: pb.ReconstructionOptions,
) -> dict[str, AnyArray]:
    """The model's inputs, as `docs/tensors.md` lists them."""
    return {
        "vertices": meshes.vertices,
        "faces": meshes.faces,
        "vertex_offsets": meshes.vertex_offsets,
        "face_offsets": meshes.face_offsets,
        "photograph": photograph,
        "object_image": object_image,
        "part_images": part_images,
        "camera": plan.camera.to_array().astype(np.float32),
        "texture_size": np.array([preset(options.quality).texture_size], np.int32),
        "seed": np.array([options.seed], np.int64),
    }


def meshes_of(outputs: dict[str, AnyArray]) -> PackedMeshes:
    """The meshes of the model's answer, cut along the texture's seams."""
    return PackedMeshes(*(outputs[name] for name in OUTPUTS[:4]))


def problem(plan: Plan, outputs: dict[str, AnyArray]) -> str:
    """How the model's answer breaks its contract; empty if it does not."""
    meshes, uvs, textures = meshes_of(outputs), outputs["uvs"], outputs["textures"]
    if wrong := shape.problem(plan, meshes):
        return wrong
    if len(textures) != len(plan.parts):
        return f"{len(textures)} textures for {len(plan.parts)} parts"
    if textures.ndim != 4 or textures.shape[-1] != 3 or not textures.size:
        return f"textures of shape {textures.shape}"
    if uvs.shape != (len(meshes.vertices), 2):
        return f"{len(uvs)} texture coordinates for {len(meshes.vertices)} vertices"
    if not ((uvs >= -SLACK) & (uvs <= 1 + SLACK)).all():
        return "texture coordinates outside of [0, 1]"
    return ""


async def run(work: Work) -> Outcome:
    """Write one textured `texture/parts/NAME.glb` a part, in model space.

    Raises:
        StageFailed: the answer is no mesh and texture a part.
    """
    plan = await work.plan()
    photograph = await asyncio.to_thread(read_rgb, await work.read(INPUT_PATH))
    object_image, part_images = await shape.images(work, plan)
    files = [await work.read(shape.mesh_path(part.name)) for part in plan.parts]
    meshes = PackedMeshes.pack(await asyncio.to_thread(lambda: [lighter(*read_glb(data), DETAIL) for data in files]))
    inputs = tensors(plan, meshes, photograph, object_image, part_images, work.options)
    outputs, model = await work.infer(MODEL, inputs, OUTPUTS)
    if wrong := problem(plan, outputs):
        raise StageFailed(f"texture answered {wrong}", metadata={"stage": "texture"})
    textured = meshes_of(outputs)
    artifacts = []
    for index, part in enumerate(plan.parts):
        uvs = outputs["uvs"][textured.vertex_span(index)]
        data = await asyncio.to_thread(write_glb, *textured.part(index), uvs, outputs["textures"][index])
        artifacts.append(await work.session.put(mesh_path(part.name), data))
    return Outcome(artifacts, [model])
