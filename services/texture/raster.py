"""A triangle rasteriser in plain tensor operations: exact at pixel centres, on any device, without a graphics API.

Faces seen by a camera give depth maps; faces laid out in an atlas give the surface point of each texel.
Pixel (row i, column j) has its centre at (x, y) = (j + 0.5, i + 0.5); row 0 is on top.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

FRAGMENTS_AT_ONCE = 4_000_000
"""Bound on the pairs (face, row) and on the pairs (face, pixel) held in memory together."""


def fragments(corners: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """All pairs of a face and a pixel whose centre it covers, edges included, in order of the faces.

    Args:
        corners: (F, 3, 2) x and y of each face's corners in pixels; faces may be clipped by the border.
        size: side of the square raster.

    Yields:
        (N,) face and (N,) pixel = row * size + column, both int64.
    """
    x, y = corners.unbind(-1)
    first = (y.amin(1) - 0.5).ceil().clamp(0, size).long()
    rows = ((y.amax(1) - 0.5).floor().clamp(-1, size - 1).long() - first + 1).clamp(min=0)
    for begin, end in _groups(rows):
        face, offset = _expand(rows[begin:end])
        face = face + begin
        row = first[face] + offset
        left, right = _span(x[face], y[face], row + 0.5)
        start = (left - 0.5).ceil().clamp(0, size).long()
        columns = ((right - 0.5).floor().clamp(-1, size - 1).long() - start + 1).clamp(min=0)
        for low, high in _groups(columns):
            line, offset = _expand(columns[low:high])
            line = line + low
            yield face[line], row[line] * size + start[line] + offset


def rasterize(corners: Tensor, size: int, nearness: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The front face of every pixel.

    Args:
        corners: (F, 3, 2) pixels.
        size: side of the square raster.
        nearness: (F, 3) a quantity linear over the picture that is larger in front, such as inverse depth; without it
            the lowest face wins.

    Returns:
        face (size, size) int64, -1 where none covers the centre, and barycentric weights (size, size, 3), zero there.
    """
    front = torch.full((size * size,), -1, dtype=torch.long, device=corners.device)
    best = corners.new_full((size * size,), -torch.inf)
    for face, pixel in fragments(corners, size):
        if nearness is None:
            key = corners.new_zeros(len(face))
        else:
            key = (barycentric(corners[face], centers(pixel, size)) * nearness[face]).sum(-1)
        improved = best.scatter_reduce(0, pixel, key, "amax")
        wins = (key == improved[pixel]) & (key > best[pixel])
        winner = torch.full_like(front, len(corners)).scatter_reduce(0, pixel[wins], face[wins], "amin")
        front = torch.where(winner < len(corners), winner, front)
        best = improved
    weights = corners.new_zeros(size * size, 3)
    covered = (front >= 0).nonzero()[:, 0]
    weights[covered] = barycentric(corners[front[covered]], centers(covered, size))
    return front.view(size, size), weights.view(size, size, 3)


def centers(pixel: Tensor, size: int) -> Tensor:
    """(N, 2) x and y of pixel centres, for (N,) pixel = row * size + column."""
    return torch.stack([pixel % size, pixel // size], -1) + 0.5


def barycentric(corners: Tensor, points: Tensor) -> Tensor:
    """(N, 3) weights in [0, 1] that sum to 1, for (N, 3, 2) triangles and (N, 2) points inside them.

    A face without area, which an edge-on view makes, gives its first corner.
    """
    a, b, c = corners.unbind(1)
    ab, ac, ap = b - a, c - a, points - a
    area = _cross(ab, ac)
    flat = area.abs() < 1e-12
    area = torch.where(flat, torch.ones_like(area), area)
    v, w = _cross(ap, ac) / area, _cross(ab, ap) / area
    weights = torch.stack([1 - v - w, v, w], -1).clamp(0, 1)
    weights = torch.where(flat[:, None], weights.new_tensor([1.0, 0.0, 0.0]), weights)
    return weights / weights.sum(-1, keepdim=True)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _groups(counts: Tensor) -> Iterator[tuple[int, int]]:
    """Consecutive index ranges whose counts add up to FRAGMENTS_AT_ONCE or a little more."""
    total = counts.cumsum(0)
    begin, done = 0, 0
    while begin < len(counts) and int(total[-1]) > done:
        end = int(torch.searchsorted(total, done + FRAGMENTS_AT_ONCE)) + 1
        end = min(end, len(counts))
        yield begin, end
        begin, done = end, int(total[end - 1])


def _expand(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Repeat index i counts[i] times, and number the copies from 0."""
    index = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    begin = counts.cumsum(0) - counts
    return index, torch.arange(len(index), device=counts.device) - begin[index]


def _span(x: Tensor, y: Tensor, line: Tensor) -> tuple[Tensor, Tensor]:
    """Where the horizontal `line` (N,) enters and leaves the triangles x, y (N, 3); (inf, -inf) if it misses."""
    left, right = torch.full_like(x[:, 0], torch.inf), torch.full_like(x[:, 0], -torch.inf)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        # The same end first for both faces of an edge: rounding then leaves no gap between them.
        swap = (y[:, a] > y[:, b]) | ((y[:, a] == y[:, b]) & (x[:, a] > x[:, b]))
        xa, xb = torch.where(swap, x[:, b], x[:, a]), torch.where(swap, x[:, a], x[:, b])
        ya, yb = torch.where(swap, y[:, b], y[:, a]), torch.where(swap, y[:, a], y[:, b])
        meets = (ya <= line) & (line <= yb) & (ya < yb)
        at = xa + (line - ya) / torch.where(meets, yb - ya, torch.ones_like(ya)) * (xb - xa)
        left = torch.where(meets, torch.minimum(left, at), left)
        right = torch.where(meets, torch.maximum(right, at), right)
    return left, right
