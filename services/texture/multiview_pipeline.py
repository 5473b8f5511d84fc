"""The full family's pipeline: the object painted from six sides, the pictures put back onto its parts.

Same arguments, same answer as `services.texture.pipeline`. What the six pictures of the closed object do not show of a
part, such as the inside of a cabinet behind its door, is taken from the picture of the part alone; what that does not
show either, from the nearest surface that faces the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from articulation.typing import Array, ImageArray
from services.texture.backproject import Sight, cleaned, colored
from services.texture.bake import Texels
from services.texture.meshes import PartMesh, TexturedMesh, check, joined, picture, tensors, textured
from services.texture.projection import depth_map, facing, project
from services.texture.unwrap import UvMesh
from services.texture.view_painter import ViewPainter
from services.texture.views import Frame, Maps, draw, place
from services.texture.views import facing as facing_views

WHITE = 250 / 255
"""A pixel is the object's if one of its channels is darker than this, or the object's mesh lies there."""

FILLED = 0.9
"""Share of the reference picture's side that the object's longer side takes."""

GREY = 0.5


class MultiviewPipeline:
    """Colours parts from six pictures that a diffusion model paints of the object.

    Args:
        painter: the model.
    """

    def __init__(self, painter: ViewPainter) -> None:
        self.painter = painter

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> MultiviewPipeline:
        """Open a weights folder on a device, in float16 on a GPU and in float32 on a CPU.

        Raises:
            WeightsMissing: the folder lacks a component.
            checkpoints.errors.CheckpointError: the weights are unsafe, damaged, of another layout or too large.
        """
        device = torch.device(device)
        dtype = torch.float32 if device.type == "cpu" else torch.float16
        return cls(ViewPainter.load(folder, dtype, device))

    @torch.inference_mode()
    def __call__(
        self,
        parts: Sequence[PartMesh],
        photograph: ImageArray,
        object_image: ImageArray,
        part_images: ImageArray,
        camera: Array,
        texture_size: int,
        seed: int,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> list[TexturedMesh]:
        """Texture every part; equal arguments give equal bytes on equal devices.

        Args:
            parts: K meshes in one frame, model space.
            photograph: (P, P, 3); checked and not read: its background is not the object's.
            object_image: (S, S, 3) the closed object alone on white: the reference.
            part_images: (K, S, S, 3) each part alone on white, same camera.
            camera: (6,) as `articulation.camera.Camera.to_array`.
            texture_size: R, side of each texture, 64 to 4096.
            seed: of the noise.
            is_cancelled: asked before each step and each part.

        Raises:
            InvalidInput: naming the argument.
            Cancelled: after `is_cancelled` answered true.
        """
        check(parts, photograph, object_image, part_images, camera, texture_size)
        device = self.painter.device
        eye = torch.as_tensor(camera, dtype=torch.float32, device=device)
        whole = joined(parts)
        if len(whole.faces):
            vertices, faces = tensors(whole, device)
            frame = Frame.around(vertices[faces].flatten(0, 1))
            maps = draw(whole.vertices, whole.faces, frame, self.painter.size)
            silhouette = depth_map(vertices, faces, eye, object_image.shape[0]).isfinite()
            reference = reference_picture(picture(object_image, device), silhouette, self.painter.size)
            painted = self.painter.paint(maps.channels, reference, seed, is_cancelled)
            painted = cleaned(painted, maps.depth, frame.pixel(self.painter.size))

        def color(index: int, mesh: UvMesh, places: Texels) -> Tensor:
            points, normals = places.points.to(device), places.normals.to(device)
            shown = picture(part_images[index], device)
            depth = depth_map(*tensors(parts[index], device), eye, shown.shape[-1])
            sights = [
                sight_of_views(points, normals, painted, maps, frame),
                sight_of_camera(points, normals, shown, depth, eye),
            ]
            silhouette = depth.isfinite() if bool(depth.isfinite().any()) else torch.ones_like(depth, dtype=torch.bool)
            return colored(points, normals, sights, spare=shown[0, :, silhouette].mean(1))

        return textured(parts, part_images, texture_size, color, is_cancelled)


def sight_of_views(points: Tensor, normals: Tensor, painted: Tensor, maps: Maps, frame: Frame) -> Sight:
    """Points (N, 3) in the six painted pictures (6, 3, S, S)."""
    image, depth = place(points, frame)
    pixel = depth.new_full((1, 1), frame.pixel(maps.depth.shape[-1]))
    return Sight(painted, maps.depth, image, depth, facing_views(normals), pixel)


def sight_of_camera(points: Tensor, normals: Tensor, shown: Tensor, depth_map_: Tensor, eye: Tensor) -> Sight:
    """Points (N, 3) in a picture (1, 3, S, S) that a camera (6,) took, and the depth map (S, S) of what it shows."""
    cameras = eye[None]
    image, depth = project(points[None], cameras)
    pixel = 2 * depth * torch.tan(eye[3] / 2) / depth_map_.shape[-1]
    clean = cleaned(shown, depth_map_[None], float(pixel.max()))
    return Sight(clean, depth_map_[None], image, depth, facing(points[None], normals[None], cameras), pixel)


def reference_picture(shown: Tensor, silhouette: Tensor, size: int) -> Tensor:
    """The object cut out of white, in the middle of a grey picture.

    Args:
        shown: (1, 3, S, S) in [0, 1].
        silhouette: (S, S) where the object's mesh lies.
        size: side of the answer.

    Returns:
        (1, 3, size, size).
    """
    own = (shown[0].amin(0) < WHITE) | silhouette
    grey = shown.new_full((1, 3, size, size), GREY)
    if not own.any():
        return grey
    rows, columns = own.any(1).nonzero()[:, 0], own.any(0).nonzero()[:, 0]
    window = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    cut = torch.where(own, shown, GREY)[:, :, *window]
    scale = FILLED * size / max(cut.shape[-2:])
    height, width = (max(round(scale * side), 1) for side in cut.shape[-2:])
    top, left = (size - height) // 2, (size - width) // 2
    grey[:, :, top : top + height, left : left + width] = interpolate(
        cut, (height, width), mode="bilinear", align_corners=False, antialias=True
    )
    return grey
