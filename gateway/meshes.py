"""Part meshes between three forms: Triton's packed tensors, arrays of one part, and GLB files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from articulation.asset import TexturedMesh
from articulation.typing import AnyArray


@dataclass(frozen=True, eq=False)
class PackedMeshes:
    """Meshes of K parts, one after the other, as `docs/tensors.md` lays them out.

    Attributes:
        vertices: (V, 3) float32, model space.
        faces: (F, 3) int32, indices into the part's own vertices.
        vertex_offsets: (K + 1,) int32, part k owns vertices offsets[k] to offsets[k + 1].
        face_offsets: (K + 1,) int32, likewise.
    """

    vertices: AnyArray
    faces: AnyArray
    vertex_offsets: AnyArray
    face_offsets: AnyArray

    def __len__(self) -> int:
        return len(self.vertex_offsets) - 1

    def part(self, index: int) -> tuple[AnyArray, AnyArray]:
        """Vertices (v, 3) and faces (f, 3) of one part."""
        return self.vertices[self.vertex_span(index)], self.faces[_span(self.face_offsets, index)]

    def vertex_span(self, index: int) -> slice:
        return _span(self.vertex_offsets, index)

    def problem(self) -> str:
        """How arrays that a model answered break the layout, or hold what is not finite; empty if they do not."""
        if self.vertices.shape[1:] != (3,) or self.faces.shape[1:] != (3,):
            return f"vertices of shape {self.vertices.shape} and faces of shape {self.faces.shape}"
        if not np.isfinite(self.vertices).all():
            return "vertices that are not finite"
        for offsets, count in ((self.vertex_offsets, len(self.vertices)), (self.face_offsets, len(self.faces))):
            ends = np.array([0, *offsets.ravel(), count])
            if offsets.ndim != 1 or not len(offsets) or ends[1] != 0 or ends[-2] != count or (np.diff(ends) < 0).any():
                return f"offsets that do not part {count} rows"
        if len(self.vertex_offsets) != len(self.face_offsets):
            return f"vertices of {len(self)} parts and faces of {len(self.face_offsets) - 1}"
        corners = np.repeat(np.diff(self.vertex_offsets), np.diff(self.face_offsets))[:, None]
        if ((self.faces < 0) | (self.faces >= corners)).any():
            return "faces at vertices that there are not"
        return ""

    @classmethod
    def pack(cls, parts: Sequence[tuple[AnyArray, AnyArray]]) -> PackedMeshes:
        """The inverse of `part`, for all parts."""
        return cls(
            vertices=np.concatenate([vertices for vertices, _ in parts]).astype(np.float32),
            faces=np.concatenate([faces for _, faces in parts]).astype(np.int32),
            vertex_offsets=_offsets([len(vertices) for vertices, _ in parts]),
            face_offsets=_offsets([len(faces) for _, faces in parts]),
        )


def write_glb(
    vertices: AnyArray, faces: AnyArray, uvs: AnyArray | None = None, texture: AnyArray | None = None
) -> bytes:
    """One part as a GLB file.

    Args:
        vertices: (v, 3) model space.
        faces: (f, 3).
        uvs: (v, 2) in [0, 1], v up; with `texture` only.
        texture: (R, R, 3) uint8 base colour, sRGB.
    """
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    if texture is not None:
        material = PBRMaterial(baseColorTexture=Image.fromarray(texture), metallicFactor=0.0, roughnessFactor=0.8)  # type: ignore[no-untyped-call]
        mesh.visual = TextureVisuals(uv=uvs, material=material)  # type: ignore[no-untyped-call]
    data = mesh.export(file_type="glb")
    assert isinstance(data, bytes)
    return data


def read_glb(data: bytes) -> tuple[AnyArray, AnyArray]:
    """Vertices (v, 3) and faces (f, 3) of a part written by `write_glb`."""
    mesh = trimesh.load_mesh(io.BytesIO(data), file_type="glb", process=False)
    return np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32)


def read_textured_glb(data: bytes) -> TexturedMesh:
    """A part written by `write_glb` with a texture, model space."""
    mesh = trimesh.load_mesh(io.BytesIO(data), file_type="glb", process=False)
    visual = mesh.visual
    assert isinstance(visual, TextureVisuals)
    assert isinstance(visual.material, PBRMaterial)
    texture = np.asarray(visual.material.baseColorTexture.convert("RGB"))
    return TexturedMesh(np.asarray(mesh.vertices), np.asarray(mesh.faces), np.asarray(visual.uv), texture)


def _span(offsets: AnyArray, index: int) -> slice:
    return slice(int(offsets[index]), int(offsets[index + 1]))


def _offsets(counts: Sequence[int]) -> AnyArray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
