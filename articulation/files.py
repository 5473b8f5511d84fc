"""The mesh and texture files that an asset's documents refer to: their paths inside the asset folder, and their bytes.

Vertices are in the link's own frame (`articulation.asset.link_origins`): documents place them without an offset.
"""

from __future__ import annotations

import io

from PIL import Image

from articulation.asset import Asset, Mesh, TexturedMesh, link_origins
from articulation.typing import Array, ImageArray


def visual_path(link: str) -> str:
    return f"meshes/{link}.obj"


def collision_path(link: str, piece: int) -> str:
    return f"meshes/collision/{link}-{piece}.obj"  # no link name holds a hyphen


def texture_path(link: str) -> str:
    return f"textures/{link}.png"


def visual_files(asset: Asset) -> dict[str, bytes]:
    """Path to bytes of every visual mesh, its material library and its texture."""
    files: dict[str, bytes] = {}
    for link, body, origin in zip(asset.articulation, asset.bodies, link_origins(asset.articulation), strict=True):
        files[visual_path(link.name)] = textured_obj(body.visual, origin, link.name)
        files[f"meshes/{link.name}.mtl"] = material_library(link.name)
        files[texture_path(link.name)] = png(body.visual.texture)
    return files


def collision_files(asset: Asset) -> dict[str, bytes]:
    """Path to bytes of every convex collision piece."""
    return {
        collision_path(link.name, index): obj(piece, origin)
        for link, body, origin in zip(asset.articulation, asset.bodies, link_origins(asset.articulation), strict=True)
        for index, piece in enumerate(body.collision)
    }


def obj(mesh: Mesh, origin: Array) -> bytes:
    """Wavefront OBJ of a mesh without texture, vertices relative to `origin` (3,)."""
    return "".join([*_rows("v", mesh.vertices - origin), *_faces(mesh, "{0} {1} {2}")]).encode()


def textured_obj(mesh: TexturedMesh, origin: Array, material: str) -> bytes:
    """Wavefront OBJ with texture coordinates, vertices relative to `origin` (3,)."""
    lines = [f"mtllib {material}.mtl\n", *_rows("v", mesh.vertices - origin), *_rows("vt", mesh.uvs)]
    return "".join([*lines, f"usemtl {material}\n", *_faces(mesh, "{0}/{0} {1}/{1} {2}/{2}")]).encode()


def material_library(link: str) -> bytes:
    """Wavefront MTL with the link's texture as its diffuse colour."""
    return f"newmtl {link}\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nd 1\nmap_Kd ../{texture_path(link)}\n".encode()


def png(image: ImageArray) -> bytes:
    """PNG file of (H, W, 3) sRGB bytes."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def _rows(keyword: str, values: Array) -> list[str]:
    template = f"{keyword} " + " ".join(["%.7g"] * values.shape[1]) + "\n"
    return [template % tuple(row) for row in values.tolist()]


def _faces(mesh: Mesh, corners: str) -> list[str]:
    template = f"f {corners}\n"
    return [template.format(*row) for row in (mesh.faces + 1).tolist()]
