"""What every family of texture models shares: part meshes in, textured meshes out, and the baking between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from articulation.camera import Camera
from articulation.errors import InvalidArticulation
from articulation.typing import Array, ImageArray, IntArray
from services.texture.bake import Texels, paint, texels
from services.texture.errors import Cancelled, InvalidInput
from services.texture.unwrap import UvMesh, unwrap

MAX_PARTS = 64
TEXTURE_SIZES = range(64, 4097)


@dataclass(frozen=True)
class PartMesh:
    """(V, 3) vertices and (F, 3) faces of one part in model space; both may be empty."""

    vertices: Array
    faces: IntArray


@dataclass(frozen=True)
class TexturedMesh:
    """A part with its texture.

    Attributes:
        vertices: (V, 3), split along seams.
        faces: (F, 3), as many as were given and in their order.
        uvs: (V, 2) in [0, 1], v up.
        texture: (R, R, 3) sRGB base colour.
    """

    vertices: Array
    faces: IntArray
    uvs: Array
    texture: ImageArray


ColorPart = Callable[[int, UvMesh, Texels], Tensor]
"""Colours (N, 3), sRGB in [0, 1], of a part's texels, by the part's index."""


def textured(
    parts: Sequence[PartMesh],
    part_images: ImageArray,
    texture_size: int,
    color: ColorPart,
    is_cancelled: Callable[[], bool],
) -> list[TexturedMesh]:
    """Unwrap every part, ask for the colours of its texels, and bake them.

    Args:
        parts: K meshes.
        part_images: (K, S, S, 3); a part without a surface takes its picture's mean colour.
        texture_size: R.
        color: the model.
        is_cancelled: asked before each part.

    Raises:
        Cancelled: after `is_cancelled` answered true.
    """
    meshes = []
    for index, (part, reference) in enumerate(zip(parts, part_images, strict=True)):
        if is_cancelled():
            raise Cancelled(f"stopped before part {index}")
        if len(part.faces) == 0:
            meshes.append(_blank(reference, texture_size))
            continue
        mesh = unwrap(part.vertices, part.faces, texture_size)
        places = texels(mesh, texture_size)
        colors = color(index, mesh, places).cpu()
        meshes.append(TexturedMesh(mesh.vertices, mesh.faces, mesh.uvs, paint(places, colors, texture_size)))
    return meshes


def check(
    parts: Sequence[PartMesh],
    photograph: ImageArray,
    object_image: ImageArray,
    part_images: ImageArray,
    camera: Array,
    texture_size: int,
) -> None:
    """Refuse arguments that break the contract, before any work.

    Raises:
        InvalidInput: naming the argument as `docs/tensors.md` does.
    """
    if not 1 <= len(parts) <= MAX_PARTS:
        raise InvalidInput("vertex_offsets", f"must describe 1 to {MAX_PARTS} parts, got {len(parts)}")
    for index, part in enumerate(parts):
        if not np.isfinite(part.vertices).all():
            raise InvalidInput("vertices", f"part {index} has a coordinate that is not finite")
        if len(part.faces) and not (part.faces.min() >= 0 and part.faces.max() < len(part.vertices)):
            raise InvalidInput("faces", f"part {index} refers to a vertex outside its {len(part.vertices)}")
    pictures = {"photograph": photograph, "object_image": object_image, "part_images": part_images}
    for name, picture in pictures.items():
        if picture.dtype != np.uint8 or picture.shape[-1] != 3 or picture.shape[-2] != picture.shape[-3]:
            raise InvalidInput(name, f"must be square 8-bit RGB, got {picture.dtype} {list(picture.shape)}")
        if picture.shape[-2] == 0:
            raise InvalidInput(name, "is empty")
    if part_images.shape != (len(parts), *object_image.shape):
        expected = [len(parts), *object_image.shape]
        raise InvalidInput("part_images", f"must be {expected}, got {list(part_images.shape)}")
    if texture_size not in TEXTURE_SIZES:
        raise InvalidInput("texture_size", f"must lie in [{TEXTURE_SIZES[0]}, {TEXTURE_SIZES[-1]}], got {texture_size}")
    try:
        Camera.from_array(camera)
    except InvalidArticulation as error:
        raise InvalidInput("camera", str(error)) from error


def joined(parts: Sequence[PartMesh]) -> PartMesh:
    """All parts as one mesh."""
    offsets = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = [part.faces + offset for part, offset in zip(parts, offsets, strict=False)]
    return PartMesh(np.concatenate([part.vertices for part in parts]), np.concatenate(faces))


def tensors(part: PartMesh, device: torch.device) -> tuple[Tensor, Tensor]:
    """Its vertices in float32 and its faces in int64."""
    vertices = torch.as_tensor(part.vertices, dtype=torch.float32, device=device)
    return vertices, torch.as_tensor(part.faces, dtype=torch.int64, device=device)


def picture(image: ImageArray, device: torch.device) -> Tensor:
    """(1, 3, S, S) in [0, 1] of (S, S, 3) bytes."""
    return torch.tensor(image, device=device).permute(2, 0, 1)[None].float() / 255


def _blank(reference: ImageArray, texture_size: int) -> TexturedMesh:
    """A part without surface: no mesh, and a texture of its reference picture's mean colour."""
    color = reference.reshape(-1, 3).mean(0).round().astype(np.uint8)
    texture = np.broadcast_to(color, (texture_size, texture_size, 3)).copy()
    return TexturedMesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64), np.zeros((0, 2)), texture)
