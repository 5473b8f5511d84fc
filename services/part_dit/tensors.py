"""Part meshes as the output tensors of `docs/tensors.md`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from services.part_dit.extraction import PartMesh


def pack(meshes: Sequence[PartMesh]) -> dict[str, Tensor]:
    """K meshes -> `vertices` (V, 3), `faces` (F, 3), `vertex_offsets` and `face_offsets` (K + 1,)."""
    vertices = [torch.from_numpy(mesh.vertices) for mesh in meshes]
    faces = [torch.from_numpy(mesh.faces) for mesh in meshes]
    return {
        "vertices": torch.cat(vertices).contiguous(),
        "faces": torch.cat(faces).contiguous(),
        "vertex_offsets": _offsets(vertices),
        "face_offsets": _offsets(faces),
    }


def _offsets(tensors: Sequence[Tensor]) -> Tensor:
    return torch.tensor([0, *accumulate(map(len, tensors))], dtype=torch.int32)
