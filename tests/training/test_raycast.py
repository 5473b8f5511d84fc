"""Rays against trimesh, and the Triton kernel, interpreted, against torch."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import torch
import trimesh
from torch import Tensor
from torch.nn.functional import normalize

from training.raycast import FAR, Solids, nearest

BOXES, TUBES = 4, 4


def solids_and_shown() -> tuple[Solids, Tensor]:
    """Two images of boxes, cylinders and rings anywhere, some of them hidden."""
    generator = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(2, BOXES + TUBES, 3, 3, generator=generator))[0]
    turn = turn * torch.linalg.det(turn)[..., None, None]
    center = torch.randn(2, BOXES + TUBES, 3, generator=generator) * 0.5
    extent = 0.1 + 0.4 * torch.rand(2, BOXES + TUBES, 3, generator=generator)
    extent[:, BOXES:, 2] = 0
    extent[:, -2:, 2] = 0.6 * extent[:, -2:, 0]
    return Solids(turn, center, extent, BOXES), torch.rand(2, BOXES + TUBES, generator=generator) < 0.8


def rays(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    origin = 2.5 * normalize(torch.randn(2, count, 3, generator=generator), dim=-1)
    return origin, normalize(0.6 * torch.randn(2, count, 3, generator=generator) - origin, dim=-1)


def test_nearest_agrees_with_trimesh() -> None:
    solids, shown = solids_and_shown()
    origin, direction = rays(400)
    distance, slot = nearest(solids, shown, origin, direction)
    for image in range(2):
        meshes, owners = [], []
        for index in shown[image].nonzero()[:, 0].tolist():
            mesh = shape(solids.extent[image, index].tolist(), index < BOXES)
            pose = np.eye(4)
            pose[:3, :3], pose[:3, 3] = solids.rotation[image, index].numpy(), solids.center[image, index].numpy()
            meshes.append(mesh.apply_transform(pose))
            owners += [index] * len(mesh.faces)
        whole: trimesh.Trimesh = trimesh.util.concatenate(meshes)  # type: ignore[assignment]
        face = whole.ray.intersects_first(origin[image].numpy(), direction[image].numpy())
        expected = np.where(face < 0, -1, np.array(owners)[face])
        same = slot[image].numpy() == expected
        assert same.mean() > 0.97, "meshes of cylinders have facets"
        assert (expected >= 0).mean() > 0.3
        assert (distance[image][slot[image] < 0] == FAR).all()


def shape(extent: list[float], is_box: bool) -> trimesh.Trimesh:
    mesh: trimesh.Trimesh
    if is_box:
        mesh = trimesh.creation.box(2 * np.array(extent))
        return mesh
    outer, height, inner = extent
    if inner > 0:
        mesh = trimesh.creation.annulus(inner, outer, 2 * height, sections=96)
    else:
        mesh = trimesh.creation.cylinder(outer, 2 * height, sections=96)
    mesh.vertices = mesh.vertices[:, [1, 2, 0]]
    return mesh


def test_hits_beyond_the_limit_are_misses() -> None:
    solids, shown = solids_and_shown()
    free, _ = nearest(solids, shown, *rays(300))
    limited, slot = nearest(solids, shown, *rays(300), 2.2)
    assert ((free >= 2.2) == (slot < 0)).all()
    torch.testing.assert_close(limited[slot >= 0], free[slot >= 0])
    assert 0 < (slot >= 0).sum() < (free < FAR).sum()


def check_kernel() -> None:
    """Run in an interpreter of its own: Triton reads TRITON_INTERPRET when it is first imported."""
    solids, shown = solids_and_shown()
    width, height = 20, 11
    origin, direction = rays(width * height)
    for start, toward, limit in (
        (origin[:, :1], direction, FAR),
        (origin, direction[:, :1], FAR),
        (origin, direction, 2.2),
    ):
        expected = nearest(solids, shown, start, toward, limit)
        found = nearest(solids, shown, start, toward, limit, width=width, fused=True)
        assert (expected[1] >= 0).any()
        assert torch.equal(found[1], expected[1])
        torch.testing.assert_close(found[0], expected[0])


def test_the_kernel_finds_what_torch_finds() -> None:
    program = "from tests.training.test_raycast import check_kernel; check_kernel()"
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
