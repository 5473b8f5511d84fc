"""Bytes of a request to images and meshes, with errors that name the field."""

from __future__ import annotations

import io

import numpy as np
import trimesh
from PIL import Image

from articulation.typing import ImageArray
from serving import pictures
from serving.errors import InvalidImage, InvalidRequest

MASK_SIDE = 1024
"""Widest picture of a part that is kept: there may be many [px]."""


def image(content: bytes, field: str, max_pixels: int) -> ImageArray:
    """(S, S, 3) sRGB of a picture of an object on white.

    Raises:
        InvalidImage: as `serving.pictures.decode`, or nothing but background.
    """
    pixels = pictures.decode(content, field, max_pixels)
    if (pixels > 240).all():
        raise InvalidImage.at(field, "shows no object, only white")
    return pixels


def mask(content: bytes, field: str, max_pixels: int) -> ImageArray:
    """(M, M) bytes, 255 where a picture shows a part, at most `MASK_SIDE` wide; raises as `serving.pictures.decode`."""
    grey = Image.fromarray(pictures.decode(content, field, max_pixels)).convert("L")
    grey.thumbnail((MASK_SIDE, MASK_SIDE), Image.Resampling.BOX)
    return np.asarray(grey)


def mesh(content: bytes, field: str, max_faces: int) -> trimesh.Trimesh:
    """Decode one part's surface, without its materials.

    Args:
        content: a GLB.
        field: of the request, for the error.
        max_faces: largest accepted number of faces.

    Raises:
        InvalidRequest: not a GLB, without faces, too large, or with vertices that are not finite.
    """
    try:
        scene = trimesh.load_scene(io.BytesIO(content), file_type="glb", skip_materials=True)
        found: trimesh.Trimesh = scene.to_mesh()
    except Exception as error:
        raise InvalidRequest.at(field, f"is not a readable GLB: {error}") from error
    if len(found.faces) == 0:
        raise InvalidRequest.at(field, "has no faces")
    if len(found.faces) > max_faces:
        raise InvalidRequest.at(field, f"has {len(found.faces)} faces, more than {max_faces}")
    if found.faces.min() < 0 or found.faces.max() >= len(found.vertices):
        raise InvalidRequest.at(field, "has faces that index vertices it does not have")
    if not np.isfinite(found.vertices).all():
        raise InvalidRequest.at(field, "has vertices that are not finite")
    return found
