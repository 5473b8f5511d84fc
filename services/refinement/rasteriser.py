"""The default renderer: a z-buffer in plain torch, made differentiable by analytic antialiasing of outlines.

Which face a pixel shows is found without gradients. Values inside a face follow the geometry through barycentric
coordinates. At an outline, the two pixels on both sides of the edge are blended by where the edge crosses the segment
between their centres, so the picture moves continuously with the edge, also where one part passes in front of another
(the antialiasing of Laine et al. 2020, "Modular primitives for high-performance differentiable rendering").
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from services.refinement.camera import project
from services.refinement.proxies import Proxies
from services.refinement.renderer import Hits, Shader

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
        hits = _hits(proxies, screen, depth, face)
        values = shader(hits)
        image = values.new_zeros(face.numel(), values.shape[-1]).index_copy(0, hits.pixel, values)
        return _antialias(image, face, pixel_depth, screen, proxies)


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
    shown = face[batch, row, column]
    corners = proxies.faces[shown]
    affine, _ = _barycentric(screen[batch[:, None], corners], column, row)
    weights = affine / depth[batch[:, None], corners]
    weights = weights / weights.sum(-1, keepdim=True)
    point = (weights[..., None] * proxies.vertices[corners]).sum(1)
    size = face.shape[-1]
    return Hits(batch, shown, point, (batch * size + row) * size + column)


def _antialias(image: Tensor, face: Tensor, depth: Tensor, screen: Tensor, proxies: Proxies) -> Tensor:
    """Blend the pixels on both sides of every outline; image is (B * S * S, C), the result (B, S, S, C)."""
    outline = outline_edges(screen.detach(), proxies)
    size = face.shape[-1]
    blended = image
    for stride, along in ((1, 0), (size, 1)):
        pixel, other, share = _crossings(face, depth, screen, outline, proxies, along, stride)
        blended = blended.index_add(0, pixel, share[:, None] * (image[other] - image[pixel]))
    return blended.view(*face.shape, -1)


@torch.no_grad()
def outline_edges(screen: Tensor, proxies: Proxies) -> Tensor:
    """(B, F, 3) whether the edge from corner i to i + 1 ends the surface or turns away from the camera."""
    first, second, third = screen[:, proxies.faces].unbind(2)
    turn = second - first, third - first
    facing = turn[0][..., 0] * turn[1][..., 1] > turn[0][..., 1] * turn[1][..., 0]
    across = facing[:, proxies.neighbours.clamp(min=0)]
    return (proxies.neighbours < 0) | (across != facing[..., None])


def _crossings(
    face: Tensor, depth: Tensor, screen: Tensor, outline: Tensor, proxies: Proxies, along: int, stride: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Outlines that cross the segment between neighbouring pixel centres.

    Args:
        face: (B, S, S) visible face. depth: (B, S, S). screen: (B, V, 2). outline: (B, F, 3).
        along: 0 for pixels beside each other, 1 for pixels above each other.
        stride: distance of the two pixels in the flat picture.

    Returns:
        (N,) pixel that the edge cuts, (N,) its neighbour beyond the edge, (N,) share of the neighbour in [0, 1/2].
    """
    size = face.shape[-1]
    limit = size - 1
    one, two = (face[:, :, :limit], face[:, :, 1:]) if along == 0 else (face[:, :limit], face[:, 1:])
    batch, row, column = (one != two).nonzero(as_tuple=True)
    start = (batch * size + row) * size + column
    flat_face, flat_depth = face.flatten(), depth.flatten()
    nearer_pixel = torch.where(flat_depth[start] < flat_depth[start + stride], start, start + stride)
    nearer = flat_face[nearer_pixel]

    # The edge may belong to a face beside the visible one, on the same sheet, of which no pixel centre shows anything.
    beside = torch.where(outline[batch, nearer], nearer[:, None], proxies.neighbours[nearer])
    sheet = torch.cat([nearer[:, None], beside], 1)
    corner = screen[batch[:, None, None], proxies.faces[sheet]]
    begin, end = corner.flatten(1, 2), corner.roll(-1, 2).flatten(1, 2)
    across = 1 - along
    here, fixed = (column, row) if along == 0 else (row, column)
    rise, run = end[..., across] - begin[..., across], end[..., along] - begin[..., along]
    steep = rise.abs() >= run.abs()
    fraction = (fixed[:, None] - begin[..., across]) / torch.where(rise.abs() < TINY, torch.full_like(rise, TINY), rise)
    distance = begin[..., along] + fraction * run - here[:, None]
    met = steep & (fraction >= 0) & (fraction <= 1) & (distance >= 0) & (distance <= 1)
    crosses = met & outline[batch[:, None], sheet].flatten(1)

    found = crosses.any(1)
    edge = crosses.to(torch.uint8).argmax(1)
    start = start[found]
    distance = distance[found].gather(1, edge[found, None])[:, 0]
    # A pixel reaches 1/2 to both sides of its centre: the edge cuts the second pixel beyond 1/2, else the first.
    cuts_second = distance.detach() > 0.5
    pixel = torch.where(cuts_second, start + stride, start)
    other = torch.where(cuts_second, start, start + stride)
    return pixel, other, (distance - 0.5).abs()
