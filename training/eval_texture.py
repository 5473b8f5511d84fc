"""How close an asset's texture comes to the true base colour, seen from where the photograph was not taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as fn

from articulation.asset import TexturedMesh
from articulation.camera import Camera
from services.texture.projection import NEAR, project
from services.texture.raster import rasterize
from training.render import render
from training.scene import pack
from training.spec import ObjectSpec

SIZE = 192
"""Side of the views [pixel]."""
TURNS = (np.radians(120), np.radians(240))
"""From the photograph's azimuth to the views'."""
ELEVATIONS = (np.radians(30), np.radians(10))
BEST = 60.0
"""[dB] of a view without error."""


def unseen_views(camera: Camera) -> list[Camera]:
    """Views of the sides and the back, around the object from the photograph's."""
    return [
        replace(camera, azimuth=camera.azimuth + turn, elevation=elevation, shift=(0.0, 0.0))
        for turn, elevation in zip(TURNS, ELEVATIONS, strict=True)
    ]


def texture_psnr(spec: ObjectSpec, camera: Camera, meshes: Sequence[TexturedMesh]) -> float | None:
    """[dB], peak 1, over the pixels that truth and asset both cover, averaged over the views; None without such.

    Args:
        camera: of the photograph.
        meshes: all parts of the asset, closed, model space.
    """
    views = unseen_views(camera)
    scene = pack([spec], "cpu")[torch.zeros(len(views), dtype=torch.int64)]
    cameras = torch.tensor(np.stack([view.to_array() for view in views])).float()
    truth = render(scene, cameras, torch.zeros_like(scene.joint_upper), scene.link_valid, SIZE)
    levels = []
    for view, link, albedo in zip(cameras, truth.link, truth.albedo, strict=True):
        color, covered = unlit(meshes, view, SIZE)
        both = covered & (link >= 0)
        if both.any():
            error = float((color[both] - albedo[both]).square().mean())
            levels.append(min(BEST, -10 * np.log10(max(error, 1e-12))))
    return float(np.mean(levels)) if levels else None


def unlit(meshes: Sequence[TexturedMesh], camera: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Texture colours without light.

    Args:
        meshes: textured parts, model space.
        camera: (6,).
        size: side of the picture.

    Returns:
        (size, size, 3) sRGB in [0, 1], and (size, size) bool where a mesh is seen.
    """
    points = torch.tensor(np.concatenate([mesh.vertices for mesh in meshes]), dtype=torch.float32)
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = torch.tensor(np.concatenate([m.faces + start for m, start in zip(meshes, starts, strict=False)]))
    owner = torch.repeat_interleave(torch.arange(len(meshes)), torch.tensor([len(mesh.faces) for mesh in meshes]))
    uvs = torch.tensor(np.concatenate([mesh.uvs for mesh in meshes]), dtype=torch.float32)

    image, depth = project(points[None], camera[None])
    ahead = (depth[0][faces] > NEAR).all(1)
    faces, owner = faces[ahead], owner[ahead]
    nearness = 1 / depth[0][faces]
    face, weights = rasterize(((image[0] + 1) * (size / 2))[faces], size, nearness)
    covered = face >= 0
    seen, weights = face[covered], weights[covered]
    weights = weights * nearness[seen]
    weights = weights / weights.sum(-1, keepdim=True)
    where = (uvs[faces[seen]] * weights[..., None]).sum(1)
    colors = torch.empty(len(seen), 3)
    for index, mesh in enumerate(meshes):
        mine = owner[seen] == index
        colors[mine] = look_up(torch.tensor(mesh.texture), where[mine])
    out = torch.ones(size, size, 3)
    out[covered] = colors
    return out, covered


def look_up(texture: Tensor, uvs: Tensor) -> Tensor:
    """(R, R, 3) uint8 and (N, 2) in [0, 1], v up -> (N, 3) in [0, 1], bilinear."""
    grid = torch.stack([uvs[:, 0] * 2 - 1, 1 - uvs[:, 1] * 2], -1)[None, None]
    picture = texture.permute(2, 0, 1)[None].float() / 255
    found: Tensor = fn.grid_sample(picture, grid, align_corners=False, padding_mode="border")[0, :, 0].T
    return found
