"""Pictures against the numpy camera, trimesh's ray caster and the plan's numbers."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
import trimesh

from articulation.camera import Camera
from articulation.typing import AnyArray
from training import render as renderer
from training.objects import CATEGORIES, ObjectSpec, Split, generate, sample_camera
from training.pose import link_poses
from training.primitives import Pattern
from training.render import Background, Render, render
from training.scene import Scene, pack

SIZE = 48


@pytest.fixture(scope="module")
def specs() -> list[ObjectSpec]:
    return [generate(seed, Split.TRAIN, category) for seed, category in enumerate(CATEGORIES)]


@pytest.fixture(scope="module")
def scene(specs: list[ObjectSpec]) -> Scene:
    return pack(specs, "cpu")


@pytest.fixture(scope="module")
def cameras(specs: list[ObjectSpec]) -> list[Camera]:
    rng = np.random.default_rng(0)
    return [sample_camera(rng, Split.TRAIN, spec.half_extent) for spec in specs]


def picture(scene: Scene, cameras: list[Camera], fraction: float, **options: object) -> Render:
    views = torch.tensor(np.stack([camera.to_array() for camera in cameras])).float()
    return render(scene, views, scene.joint_upper * fraction, scene.link_valid, SIZE, **options)  # type: ignore[arg-type]


def pixel_centers() -> AnyArray:
    ticks = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    return np.stack(np.meshgrid(ticks, ticks), -1)


def test_closed_positions_project_onto_their_pixels(scene: Scene, cameras: list[Camera]) -> None:
    out = picture(scene, cameras, 0.0)
    for index, camera in enumerate(cameras):
        hit = (out.link[index] >= 0).numpy()
        image, depth = camera.project(out.position[index].double().numpy()[hit])
        assert hit.mean() > 0.05
        np.testing.assert_allclose(image, pixel_centers()[hit], atol=1e-4)
        np.testing.assert_allclose(depth, out.depth[index].numpy()[hit], atol=1e-4)


def test_opened_positions_are_closed_points_moved_by_the_joints(scene: Scene, cameras: list[Camera]) -> None:
    out = picture(scene, cameras, 0.8)
    rotation, shift = link_poses(scene, scene.joint_upper * 0.8)
    for index, camera in enumerate(cameras):
        hit = out.link[index] >= 0
        link = out.link[index][hit]
        moved = (rotation[index][link] @ out.position[index][hit][..., None])[..., 0] + shift[index][link]
        image, _ = camera.project(moved.double().numpy())
        np.testing.assert_allclose(image, pixel_centers()[hit.numpy()], atol=2e-4)


@pytest.mark.parametrize("fraction", [0.0, 0.7])
def test_link_mask_agrees_with_rays_cast_at_the_meshes(
    specs: list[ObjectSpec], scene: Scene, cameras: list[Camera], fraction: float
) -> None:
    out = picture(scene, cameras, fraction)
    rotation, shift = link_poses(scene, scene.joint_upper * fraction)
    for index, (spec, camera) in enumerate(zip(specs, cameras, strict=True)):
        meshes = spec.link_meshes()
        owner = np.repeat(np.arange(len(meshes)), [len(mesh.faces) for mesh in meshes])
        for link, mesh in enumerate(meshes):
            pose = np.eye(4)
            pose[:3, :3], pose[:3, 3] = rotation[index, link].numpy(), shift[index, link].numpy()
            mesh.apply_transform(pose)
        whole: trimesh.Trimesh = trimesh.util.concatenate(meshes)  # type: ignore[assignment]
        origin, directions = camera.rays(SIZE)
        rays = directions.reshape(-1, 3)
        face = whole.ray.intersects_first(np.broadcast_to(origin, rays.shape), rays)
        expected = np.where(face < 0, -1, owner[face]).reshape(SIZE, SIZE)
        assert (out.link[index].numpy() != expected).mean() < 0.01


def test_a_hidden_link_is_not_in_the_picture(scene: Scene, cameras: list[Camera]) -> None:
    views = torch.tensor(np.stack([camera.to_array() for camera in cameras])).float()
    only_root = torch.zeros_like(scene.link_valid)
    only_root[:, 0] = True
    out = render(scene, views, torch.zeros_like(scene.joint_upper), only_root, SIZE)
    assert set(out.link.unique().tolist()) == {-1, 0}


def test_white_background_is_white_and_albedo_is_base_colour(scene: Scene, cameras: list[Camera]) -> None:
    out = picture(scene, cameras, 0.0)
    background = out.link < 0
    assert (out.rgb[background] == 1).all()
    assert (out.albedo[background] == 1).all()
    assert out.albedo[~background].std() > 0.01


@pytest.mark.parametrize("seed", range(12))
def test_surroundings_change_the_picture_and_hide_nothing(scene: Scene, cameras: list[Camera], seed: int) -> None:
    white = picture(scene, cameras, 0.0)
    photo = picture(scene, cameras, 0.0, background=Background.RANDOM, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(white.link, photo.link)
    assert torch.equal(white.albedo, photo.albedo)
    assert (photo.rgb[white.link < 0] - 1).abs().mean() > 0.1


def test_one_sees_through_glass_but_every_other_output_shows_the_pane(
    specs: list[ObjectSpec], cameras: list[Camera]
) -> None:
    which = [spec.category for spec in specs].index("microwave")
    scene, camera = pack([specs[which]], "cpu"), [cameras[which]]
    glass = (scene.look[..., 6] == Pattern.GLASS) & (scene.owner > 0)
    assert glass.any()
    before = picture(scene, camera, 0.0)
    scene.look[..., :6] = torch.where((glass | (scene.owner != 0))[..., None], scene.look[..., :6], 0.05)
    after = picture(scene, camera, 0.0)
    pane = (scene.look[glass][0, :3] - after.albedo).abs().amax(-1) < 0.15
    pane &= after.link == scene.owner[glass][0]
    assert pane.sum() > 20
    assert torch.equal(before.albedo[pane], after.albedo[pane])
    assert torch.equal(before.link, after.link)
    assert (before.rgb[pane] - after.rgb[pane]).mean() > 0.02


def test_photographs_vary_between_plain_sheets_and_rooms(scene: Scene, cameras: list[Camera]) -> None:
    plain = []
    for seed in range(6):
        photo = picture(
            scene, cameras, 0.0, background=Background.RANDOM, generator=torch.Generator().manual_seed(seed)
        )
        top = photo.rgb[:, :8].flatten(1, 2)
        plain.append((top.std(1).mean(-1) < 0.03).float())
    share = torch.cat(plain).mean()
    assert 0.15 < share < 0.75


def test_same_generator_seed_gives_the_same_photograph(scene: Scene, cameras: list[Camera]) -> None:
    first, second = (
        picture(scene, cameras, 0.0, background=Background.RANDOM, generator=torch.Generator().manual_seed(3)).rgb
        for _ in range(2)
    )
    assert torch.equal(first, second)


def test_supersampling_smooths_colour_and_keeps_geometry(scene: Scene, cameras: list[Camera]) -> None:
    plain, smooth = picture(scene, cameras, 0.0), picture(scene, cameras, 0.0, samples=3)
    assert torch.equal(plain.link, smooth.link)
    edge = ((smooth.rgb > 0.02) & (smooth.rgb < 0.999)).all(-1) & (plain.link < 0)
    assert edge.any()
    assert (plain.rgb - smooth.rgb).abs().mean() < 0.05


def test_selecting_objects_selects_their_pictures(scene: Scene, cameras: list[Camera]) -> None:
    out = picture(scene, cameras, 0.0)
    last = len(cameras) - 1
    picked = picture(scene[torch.tensor([last, 0, last])], [cameras[last], cameras[0], cameras[last]], 0.0)
    torch.testing.assert_close(picked.rgb, out.rgb[[last, 0, last]], atol=1e-5, rtol=0)


def test_shading_is_compiled_once_for_all_pictures(
    scene: Scene, cameras: list[Camera], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    rows = [torch.arange(2), torch.arange(2, 5)]
    takes = [(rows[0], Background.RANDOM, 1), (rows[1], Background.WHITE, 2), (rows[1], Background.RANDOM, 1)]

    def pictures() -> list[Render]:
        return [
            picture(
                scene[own],
                [cameras[row] for row in own],
                0.5,
                background=background,
                generator=torch.Generator().manual_seed(0),
                samples=samples,
            )
            for own, background, samples in takes
        ]

    expected = pictures()
    torch._dynamo.utils.counters.clear()
    monkeypatch.setattr(renderer, "_as_written", renderer._compiled)
    found = pictures()
    renderer._compiled.cache_clear()
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.rgb, theirs.rgb)
        assert torch.equal(ours.link, theirs.link)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 3
