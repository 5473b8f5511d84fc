"""From an implicit field to a clean triangle mesh, coarse to fine.

A dense coarse grid finds where the surface may be; each finer grid is evaluated only there and interpolated elsewhere.
The field is positive inside. A planned box, when given, limits where the coarse grid looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes
from torch import Tensor
from torch.nn import functional

Field = Callable[[Tensor], Tensor]
"""(Q, 3) points in model space -> (Q,) values, positive inside."""

MIN_COARSE_CELLS = 24
"""Coarse cells along an edge of [-1, 1]; a truncated distance of 0.1 still reaches across such a cell."""

BOX_MARGIN = 0.12
"""How far outside its planned box a part is looked for, in model units."""

HALF_DIAGONAL = 0.87
"""Half of a cell's diagonal over its edge, rounded up: no surface is farther from the nearest corner of its cell."""

DEBRIS_AREA = 0.01
"""Pieces with less than this share of the largest piece's area are dropped."""


@dataclass(frozen=True)
class PartMesh:
    """A part's surface: `vertices` (V, 3) float32 in model space, `faces` (F, 3) int32, wound outwards."""

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]


def extract(
    field: Field,
    resolution: int,
    device: torch.device | str = "cpu",
    box: Tensor | None = None,
    truncation: float | None = None,
) -> PartMesh:
    """Extract the zero level set of a field.

    Args:
        field: evaluated in a few large calls.
        resolution: cells along an edge of [-1, 1]; rounded up to a power of two times the coarse grid.
        device: where the field is evaluated.
        box: (6,) centre and half extent to look in, plus a margin; None looks everywhere.
        truncation: the field is a signed distance over this [model units], clamped; None looks at signs only.

    Returns:
        The mesh; empty when the field has no inside.
    """
    levels = max(0, int(np.log2(resolution / MIN_COARSE_CELLS)))
    coarse = -(-resolution // 2**levels)
    cell = 2.0 / coarse
    lower, counts = _window(coarse, box)
    axes = [low + cell * torch.arange(count + 1, device=device) for low, count in zip(lower, counts, strict=True)]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    values = field(points.view(-1, 3)).view(points.shape[:3])
    for _ in range(levels):
        active = _active_cells(values, cell, truncation)
        values = _refine(field, values, active, lower, cell)
        cell /= 2
    return _polygonise(values, lower, cell)


def _window(coarse: int, box: Tensor | None) -> tuple[list[float], list[int]]:
    """Lower corner and cells along each axis of the coarse grid: one cell beyond [-1, 1], cut to the box."""
    cell = 2.0 / coarse
    low, high = np.full(3, -1), np.full(3, coarse + 1)
    if box is not None:
        center, half = box.double().cpu().numpy().reshape(2, 3)
        low = np.clip(np.floor((center - half - BOX_MARGIN + 1) / cell), low, high - 1).astype(int)
        high = np.clip(np.ceil((center + half + BOX_MARGIN + 1) / cell), low + 1, high).astype(int)
    return list(low * cell - 1.0), list(high - low)


def _active_cells(values: Tensor, cell: float, truncation: float | None) -> Tensor:
    """(X, Y, Z) corner values -> (X-1, Y-1, Z-1) bool, True where the surface may cross the cell."""
    stack = values[None, None]
    highest = functional.max_pool3d(stack, 2, stride=1)[0, 0]
    lowest = -functional.max_pool3d(-stack, 2, stride=1)[0, 0]
    band = 0.0 if truncation is None else min(HALF_DIAGONAL * cell / truncation, 1.0)
    return (highest >= -band) & (lowest <= band)


def _refine(field: Field, values: Tensor, active: Tensor, lower: list[float], cell: float) -> Tensor:
    """Halve the cells: evaluate the corners of active cells' children, interpolate all others."""
    shape = [2 * n + 1 for n in active.shape]
    fine = functional.interpolate(values[None, None], size=shape, mode="trilinear", align_corners=True)[0, 0]
    # A corner of the fine grid touches an active cell when any of the (up to eight) coarse cells around it is active.
    spread = functional.interpolate(active[None, None].float(), scale_factor=2, mode="nearest")
    touched = functional.max_pool3d(functional.pad(spread, (1,) * 6), 2, stride=1)[0, 0] > 0
    indices = touched.nonzero()
    if len(indices):
        corner = torch.tensor(lower, device=values.device, dtype=torch.float32)
        fine[touched] = field(corner + indices * (cell / 2))
    return fine


def _polygonise(values: Tensor, lower: list[float], cell: float) -> PartMesh:
    grid = functional.pad(values.float(), (1,) * 6, value=-1.0).cpu().numpy()
    if grid.max() <= 0:
        return PartMesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    vertices, faces, _, _ = marching_cubes(grid, level=0.0, gradient_direction="descent")  # type: ignore[no-untyped-call]
    vertices = (vertices - 1) * cell + np.asarray(lower)
    return _without_debris(vertices.astype(np.float32), faces.astype(np.int32))


def _without_debris(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> PartMesh:
    """Keep the connected pieces of a noticeable area, and turn the winding outwards."""
    edges = coo_matrix(
        (np.ones(2 * len(faces)), (faces[:, :2].ravel(order="F"), faces[:, 1:].ravel(order="F"))),
        shape=(len(vertices), len(vertices)),
    )
    _, label = connected_components(edges, directed=False)
    corners = vertices[faces].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.bincount(label[faces[:, 0]], np.linalg.norm(normal, axis=1), minlength=label.max() + 1)
    keep = (area >= DEBRIS_AREA * area.max())[label[faces[:, 0]]]
    if (corners[keep, 0] * normal[keep]).sum() < 0:
        faces = faces[:, ::-1]
    used, compact = np.unique(faces[keep], return_inverse=True)
    return PartMesh(vertices[used], compact.reshape(-1, 3).astype(np.int32))
