"""Six orthographic pictures of an object, one along each axis: what the multi-view model paints and what it is shown.

The views, their frame and the maps' colours are MV-Adapter's, whose z points up and whose front looks along -y: its
(x, y, z) are (x, -z, y) of model space. Depth is along the view direction, in model units, 0 at the object's middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from articulation.typing import Array, IntArray
from services.texture.bake import corner_normals
from services.texture.raster import rasterize

AXES = torch.tensor(
    [
        [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0, 0, -1], [0, 1, 0], [1, 0, 0]],
        [[-1, 0, 0], [0, 1, 0], [0, 0, -1]],
        [[0, 0, 1], [0, 1, 0], [-1, 0, 0]],
        [[-1, 0, 0], [0, 0, 1], [0, 1, 0]],
        [[-1, 0, 0], [0, 0, -1], [0, -1, 0]],
    ]
)
"""(6, 3, 3) right, up and towards the viewer of each view: front, right, back, left, top, bottom."""

MARGIN = 1.1
"""A picture is so many times wider than the object's longest side."""

TO_MODEL_INPUT = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Rows: x, y and z of the multi-view model in model space."""


@dataclass(frozen=True)
class Frame:
    """The cube that the six pictures show.

    Attributes:
        center: (3,).
        half: half of the object's longest side, in model units.
    """

    center: Tensor
    half: float

    @classmethod
    def around(cls, vertices: Tensor) -> Frame:
        """Of an object with vertices (V, 3)."""
        low, high = vertices.amin(0), vertices.amax(0)
        return cls((low + high) / 2, max(float((high - low).max()) / 2, 1e-6))

    def pixel(self, size: int) -> float:
        """Side of a pixel in model units."""
        return 2 * MARGIN * self.half / size


@dataclass(frozen=True)
class Maps:
    """What the six pictures show of the geometry.

    Attributes:
        channels: (6, 6, S, S) position and normal as the multi-view model reads them, in [0, 1], 0.5 where empty.
        depth: (6, S, S), infinite where empty.
    """

    channels: Tensor
    depth: Tensor


def place(points: Tensor, frame: Frame) -> tuple[Tensor, Tensor]:
    """Where the six views see points (N, 3): (6, N, 2) picture coordinates as a camera's, and (6, N) depth."""
    local = (points - frame.center) @ AXES.to(points).transpose(1, 2)
    image = local[..., :2] * local.new_tensor([1.0, -1.0]) / (MARGIN * frame.half)
    return image, -local[..., 2]


def facing(normals: Tensor) -> Tensor:
    """(6, N) cosine between outward normals (N, 3) and the directions to the viewers."""
    return (normals @ AXES.to(normals)[:, 2].T).T


def draw(vertices: Array, faces: IntArray, frame: Frame, size: int) -> Maps:
    """Draw an object six times, on the frame's device.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        size: side of a picture in pixels.
    """
    device = frame.center.device
    corners = torch.as_tensor(vertices, dtype=torch.float32, device=device)[torch.as_tensor(faces, device=device)]
    normals = torch.as_tensor(corner_normals(vertices, faces), dtype=torch.float32, device=device)
    inputs = torch.cat([(corners - frame.center) / frame.half / 2, normals / 2], -1)
    inputs = (inputs.unflatten(-1, (2, 3)) @ TO_MODEL_INPUT.to(inputs).T).flatten(-2) + 0.5
    image, depth = place(corners.flatten(0, 1), frame)
    pixels, depth = ((image + 1) * size / 2).unflatten(1, (-1, 3)), depth.unflatten(1, (-1, 3))
    channels, depths = [], []
    for own, behind in zip(pixels, depth, strict=True):
        face, weights = rasterize(own, size, -behind)
        seen = face >= 0
        shown = inputs.new_full((size, size, 6), 0.5)
        shown[seen] = (inputs[face[seen]] * weights[seen][..., None]).sum(-2).clamp(0, 1)
        near = inputs.new_full((size, size), torch.inf)
        near[seen] = (behind[face[seen]] * weights[seen]).sum(-1)
        channels.append(shown.permute(2, 0, 1))
        depths.append(near)
    return Maps(torch.stack(channels), torch.stack(depths))
