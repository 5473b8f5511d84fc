"""Meshes of fields whose surfaces are known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import trimesh

from services.part_dit import box_frame
from services.part_dit.extraction import MIN_BLIND_CELLS, PartMesh, extract, frame_grid, space_grid

TRUNCATION = 0.1


def truncated(distance: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """A distance, negative inside, as a VAE would give it: positive inside, over the truncation, clamped."""
    return lambda points: (-distance(points) / TRUNCATION).clamp(-1, 1)


def sphere(points: torch.Tensor) -> torch.Tensor:
    return points.norm(dim=-1) - 0.6


def box(half: tuple[float, float, float]) -> Callable[[torch.Tensor], torch.Tensor]:
    def distance(points: torch.Tensor) -> torch.Tensor:
        outside = points.abs() - torch.tensor(half)
        return outside.clamp(min=0).norm(dim=-1) + outside.amax(-1).clamp(max=0)

    return distance


def solid(mesh: PartMesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


@pytest.mark.parametrize("resolution", [32, 64, 96])
def test_a_sphere_is_closed_round_and_wound_outwards(resolution: int) -> None:
    mesh = solid(extract(truncated(sphere), space_grid(resolution), truncation=TRUNCATION))
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=0.01)
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - 0.6).max() < 0.01


def test_coarse_to_fine_equals_the_dense_grid() -> None:
    calls = []

    def counted(points: torch.Tensor) -> torch.Tensor:
        calls.append(len(points))
        return truncated(sphere)(points)

    sparse = solid(extract(counted, space_grid(96), truncation=TRUNCATION))
    ticks = torch.linspace(-1 - 2 / 96, 1 + 2 / 96, 99)
    dense = truncated(sphere)(torch.stack(torch.meshgrid(ticks, ticks, ticks, indexing="ij"), -1))
    assert sparse.volume == pytest.approx(float((dense > 0).sum() * (2 / 96) ** 3), rel=0.01)
    assert sum(calls) < 0.4 * 99**3


def test_a_plate_thinner_than_a_coarse_cell_is_found() -> None:
    half = (0.9, 0.7, 0.012)
    mesh = solid(extract(truncated(box(half)), space_grid(128), truncation=TRUNCATION))
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.extents / 2, half, atol=0.01)


def test_a_surface_at_the_edge_of_space_is_closed() -> None:
    mesh = solid(extract(truncated(box((1.0, 0.5, 0.5))), space_grid(64), truncation=TRUNCATION))
    assert mesh.is_watertight
    assert mesh.extents[0] == pytest.approx(2, abs=0.02)


def test_a_planned_box_changes_nothing_but_the_cost() -> None:
    calls = []

    def counted(points: torch.Tensor) -> torch.Tensor:
        calls.append(len(points))
        return truncated(box((0.2, 0.3, 0.1)))(points)

    free = extract(counted, space_grid(96), truncation=TRUNCATION)
    everywhere = sum(calls)
    calls.clear()
    planned = torch.tensor([0.02, 0.0, 0.0, 0.2, 0.3, 0.1])
    boxed = extract(counted, space_grid(96, planned), truncation=TRUNCATION)
    np.testing.assert_allclose(np.sort(boxed.vertices, 0), np.sort(free.vertices, 0), atol=1e-5)
    assert sum(calls) < everywhere


def test_debris_is_dropped_and_legs_are_kept() -> None:
    def pieces(points: torch.Tensor) -> torch.Tensor:
        centers = [(-0.6, 0, 0, 0.3), (0.6, 0, 0, 0.2), (0, 0.8, 0, 0.025)]
        return torch.stack([(points - torch.tensor(c[:3])).norm(dim=-1) - c[3] for c in centers]).amin(0)

    mesh = solid(extract(truncated(pieces), space_grid(96), truncation=TRUNCATION))
    assert mesh.body_count == 2


def test_a_field_without_an_inside_gives_an_empty_mesh() -> None:
    mesh = extract(lambda points: torch.full((len(points),), -1.0), space_grid(64))
    assert mesh.vertices.shape == mesh.faces.shape == (0, 3)


def test_a_field_of_unknown_scale_is_refined_by_sign() -> None:
    mesh = solid(extract(lambda points: -50 * sphere(points), space_grid(96)))
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=0.01)


def in_frame(
    distance: Callable[[torch.Tensor], torch.Tensor], frame: torch.Tensor
) -> Callable[[torch.Tensor], torch.Tensor]:
    """A part as a model in box frames gives it: `distance` is measured in the frame."""
    return lambda points: truncated(distance)(box_frame.to_frame(points, frame))


@pytest.mark.parametrize("half", [(0.9, 0.7, 0.004), (0.02, 0.02, 0.02), (0.3, 1.0, 0.5)])
def test_a_part_fills_its_box_frame_however_thin(half: tuple[float, float, float]) -> None:
    frame = torch.tensor([0.1, -0.2, 0.3, *half])
    mesh = solid(extract(in_frame(box((1.0, 1.0, 1.0)), frame), frame_grid(96, frame), truncation=TRUNCATION))
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.bounds.mean(0), frame[:3], atol=1e-4)
    np.testing.assert_allclose(mesh.extents / 2, half, rtol=0.01)


def test_cells_of_a_box_frame_are_halved_along_long_sides_only() -> None:
    frame = torch.tensor([0, 0, 0, 1.0, 0.5, 0.01])
    assert frame_grid(96, frame).halvings.tolist() == [2, 1, 0]


def test_refining_along_one_axis_equals_refining_everywhere() -> None:
    """A thin wall inside a long box: found although the coarse cells are longer than it is thick."""
    frame = torch.tensor([0, 0, 0, 1.0, 0.1, 0.1])
    wall = torch.tensor((0.03, 0.9, 0.9))

    def distance(points: torch.Tensor) -> torch.Tensor:
        outside = points.abs() - wall
        return outside.clamp(min=0).norm(dim=-1) + outside.amax(-1).clamp(max=0)

    mesh = solid(extract(in_frame(distance, frame), frame_grid(96, frame), truncation=TRUNCATION))
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.extents / 2, (0.03, 0.09, 0.09), atol=0.003)


def test_a_wall_is_found_by_signs_alone() -> None:
    half = (0.008, 0.3, 0.3)
    grid = space_grid(256, torch.tensor([0, 0, 0, *half]), MIN_BLIND_CELLS)
    mesh = solid(extract(lambda points: -box(half)(points).sign(), grid))
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.extents / 2, half, atol=0.01)
