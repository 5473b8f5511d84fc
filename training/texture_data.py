"""Examples for the texture network, on the device: pictures, depth maps and coloured surface points of parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from services.texture.observation import View
from services.texture.projection import visible
from training.camera import sample_cameras
from training.draw import Split
from training.library import Library
from training.render import Background, Render, render
from training.scene import Scene
from training.surface import sample_surface

POINTS = 1024
"""Surface points kept of every part."""

PHOTO_SCALE = 2
"""A photograph is so many times larger than the guide's pictures, and averages as many rays along a pixel's edge."""

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
        photograph: (N, 3, P, P) uint8 sRGB, anywhere, in any light.
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
        painted: (N,) bool, whether the image editor painted the pictures of the object and its parts.
    """

    photograph: Tensor
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
    painted: Tensor

    def __len__(self) -> int:
        return len(self.owner)

    def view(self, index: Tensor) -> View:
        """The view of the parts at `index` (B,)."""
        owner = self.owner[index]
        camera = self.camera[owner]
        distance = camera[:, 2, None, None]
        return View(
            photograph=self.photograph[owner].float() / 255,
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


def join(pieces: Sequence[TextureData]) -> TextureData:
    """The objects and parts of several data sets in turn."""
    before = np.cumsum([0, *(len(piece.photograph) for piece in pieces)]).tolist()
    moved = [replace(piece, owner=piece.owner + start) for piece, start in zip(pieces, before, strict=False)]
    return TextureData(*(torch.cat([getattr(piece, x.name) for piece in moved]) for x in fields(TextureData)))


def render_data(
    library: Library,
    rows: Tensor,
    split: Split,
    size: int,
    generator: torch.Generator,
    rng: np.random.Generator,
    camera_error: float = 1.0,
) -> TextureData:
    """Picture the objects `rows` (N,) of the library, on its device, from new views.

    Args:
        size: side of the guide's pictures and of depth maps.
        generator: on the library's device: light, backdrop, surface points.
        rng: cameras.
        camera_error: factor on `CAMERA_ERROR`; 0 tells every camera exactly.
    """
    device = library.device
    half_extents = library.half_extent[rows.to(device)].double().cpu().numpy()
    cameras = torch.tensor(sample_cameras(rng, split, half_extents), dtype=torch.float32)
    true, told = cameras.to(device), mistake_cameras(cameras, camera_error, rng).to(device)
    scene = library.scene(rows)
    owner, link = scene.link_valid.nonzero().unbind(-1)
    parts = scene[owner]
    whole, alone = scene.link_valid, torch.zeros_like(parts.link_valid).scatter(1, link[:, None], True)
    photograph = _closed(scene, true, whole, size * PHOTO_SCALE, generator)
    picture, picture_told = _closed(scene, true, whole, size), _closed(scene, told, whole, size)
    part, part_told = _closed(parts, true[owner], alone, size), _closed(parts, told[owner], alone, size)
    points, normals, albedo = sample_surface(parts, link, POINTS, generator)
    return TextureData(
        photograph=_bytes(photograph.rgb).permute(0, 3, 1, 2).contiguous(),
        object_image=_bytes(picture.rgb).permute(0, 3, 1, 2).contiguous(),
        object_depth=(picture_told.depth - told[:, 2, None, None]).half(),
        camera=told,
        owner=owner,
        part_image=_bytes(part.rgb).permute(0, 3, 1, 2).contiguous(),
        part_depth=(part_told.depth - told[owner, 2, None, None]).half(),
        box=parts.boxes.take_along_dim(link[:, None, None], 1)[:, 0],
        points=points.half(),
        normals=normals.half(),
        albedo=_bytes(albedo),
        seen=visible(points, normals, true[owner], picture.depth[owner]),
        painted=torch.zeros(len(rows), dtype=torch.bool, device=device),
    )


def mistake_cameras(cameras: Tensor, scale: float, rng: np.random.Generator) -> Tensor:
    """(B, 6) cameras as a plan might tell them."""
    noise = rng.normal(size=(len(cameras), 6)) * CAMERA_ERROR * scale
    noise *= rng.random((len(cameras), 1)) >= EXACT_CAMERAS
    noise[:, 2:4] *= cameras[:, 2:4].numpy()
    return cameras + torch.from_numpy(noise).float()


def _closed(
    scene: Scene, cameras: Tensor, shown: Tensor, size: int, generator: torch.Generator | None = None
) -> Render:
    """The closed object: a photograph where a generator is given, else on white."""
    closed = torch.zeros(shown.shape, device=scene.device)
    background = Background.WHITE if generator is None else Background.RANDOM
    samples = 1 if generator is None else PHOTO_SCALE
    return render(scene, cameras, closed, shown, size, background, generator, samples=samples)


def _bytes(values: Tensor) -> Tensor:
    return (values.clamp(0, 1) * 255).round().to(torch.uint8)
