"""Triangles of a grid of values, against skimage's and against what a closed surface must be."""

import numpy as np
import pytest
import torch
import trimesh
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes as reference
from torch import Tensor
from torch.nn import functional

from services.part_dit.extraction import connected_pieces
from services.part_dit.marching_cubes import marching_cubes


def ball(side: int) -> Tensor:
    ticks = torch.linspace(-1, 1, side)
    return 0.62 - torch.stack(torch.meshgrid(ticks, ticks, 1.3 * ticks, indexing="ij"), -1).norm(dim=-1)


def noise() -> Tensor:
    """Every case of a cell, ambiguous ones too."""
    values = torch.randn(20, 21, 22, generator=torch.Generator().manual_seed(0))
    return functional.pad(values, (1,) * 6, value=-1.0)


@pytest.mark.parametrize("values", [ball(24), noise()])
def test_every_edge_joins_two_faces_in_opposite_directions(values: Tensor) -> None:
    vertices, faces = marching_cubes(values)
    mesh = trimesh.Trimesh(vertices.numpy(), faces.numpy(), process=False)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0


def test_a_smooth_surface_has_skimage_s_vertices_and_as_many_faces() -> None:
    vertices, faces = marching_cubes(ball(24))
    expected, triangles, _, _ = reference(ball(24).numpy(), 0.0, gradient_direction="descent")
    for found in (vertices.numpy(), expected):
        found[:] = found.round(4)
    assert len(faces) == len(triangles)
    np.testing.assert_allclose(np.unique(vertices, axis=0), np.unique(expected, axis=0), atol=2e-4)


def test_vertices_lie_where_the_values_cross_zero() -> None:
    """Of a linear field, interpolation is exact."""
    grid = torch.stack(torch.meshgrid(*[torch.arange(8.0)] * 3, indexing="ij"), -1)
    normal = torch.tensor([0.3, -0.5, 0.8])
    vertices, _ = marching_cubes(grid @ normal - 1.7)
    torch.testing.assert_close(vertices @ normal.double(), torch.full((len(vertices),), 1.7, dtype=torch.float64))


def test_nothing_inside_gives_no_triangles() -> None:
    vertices, faces = marching_cubes(torch.full((5, 5, 5), -1.0))
    assert vertices.shape == faces.shape == (0, 3)


def test_pieces_are_those_of_a_graph_search() -> None:
    vertices, faces = marching_cubes(noise())
    ends = faces.numpy()
    edges = coo_matrix(
        (np.ones(2 * len(ends)), (ends[:, :2].ravel(order="F"), ends[:, 1:].ravel(order="F"))), (len(vertices),) * 2
    )
    _, expected = connected_components(edges, directed=False)
    found = connected_pieces(faces, len(vertices)).numpy()
    assert len({*zip(found, expected, strict=True)}) == len({*found}) == len({*expected}) > 1
