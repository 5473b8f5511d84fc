"""The texture half of `docs/tensors.md` in code: flat arrays to part meshes, textured meshes to flat arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from articulation.typing import AnyArray, Array, ImageArray, IntArray
from services.texture.errors import InvalidInput
from services.texture.meshes import PartMesh, TexturedMesh

INPUTS = (
    "vertices", "faces", "vertex_offsets", "face_offsets", "photograph", "object_image", "part_images", "camera",
    "texture_size", "seed",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """Arguments of `TexturePipeline.__call__`."""

    parts: list[PartMesh]
    photograph: ImageArray
    object_image: ImageArray
    part_images: ImageArray
    camera: Array
    texture_size: int
    seed: int


def decode(arrays: Mapping[str, AnyArray]) -> Request:
    """Read one request.

    Args:
        arrays: one for each of `INPUTS`, with the dtypes and ranks that Triton has checked.

    Raises:
        InvalidInput: naming the tensor, when offsets do not cut the arrays into parts.
    """
    vertices = _cut(arrays, "vertex_offsets", "vertices")
    faces = _cut(arrays, "face_offsets", "faces")
    if len(vertices) != len(faces):
        raise InvalidInput("face_offsets", f"describes {len(faces)} parts, vertex_offsets {len(vertices)}")
    parts = [PartMesh(v.astype(np.float64), f.astype(np.int64)) for v, f in zip(vertices, faces, strict=True)]
    return Request(
        parts=parts,
        photograph=arrays["photograph"],
        object_image=arrays["object_image"],
        part_images=arrays["part_images"],
        camera=arrays["camera"].astype(np.float64),
        texture_size=int(arrays["texture_size"][0]),
        seed=int(arrays["seed"][0]),
    )


def encode(meshes: Sequence[TexturedMesh]) -> dict[str, AnyArray]:
    """Write one response."""
    return {
        "out_vertices": np.concatenate([mesh.vertices for mesh in meshes]).astype(np.float32),
        "out_faces": np.concatenate([mesh.faces for mesh in meshes]).astype(np.int32),
        "out_vertex_offsets": _offsets([len(mesh.vertices) for mesh in meshes]),
        "out_face_offsets": _offsets([len(mesh.faces) for mesh in meshes]),
        "uvs": np.concatenate([mesh.uvs for mesh in meshes]).astype(np.float32),
        "textures": np.stack([mesh.texture for mesh in meshes]),
    }


def _cut(arrays: Mapping[str, AnyArray], offsets_name: str, values_name: str) -> list[AnyArray]:
    offsets, values = arrays[offsets_name].astype(np.int64), arrays[values_name]
    if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != len(values) or (np.diff(offsets) < 0).any():
        raise InvalidInput(offsets_name, f"must rise from 0 to {len(values)}, the length of {values_name}")
    return [values[begin:end] for begin, end in pairwise(offsets)]


def _offsets(counts: Sequence[int]) -> IntArray:
    return np.cumsum([0, *counts]).astype(np.int32)
