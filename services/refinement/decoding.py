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


REACH = 10.0
"""Objects fill [-1, 1]; a vertex further out is an error of units [model units]."""

BARE = 0.005
"""Share of a picture that is background at least: an object alone on white leaves more."""


def image(content: bytes, field: str, max_pixels: int) -> ImageArray:
    """(S, S, 3) sRGB of a picture of an object on white.

    Raises:
        InvalidImage: as `serving.pictures.decode`, nothing but background, or none of it.
    """
    pixels = pictures.decode(content, field, max_pixels)
    white = (pixels > 240).all(-1).mean()
    if white == 1:
        raise InvalidImage.at(field, "shows no object, only white")
    if white < BARE:
        raise InvalidImage.at(field, "shows no background: the object must stand alone on white")
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
        InvalidRequest: not a GLB, without faces, too large, or with vertices that are not finite or far out.
    """
    try:
        scene = trimesh.load_scene(io.BytesIO(content), file_type="glb", skip_materials=True)
        # Counted before they are joined: many nodes may show the same mesh.
        placed = [scene.geometry[scene.graph[node][1]] for node in scene.graph.nodes_geometry]
        count = sum(len(geometry.faces) for geometry in placed if isinstance(geometry, trimesh.Trimesh))
        found: trimesh.Trimesh = scene.to_mesh() if count <= max_faces else trimesh.Trimesh()
    except Exception as error:
        raise InvalidRequest.at(field, f"is not a readable GLB: {error}") from error
    if count > max_faces:
        raise InvalidRequest.at(field, f"has {count} faces, more than {max_faces}")
    if len(found.faces) == 0:
        raise InvalidRequest.at(field, "has no faces")
    if found.faces.min() < 0 or found.faces.max() >= len(found.vertices):
        raise InvalidRequest.at(field, "has faces that index vertices it does not have")
    if not np.isfinite(found.vertices).all():
        raise InvalidRequest.at(field, "has vertices that are not finite")
    if np.abs(found.vertices).max() > REACH:
        raise InvalidRequest.at(
            field, f"reaches further than {REACH:g} from the middle of an object that fills [-1, 1]"
        )
    return found
