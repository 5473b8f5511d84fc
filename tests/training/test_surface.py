"""Signed distances and surface samples against trimesh and against the renderer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from training.objects import CATEGORIES, ObjectSpec, Split, generate, sample_camera
from training.render import render
from training.scene import Scene, pack
from training.surface import sample_surface, signed_distance


@pytest.fixture(scope="module")
def specs() -> list[ObjectSpec]:
    return [generate(100 + seed, Split.TRAIN, category) for seed, category in enumerate(CATEGORIES)]


@pytest.fixture(scope="module")
def scene(specs: list[ObjectSpec]) -> Scene:
    return pack(specs, "cpu")


def links_of(scene: Scene, which: int) -> torch.Tensor:
    """The root (0) or the last link (1) of every object."""
    return torch.zeros(len(scene), dtype=torch.int64) if which == 0 else scene.link_valid.sum(1) - 1


@pytest.mark.parametrize("which", [0, 1])
def test_distance_agrees_with_trimesh_outside_and_in_sign(specs: list[ObjectSpec], scene: Scene, which: int) -> None:
    link = links_of(scene, which)
    points = torch.rand(len(scene), 400, 3, generator=torch.Generator().manual_seed(0)) * 2.2 - 1.1
    ours = signed_distance(scene, link, points).numpy()
    for index, spec in enumerate(specs):
        theirs = -trimesh.proximity.signed_distance(spec.link_meshes()[link[index]], points[index].numpy())
        away = np.abs(theirs) > 0.01
        np.testing.assert_array_equal(ours[index][away] > 0, theirs[away] > 0)
        outside = theirs > 0
        np.testing.assert_allclose(ours[index][outside], theirs[outside], atol=3e-3)
        assert (np.abs(ours[index][~outside]) <= np.abs(theirs[~outside]) + 3e-3).all()


@pytest.mark.parametrize("which", [0, 1])
def test_samples_lie_on_the_surface_with_outward_normals(scene: Scene, which: int) -> None:
    link = links_of(scene, which)
    points, normals, color = sample_surface(scene, link, 512, torch.Generator().manual_seed(0))
    assert signed_distance(scene, link, points).abs().max() < 1e-4
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(normals.shape[:2]))
    step = 2e-3
    assert (signed_distance(scene, link, points + step * normals) > 0.5 * step).float().mean() > 0.98
    assert ((color >= 0) & (color <= 1)).all()


def test_samples_are_spread_by_area(specs: list[ObjectSpec], scene: Scene) -> None:
    points, _, _ = sample_surface(scene, links_of(scene, 1), 4000, torch.Generator().manual_seed(0))
    for index, spec in enumerate(specs):
        mesh = spec.link_meshes()[-1]
        reference, _ = trimesh.sample.sample_surface(mesh, 20000, seed=0)
        spread = float(np.linalg.norm(reference - reference.mean(0), axis=1).mean())
        np.testing.assert_allclose(points[index].mean(0), reference.mean(0), atol=0.06 * spread + 1e-3)


def test_rendered_colour_is_the_colour_of_the_surface_point(specs: list[ObjectSpec], scene: Scene) -> None:
    """Photographed albedo at a point equals the sampled albedo of its nearest sample, up to texture detail."""
    rng = np.random.default_rng(0)
    cameras = torch.tensor(np.stack([sample_camera(rng, Split.TRAIN, x.half_extent).to_array() for x in specs])).float()
    out = render(scene, cameras, torch.zeros_like(scene.joint_upper), scene.link_valid, 32)
    points, _, color = sample_surface(scene, links_of(scene, 0), 20000, torch.Generator().manual_seed(0))
    errors = []
    for index in range(len(specs)):
        mine = out.link[index] == 0
        distance, nearest = torch.cdist(out.position[index][mine], points[index]).min(1)
        close = distance < 0.02
        errors.append((color[index][nearest] - out.albedo[index][mine])[close].abs().mean(1))
    assert torch.cat(errors).median() < 0.02
