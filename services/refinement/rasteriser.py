"""The default renderer: a z-buffer in plain torch, made differentiable by antialiased outlines.

Which face a pixel shows is found without gradients. Values inside a face follow the geometry through barycentric
coordinates, values at an outline through `services.refinement.outlines`.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from services.refinement.camera import project
from services.refinement.outlines import antialias
from services.refinement.proxies import Proxies
from services.refinement.renderer import Hits, Shader, shade

NEAR = 0.05
"""Faces with a corner nearer than this to the camera plane are not drawn [model units]."""

TINY = 1e-9

PAIRS = 1 << 20
"""Pairs of a face and a pixel that are looked at together: about 100 bytes each bound the memory."""


class TorchRenderer:
    """`services.refinement.renderer.Renderer` in plain torch, on the device of its inputs."""

    def render(self, proxies: Proxies, vertices: Tensor, cameras: Tensor, size: int, shader: Shader) -> Tensor:
        """See `Renderer.render`."""
        screen, depth = to_pixels(cameras, vertices, size)
        face, pixel_depth = visible_faces(screen.detach(), depth.detach(), proxies.faces, size)
        values = shade(_hits(proxies, screen, depth, face), face, shader)
        return antialias(values, face, pixel_depth, screen, proxies)


def to_pixels(cameras: Tensor, vertices: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """(B, V, 2) pixel coordinates (x right, y down, integers at pixel centres) and (B, V) depth."""
    image, depth = project(cameras, vertices)
    return (image + 1) * (size / 2) - 0.5, depth


@torch.no_grad()
def visible_faces(screen: Tensor, depth: Tensor, faces: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The nearest face at every pixel centre.

    Args:
        screen: (B, V, 2) pixel coordinates.
        depth: (B, V).
        faces: (F, 3).
        size: side S [px].

    Returns:
        (B, S, S) int64 face, -1 where none; (B, S, S) depth, infinite where none.
    """
    batch, count = len(screen), len(faces)
    corners = screen[:, faces].flatten(0, 1)
    inverse = 1 / depth[:, faces].flatten(0, 1).clamp(min=NEAR)
    low = corners.amin(1).ceil().clamp(min=0)
    high = corners.amax(1).floor().clamp(max=size - 1)
    extent = (high - low + 1).clamp(min=0).long()
    drawn = (depth[:, faces].flatten(0, 1) > NEAR).all(1)
    area = extent[:, 0] * extent[:, 1] * drawn

    nearest = corners.new_zeros(batch * size * size)
    shown = torch.full_like(nearest, -1, dtype=torch.int64)
    for first, last in _chunks(area, PAIRS):
        face, within = places(area[first:last])
        face = face + first
        width = extent[face, 0]
        row = torch.div(within, width, rounding_mode="floor")
        x = low[face, 0] + (within - row * width)
        y = low[face, 1] + row
        weights, _ = _barycentric(corners[face], x, y)
        inside = (weights >= 0).all(1)
        face, weights, x, y = face[inside], weights[inside], x[inside], y[inside]
        nearness = (weights * inverse[face]).sum(1)
        pixel = (torch.div(face, count, rounding_mode="floor") * size + y.long()) * size + x.long()

        before = nearest[pixel]
        nearest.scatter_reduce_(0, pixel, nearness, "amax")
        wins = nearness == nearest[pixel]
        # Faces of earlier chunks that lie farther are forgotten.
        shown[pixel[wins & (nearness > before)]] = -1
        # Of equal depths the highest face index wins: deterministic on every device.
        shown.scatter_reduce_(0, pixel[wins], face[wins] % count, "amax")
    return shown.view(batch, size, size), (1 / nearest).view(batch, size, size)


def places(area: Tensor) -> tuple[Tensor, Tensor]:
    """One row a face and place of its bounding box, so that work follows the covered area.

    Args:
        area: (F,) int64 places of each face's bounding box.

    Returns:
        (N,) face of each row, and (N,) number of the place within its box.
    """
    face = torch.repeat_interleave(area)
    return face, torch.arange(len(face), device=area.device) - (area.cumsum(0) - area)[face]


def _chunks(area: Tensor, most: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows whose areas add up to at most `most`, or that are one row."""
    total = area.cumsum(0)
    first = 0
    while first < len(area):
        done = int(total[first - 1]) if first else 0
        last = max(int(torch.searchsorted(total, done + most, right=True)), first + 1)
        yield first, last
        first = last


def _barycentric(corners: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 3, 2) corners and a pixel each -> (N, 3) affine weights that sum to 1, and (N,) twice the signed area."""
    ax, ay = corners[:, 0, 0] - x, corners[:, 0, 1] - y
    bx, by = corners[:, 1, 0] - x, corners[:, 1, 1] - y
    cx, cy = corners[:, 2, 0] - x, corners[:, 2, 1] - y
    parts = torch.stack([bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx], -1)
    area = parts.sum(-1)
    safe = torch.where(area.abs() < TINY, torch.full_like(area, TINY), area)
    return parts / safe[:, None], area


def _hits(proxies: Proxies, screen: Tensor, depth: Tensor, face: Tensor) -> Hits:
    """Visible points, carried back to the closed state by perspective-correct barycentric weights."""
    batch, row, column = (face >= 0).nonzero(as_tuple=True)
    corners = proxies.faces[face[batch, row, column]]
    affine, _ = _barycentric(screen[batch[:, None], corners], column, row)
    weights = affine / depth[batch[:, None], corners]
    return Hits.of(proxies, face, weights / weights.sum(-1, keepdim=True))
