"""Bytes of a request to images and meshes, with errors that name the field."""

from __future__ import annotations

import io

import numpy as np
import trimesh
from PIL import Image, UnidentifiedImageError

from articulation.typing import ImageArray
from serving.errors import InvalidImage, InvalidRequest


def image(content: bytes, field: str, max_pixels: int) -> ImageArray:
    """Decode a picture on white.

    Args:
        content: PNG or any format that Pillow reads.
        field: of the request, for the error.
        max_pixels: largest accepted width times height.

    Returns:
        (S, S, 3) sRGB.

    Raises:
        InvalidImage: unreadable, too large, not square, or nothing but background.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            width, height = opened.size
            if width * height > max_pixels:
                raise InvalidImage.at(field, f"has {width} x {height} pixels, more than {max_pixels}")
            if width != height:
                raise InvalidImage.at(field, f"must be square, is {width} x {height}")
            pixels = np.asarray(opened.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidImage.at(field, f"cannot be read: {error}") from error
    if (pixels > 240).all():
        raise InvalidImage.at(field, "shows no object, only white")
    return pixels


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
