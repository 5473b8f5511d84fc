"""The benchmark at full size, here at toy size: it runs, and what it counts is what there is to compute."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from services.part_dit.extraction import PartMesh, extract, space_grid
from services.part_dit.transformer import PartCrafterDiTModel
from training import bench_gpu
from training.bench_gpu import Case, Ceilings, Work, step_work
from training.bench_partcrafter import Run, chamfer, compare


def test_it_runs_from_a_random_checkpoint_to_meshes(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    options = ["--toy", "--eager", "--device", "cpu", "--dtype", "float32", "--objects", "1", "2"]
    bench_gpu.main([*options, "--weights", str(tmp_path / "weights"), "--out", str(out)])
    figures = json.loads(out.read_text())
    assert len(figures["object"]["faces"]) == bench_gpu.TOY.parts
    assert min(figures["object"]["faces"]) > 1000
    assert figures["throughput"].keys() == {"1", "2"}
    assert 0 < figures["object"]["step"]["share_of_ceiling"] < 1
    assert {int(steps) for steps in figures["seconds_of_few_steps"]} == {6, 10, 20}


WIDTH, SOURCE, CHANNELS, IMAGE_TOKENS = 32, 24, 8, 5


def model() -> PartCrafterDiTModel:
    """Five blocks: three global, two with a skip."""
    return PartCrafterDiTModel(
        num_attention_heads=2,
        width=WIDTH,
        in_channels=CHANNELS,
        num_layers=5,
        cross_attention_dim=SOURCE,
        global_attn_block_ids=[0, 2, 4],
    )


def test_operations_of_a_step_are_those_of_its_matrix_products() -> None:
    case = Case(parts=3, tokens=6)
    parts, length = 2 * case.parts, case.tokens + 1
    rows, seeing = parts * length, case.parts * length
    linear = rows * (4 + 8) * WIDTH**2 + seeing * 2 * WIDTH**2
    images = seeing * 2 * IMAGE_TOKENS * WIDTH
    skips = 2 * rows * 2 * WIDTH**2
    attention = (2 + 3 * case.parts) * rows * length * 2 * WIDTH
    ends = 2 * parts * case.tokens * CHANNELS * WIDTH + parts * 8 * WIDTH**2
    expected = 2 * (5 * (linear + images) + skips + attention + ends)
    assert step_work(model(), [case.parts], case, IMAGE_TOKENS).operations == expected


def test_twice_the_objects_are_twice_the_operations() -> None:
    case = Case(parts=2, tokens=6)
    one, two = (step_work(model(), [2] * objects, case, IMAGE_TOKENS).operations for objects in (1, 2))
    assert two == 2 * one


def test_floors_stand_beside_the_time() -> None:
    report = Work(operations=4e9, bytes=1e9).report(2.0, Ceilings(operations=4e9, bytes=2e9))
    assert report == {
        "ms": 2000.0, "floor_operations_ms": 1000.0, "floor_bytes_ms": 500.0, "share_of_ceiling": 0.5
    }  # fmt: skip


def ball(radius: float, resolution: int = 48) -> PartMesh:
    return extract(lambda points: radius - points.norm(dim=-1), space_grid(resolution))


def test_distance_of_meshes_is_that_of_their_surfaces() -> None:
    """Not of their vertices, that are coarser than what is to be told apart."""
    assert chamfer(ball(0.6), ball(0.6, 64)) < 2e-3
    assert chamfer(ball(0.6), ball(0.63)) == pytest.approx(0.06, rel=0.1)


def test_another_run_s_latents_and_meshes_are_compared() -> None:
    latents = torch.ones(2, 3, 4)
    run = Run(latents, [ball(0.6), None], seconds=9.0, denoising=5.0, peak=2**30, queries=10)
    figures = compare(run, 1.01 * latents, [ball(0.6)] * 2)
    assert figures["latent_error"] == pytest.approx(0.01, rel=1e-4)
    assert figures["failed_parts"] == 1
    assert np.max(figures["chamfer"]) < 1e-6
    assert compare(replace(run, peak=0), latents, [ball(0.6)] * 2)["latent_error"] == 0
