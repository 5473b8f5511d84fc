"""The rasteriser's benchmark: its counts, its scene and what it times, at toy size."""

from __future__ import annotations

import pytest
import torch
from typer.testing import CliRunner

from services.refinement.rasteriser import TorchRenderer
from training import bench_raster
from training.bench_raster import Scene, Work

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_raster, "SPLITS", 1)


def pull(draw: bench_raster.Draw, scene: Scene) -> torch.Tensor:
    """Derivatives of the coverage's centre of mass, which no blur moves, in shifts, turns and growth of the scene."""
    change = torch.zeros(3, 4, requires_grad=True)
    vertices = scene.vertices @ (torch.eye(3) + change[:, :3]).T + change[:, 3]
    covered = draw(scene.proxies, vertices, scene.cameras, 128)
    across = torch.linspace(-1, 1, 128)
    (covered * (across + 0.5 * across[:, None])).mean().backward()
    assert change.grad is not None
    return change.grad


def test_the_scene_has_the_faces_that_are_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert len(Scene.of(1, CPU).proxies.faces) == 24_576


def test_doors_of_a_batch_stand_open_differently() -> None:
    vertices = Scene.of(2, CPU).vertices
    assert (vertices[0] - vertices[1]).abs().amax() > 0.3


def test_work_counts_operands_and_results_once_a_call() -> None:
    one, two = torch.ones(100), torch.ones(100)
    with (work := Work()):
        torch.add(one, two)
    assert (work.kernels, work.moved, work.operations) == (1, 3 * 400, 100)


def test_work_does_not_count_views() -> None:
    values = torch.ones(100)
    with (work := Work()):
        seen = values.view(10, 10)[3:].T
    assert seen.shape == (10, 7)
    assert (work.kernels, work.moved) == (0, 0)


def test_work_counts_the_backward_pass() -> None:
    values = torch.ones(100, requires_grad=True)
    with (work := Work()):
        loss = values.exp().sum()
        forward = work.kernels
        loss.backward()
    assert work.kernels > forward


def test_an_expanded_tensor_moves_what_it_stores() -> None:
    assert bench_raster.stored_bytes(torch.ones(10, 1).expand(10, 1000)) == 40


def test_what_must_move_grows_with_pictures_and_pixels_not_with_shared_faces() -> None:
    one, two = Scene.of(1, CPU), Scene.of(2, CPU)
    faces = bench_raster.stored_bytes(one.proxies.faces)
    small, large = (bench_raster.compulsory_bytes(one, size) - faces for size in (16, 32))
    assert large - small == 2 * 4 * (32**2 - 16**2)
    assert bench_raster.compulsory_bytes(two, 16) - faces == pytest.approx(2 * small, rel=0.01)


def test_ours_moves_more_than_any_must() -> None:
    scene = Scene.of(1, CPU)
    done = bench_raster.work(bench_raster.silhouette(TorchRenderer()), scene, 32)
    assert done.moved > bench_raster.compulsory_bytes(scene, 32)


def test_the_comparison_times_ours_at_every_size() -> None:
    result = CliRunner().invoke(bench_raster.app, ["--sizes", "16", "--sizes", "24", "--seconds", "0"])
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines() if " ours " in line]
    assert [row[0] for row in rows] == ["16", "24"]
    assert all(float(seconds) > 0 for row in rows for seconds in row[2:4])


def test_the_table_prints_a_row_for_every_batch(capsys: pytest.CaptureFixture[str]) -> None:
    bench_raster.against_device(CPU, [16], [1, 3], 0.0)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[-2:]]
    assert [row[:2] for row in rows] == [["16", "1"], ["16", "3"]]


def test_the_soft_silhouette_that_is_timed_has_our_gradient() -> None:
    pytest.importorskip("pytorch3d")
    scene = Scene.of(1, CPU)
    ours = pull(bench_raster.silhouette(TorchRenderer()), scene)
    soft = pull(bench_raster.soft_silhouette(), scene)
    assert (ours - soft).norm() < 0.1 * ours.norm()
