"""From an implicit field to a clean triangle mesh, coarse to fine.

A dense coarse grid finds where the surface may be; each finer grid is evaluated only there and interpolated elsewhere.
The field is positive inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from services.part_dit.marching_cubes import marching_cubes

Field = Callable[[Tensor], Tensor]
"""(Q, 3) points in model space -> (Q,) values, positive inside."""

MIN_COARSE_CELLS = 24
"""Coarse cells along an edge of [-1, 1]; a truncated distance of 0.1 still reaches across such a cell."""

MIN_BLIND_CELLS = 128
"""The same for a field of unknown scale, whose signs alone must show a wall: it is found from 1/64 of thickness on."""

BOX_MARGIN = 0.12
"""How far outside its planned box a part is looked for, in model units."""

FRAME_MARGIN = 1
"""Coarse cells around a box whose part was generated in the box's own frame."""

MIN_FINE_SHARE = 4
"""A side of a box frame has at least a quarter of the cells of [-1, 1], however thin the part is."""

HALF_DIAGONAL = 0.502
"""No surface is farther from the nearest corner of its cell than half of the cell's diagonal; rounded up."""

DEBRIS_AREA = 0.01
"""Pieces with less than this share of the largest piece's area are dropped."""


@dataclass(frozen=True)
class PartMesh:
    """A part's surface: `vertices` (V, 3) float32 in model space, `faces` (F, 3) int32, wound outwards."""

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]


@dataclass(frozen=True)
class Grid:
    """Where to look for a surface.

    Attributes:
        lower: (3,) corner of the coarse grid, model units.
        cell: (3,) sides of a coarse cell, model units.
        counts: (3,) coarse cells along each axis.
        halvings: (3,) how often cells are halved along each axis.
        unit: (3,) what the field's distances are measured in along each axis, model units.
    """

    lower: NDArray[np.float64]
    cell: NDArray[np.float64]
    counts: NDArray[np.int64]
    halvings: NDArray[np.int64]
    unit: NDArray[np.float64]


def space_grid(resolution: int, box: Tensor | None = None, coarsest: int = MIN_COARSE_CELLS) -> Grid:
    """Cubic cells over [-1, 1]^3, for a field in model space.

    Args:
        resolution: cells along an edge; rounded up to a power of two times the coarse grid.
        box: (6,) centre and half extent to look in, plus a margin; None looks everywhere.
        coarsest: the fewest coarse cells along an edge, where the resolution has as many.
    """
    levels = max(0, int(np.log2(resolution / coarsest)))
    coarse = -(-resolution // 2**levels)
    cell = 2.0 / coarse
    low, high = np.full(3, -1), np.full(3, coarse + 1)
    if box is not None:
        center, half = _sides(box)
        low = np.clip(np.floor((center - half - BOX_MARGIN + 1) / cell), low, high - 1).astype(int)
        high = np.clip(np.ceil((center + half + BOX_MARGIN + 1) / cell), low + 1, high).astype(int)
    return Grid(low * cell - 1.0, np.full(3, cell), high - low, np.full(3, levels), np.ones(3))


def frame_grid(resolution: int, box: Tensor) -> Grid:
    """Cells over a part's own box, for a field in its box frame.

    Args:
        resolution: cells along an edge of [-1, 1]; a thin side gets more than its share.
        box: (6,) centre and half extent.
    """
    center, half = _sides(box)
    cell = 2 * half / MIN_COARSE_CELLS
    fine = np.maximum(half, 1 / MIN_FINE_SHARE) * resolution
    halvings = np.maximum(np.round(np.log2(fine / MIN_COARSE_CELLS)), 0).astype(int)
    counts = np.full(3, MIN_COARSE_CELLS + 2 * FRAME_MARGIN)
    return Grid(center - half - FRAME_MARGIN * cell, cell, counts, halvings, half)


def _sides(box: Tensor) -> NDArray[np.float64]:
    """(6,) box -> (2, 3) centre and half extent."""
    sides: NDArray[np.float64] = box.double().cpu().numpy().reshape(2, 3)
    return sides


def extract(field: Field, grid: Grid, device: torch.device | str = "cpu", truncation: float | None = None) -> PartMesh:
    """Extract the zero level set of a field.

    Args:
        field: evaluated in a few large calls.
        grid: where to look, and how finely.
        device: where the field is evaluated.
        truncation: the field is a signed distance over this [the grid's units], clamped; None looks at signs only.

    Returns:
        The mesh; empty when the field has no inside.
    """
    corner = torch.tensor(grid.lower, device=device, dtype=torch.float32)
    size = torch.tensor(grid.cell, device=device, dtype=torch.float32)
    ticks = (torch.arange(count + 1, device=device) for count in grid.counts.tolist())
    values = _evaluate(field, torch.stack(torch.meshgrid(*ticks, indexing="ij"), dim=-1), corner, size)
    cell, left = grid.cell, grid.halvings
    while left.any():
        factor = np.where(left > 0, 2, 1)
        reach = None if truncation is None else HALF_DIAGONAL * float(np.linalg.norm(cell / grid.unit)) / truncation
        active = _active_cells(values, 0.0 if reach is None else min(reach, 1.0))
        cell, left = cell / factor, np.maximum(left - 1, 0)
        size = torch.tensor(cell, device=device, dtype=torch.float32)
        values = _refine(field, values, active, factor.tolist(), corner, size)
    return _polygonise(values, grid.lower, cell)


def _evaluate(field: Field, indices: Tensor, corner: Tensor, cell: Tensor) -> Tensor:
    """(..., 3) grid indices -> (...) values."""
    return field((corner + indices * cell).view(-1, 3)).view(indices.shape[:-1])


def _active_cells(values: Tensor, band: float) -> Tensor:
    """(X, Y, Z) corner values -> (X-1, Y-1, Z-1) bool, True where the surface may cross the cell."""
    stack = values[None, None]
    highest = functional.max_pool3d(stack, 2, stride=1)[0, 0]
    lowest = -functional.max_pool3d(-stack, 2, stride=1)[0, 0]
    return (highest >= -band) & (lowest <= band)


def _refine(field: Field, values: Tensor, active: Tensor, factor: list[int], corner: Tensor, cell: Tensor) -> Tensor:
    """Cut the cells by `factor` along each axis: evaluate corners of active cells' children, interpolate all others."""
    shape = [f * n + 1 for f, n in zip(factor, active.shape, strict=True)]
    fine = functional.interpolate(values[None, None], size=shape, mode="trilinear", align_corners=True)[0, 0]
    # A corner of the fine grid touches an active cell when any of the (up to eight) cells around it is active.
    touched = active
    for axis, pieces in enumerate(factor):
        touched = touched.repeat_interleave(pieces, axis)
        nothing = torch.zeros_like(touched.narrow(axis, 0, 1))
        touched = torch.cat([touched, nothing], axis) | torch.cat([nothing, touched], axis)
    indices = touched.nonzero()
    if len(indices):
        fine[indices.unbind(-1)] = _evaluate(field, indices, corner, cell)
    return fine


def _polygonise(values: Tensor, lower: NDArray[np.float64], cell: NDArray[np.float64]) -> PartMesh:
    vertices, faces = marching_cubes(functional.pad(values.float(), (1,) * 6, value=-1.0))
    if not len(faces):
        return PartMesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    cell_size, corner = (torch.tensor(numbers, device=values.device) for numbers in (cell, lower))
    vertices, faces = _without_debris((vertices - 1) * cell_size + corner, faces)
    return PartMesh(vertices.float().cpu().numpy(), faces.int().cpu().numpy())


def _without_debris(vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Keep the connected pieces of a noticeable area."""
    piece = connected_pieces(faces, len(vertices))[faces[:, 0]]
    first, second, third = vertices[faces].unbind(1)
    area = torch.linalg.cross(second - first, third - first).norm(dim=-1)
    total = area.new_zeros(len(vertices)).index_add_(0, piece, area)
    faces = faces[total[piece] >= DEBRIS_AREA * total.max()]
    used = torch.zeros(len(vertices), dtype=torch.bool, device=vertices.device)
    used[faces] = True
    return vertices[used], (used.cumsum(0) - 1)[faces]


def connected_pieces(faces: Tensor, count: int) -> Tensor:
    """(F, 3) faces over `count` vertices -> (count,) the lowest vertex of each one's connected piece."""
    root = torch.arange(count, device=faces.device)
    while True:
        roots = root[faces]
        lowest = roots.amin(1, keepdim=True)
        if bool((roots == lowest).all()):
            return root
        root.scatter_reduce_(0, roots.flatten(), lowest.expand(-1, 3).flatten(), "amin")
        while not torch.equal(root[root], root):
            root = root[root]
