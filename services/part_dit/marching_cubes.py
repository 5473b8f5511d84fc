"""Marching cubes in tensor operations, on whatever device the grid is: a grid of values to a closed triangle mesh.

The table of triangles is derived, not copied. On each face of a cell the corners inside are cut off run by run; the cut
depends on that face's corners alone, so two cells agree on the face between them and the mesh is closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from functools import cache
from itertools import permutations, product
from typing import NamedTuple

import torch
from torch import Tensor

Corner = tuple[int, int, int]
Edge = tuple[int, Corner]
"""An axis, and the corner at which an edge along it starts."""

CORNERS: tuple[Corner, ...] = tuple((x, y, z) for z, y, x in product((0, 1), repeat=3))
"""Corner i of a cell is inside when bit i of the cell's case is set."""

EDGES: tuple[Edge, ...] = tuple((axis, corner) for axis in range(3) for corner in CORNERS if corner[axis] == 0)


def marching_cubes(values: Tensor) -> tuple[Tensor, Tensor]:
    """Triangulate the zero level of values that are positive inside.

    Args:
        values: (X, Y, Z) float; nothing may be inside at the border, or the mesh is open there.

    Returns:
        (V, 3) float64 vertices in grid indices, each on an edge of the grid, and (F, 3) int64 faces, wound outwards.
    """
    inside = values > 0
    ends = [slice(None, -1), slice(1, None)]
    case = torch.zeros([size - 1 for size in values.shape], dtype=torch.uint8, device=values.device)
    for bit, (x, y, z) in enumerate(CORNERS):
        case |= inside[ends[x], ends[y], ends[z]].to(torch.uint8) << bit
    cells = ((case > 0) & (case < 255)).nonzero()
    edges = torch.tensor(table(), device=values.device)[case[tuple(cells.T)].long()]
    cell, corner = (edges >= 0).nonzero().T
    axes, starts = (torch.tensor(part, device=values.device) for part in zip(*EDGES, strict=True))
    edge = edges[cell, corner]
    strides = torch.tensor([values.shape[1] * values.shape[2], values.shape[2], 1], device=values.device)
    key = ((cells[cell] + starts[edge]) * strides).sum(-1) * 3 + axes[edge]
    keys, faces = key.unique(return_inverse=True)
    place, axis = keys // 3, keys % 3
    first, second = values.flatten()[place].double(), values.flatten()[place + strides[axis]].double()
    vertices = torch.stack(torch.unravel_index(place, values.shape), dim=-1).double()
    vertices.scatter_add_(1, axis[:, None], (first / (first - second))[:, None])
    return vertices, faces.view(-1, 3)


@cache
def table() -> list[list[int]]:
    """256 rows, one a case: three indices into `EDGES` a triangle, filled up with -1."""
    faces = list(_faces())
    coplanar = {pair for face in faces for pair in permutations(face.edges, 2)}
    rows = [[edge for loop in _loops(case, faces) for edge in _fan(loop, coplanar)] for case in range(256)]
    longest = max(map(len, rows))
    return [row + [-1] * (longest - len(row)) for row in rows]


class Face(NamedTuple):
    """Four corners, counter-clockwise as seen from outside the cell, and the edges that follow each."""

    corners: tuple[int, ...]
    edges: tuple[int, ...]


def _faces() -> Iterator[Face]:
    for axis, side in product(range(3), (0, 1)):
        ring = [(0, 0), (1, 0), (1, 1), (0, 1)]
        corners = []
        for along, across in ring if side else reversed(ring):
            corner = {axis: side, (axis + 1) % 3: along, (axis + 2) % 3: across}
            corners.append((corner[0], corner[1], corner[2]))
        edges = (_edge(one, other) for one, other in zip(corners, corners[1:] + corners[:1], strict=True))
        yield Face(tuple(map(CORNERS.index, corners)), tuple(edges))


def _edge(one: Corner, other: Corner) -> int:
    axis = next(axis for axis in range(3) if one[axis] != other[axis])
    return EDGES.index((axis, min(one, other)))


def _loops(case: int, faces: Sequence[Face]) -> Iterator[list[int]]:
    """The closed lines in which the surface meets the faces of a cell, as edges in order."""
    after: dict[int, int] = {}
    for face in faces:
        inside = [bool(case >> corner & 1) for corner in face.corners]
        for i in range(4):
            if not inside[i] and inside[(i + 1) % 4]:
                leave = next(j % 4 for j in range(i + 1, i + 4) if not inside[(j + 1) % 4])
                after[face.edges[i]] = face.edges[leave]
    while after:
        loop = [next(iter(after))]
        while (following := after.pop(loop[-1])) != loop[0]:
            loop.append(following)
        yield loop


def _fan(loop: list[int], coplanar: Set[tuple[int, int]]) -> list[int]:
    """Cut a loop into triangles, no diagonal of which lies in a face, where the next cell could have it too."""
    turns = (loop[start:] + loop[:start] for start in range(len(loop)))
    best = next(turn for turn in turns if not any((turn[0], other) in coplanar for other in turn[2:-1]))
    return [edge for i in range(1, len(best) - 1) for edge in (best[0], best[i], best[i + 1])]
