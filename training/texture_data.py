"""Examples for the texture network, cached on the device: pictures, depth maps and coloured surface points of parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from services.texture.observation import View
from services.texture.projection import visible
from training.camera import sample_cameras
from training.draw import Split
from training.render import Render, render
from training.scene import Scene, pack
from training.spec import ObjectSpec
from training.surface import sample_surface

CHUNK = 512
"""Objects rendered together."""

POINTS = 1024
"""Surface points kept of every part."""

CAMERA_ERROR = (0.05, 0.04, 0.03, 0.03, 0.015, 0.015)
"""Standard deviation of a planned camera: azimuth, elevation [rad], distance, fov (relative), shift u, v."""

EXACT_CAMERAS = 0.3
"""Share of objects whose camera is told exactly."""


@dataclass(frozen=True, eq=False)
class TextureData:
    """M parts of N objects, each object in one view.

    The pictures show the true camera; the depth maps are drawn through the camera as told, as they are when a plan's
    camera is slightly wrong.

    Attributes:
        object_image: (N, 3, S, S) uint8 sRGB on white.
        object_depth: (N, S, S) float16 minus the camera's distance, infinite where empty.
        camera: (N, 6) as told.
        owner: (M,) int64 object of each part.
        part_image: (M, 3, S, S) uint8.
        part_depth: (M, S, S) as `object_depth`.
        box: (M, 6) centre and half extent.
        points: (M, POINTS, 3) float16.
        normals: (M, POINTS, 3) float16.
        albedo: (M, POINTS, 3) uint8 base colour.
        seen: (M, POINTS) bool, whether the true camera sees the point.
    """

    object_image: Tensor
    object_depth: Tensor
    camera: Tensor
    owner: Tensor
    part_image: Tensor
    part_depth: Tensor
    box: Tensor
    points: Tensor
    normals: Tensor
    albedo: Tensor
    seen: Tensor

    def __len__(self) -> int:
        return len(self.owner)

    def view(self, index: Tensor) -> View:
        """The view of the parts at `index` (B,)."""
        owner = self.owner[index]
        camera = self.camera[owner]
        distance = camera[:, 2, None, None]
        return View(
            object_image=self.object_image[owner].float() / 255,
            part_image=self.part_image[index].float() / 255,
            object_depth=self.object_depth[owner].float() + distance,
            part_depth=self.part_depth[index].float() + distance,
            camera=camera,
            box=self.box[index],
        )

    def surface(self, index: Tensor, window: slice) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Points (B, n, 3), normals (B, n, 3), base colours (B, n, 3) in [0, 1] and seen (B, n) of some parts."""
        points, normals = self.points[:, window][index].float(), self.normals[:, window][index].float()
        return points, normals, self.albedo[:, window][index].float() / 255, self.seen[:, window][index]


def render_data(
    specs: Sequence[ObjectSpec], split: Split, size: int, device: torch.device, seed: int, camera_error: float = 1.0
) -> TextureData:
    """Render every object.

    Args:
        size: side of pictures and depth maps.
        camera_error: factor on `CAMERA_ERROR`; 0 tells every camera exactly.
    """
    rng = np.random.default_rng(seed)
    half_extents = np.stack([spec.half_extent for spec in specs])
    true = torch.tensor(sample_cameras(rng, split, half_extents), dtype=torch.float32)
    told = mistake_cameras(true, camera_error, rng)
    generator = torch.Generator(device).manual_seed(seed)
    chunks = []
    for start in range(0, len(specs), CHUNK):
        rows = slice(start, start + CHUNK)
        scene = pack(specs[rows], device)
        chunks.append(_chunk(scene, true[rows].to(device), told[rows].to(device), size, generator, start))
    return TextureData(*(torch.cat([getattr(chunk, x.name) for chunk in chunks]) for x in fields(TextureData)))


def mistake_cameras(cameras: Tensor, scale: float, rng: np.random.Generator) -> Tensor:
    """(B, 6) cameras as a plan might tell them."""
    noise = rng.normal(size=(len(cameras), 6)) * CAMERA_ERROR * scale
    noise *= rng.random((len(cameras), 1)) >= EXACT_CAMERAS
    noise[:, 2:4] *= cameras[:, 2:4].numpy()
    return cameras + torch.from_numpy(noise).float()


def _chunk(scene: Scene, true: Tensor, told: Tensor, size: int, generator: torch.Generator, offset: int) -> TextureData:
    object_rows, link = scene.link_valid.nonzero().unbind(-1)
    parts = scene[object_rows]
    whole, alone = scene.link_valid, torch.zeros_like(parts.link_valid).scatter(1, link[:, None], True)
    picture, picture_told = _closed(scene, true, whole, size), _closed(scene, told, whole, size)
    part, part_told = _closed(parts, true[object_rows], alone, size), _closed(parts, told[object_rows], alone, size)
    points, normals, albedo = sample_surface(parts, link, POINTS, generator)
    return TextureData(
        object_image=_bytes(picture.rgb).permute(0, 3, 1, 2).contiguous(),
        object_depth=(picture_told.depth - told[:, 2, None, None]).half(),
        camera=told,
        owner=object_rows + offset,
        part_image=_bytes(part.rgb).permute(0, 3, 1, 2).contiguous(),
        part_depth=(part_told.depth - told[object_rows, 2, None, None]).half(),
        box=parts.boxes.take_along_dim(link[:, None, None], 1)[:, 0],
        points=points.half(),
        normals=normals.half(),
        albedo=_bytes(albedo),
        seen=visible(points, normals, true[object_rows], picture.depth[object_rows]),
    )


def _closed(scene: Scene, cameras: Tensor, shown: Tensor, size: int) -> Render:
    return render(scene, cameras, torch.zeros(shown.shape, device=scene.device), shown, size)


def _bytes(values: Tensor) -> Tensor:
    return (values.clamp(0, 1) * 255).round().to(torch.uint8)
