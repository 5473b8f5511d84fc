import numpy as np
import torch
import trimesh
from texture_scenes import CAMERA, cabinet

from services.texture.projection import depth_map, facing, project, visible

EYE = torch.tensor(CAMERA.to_array(), dtype=torch.float64)[None]


def joined() -> trimesh.Trimesh:
    return trimesh.util.concatenate(cabinet())


def test_projects_as_the_shared_camera_does() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    image, depth = project(torch.from_numpy(points)[None], EYE)
    expected_image, expected_depth = CAMERA.project(points)
    np.testing.assert_allclose(image[0], expected_image, atol=1e-9)
    np.testing.assert_allclose(depth[0], expected_depth, atol=1e-9)


def test_depth_map_agrees_with_ray_casts() -> None:
    mesh, size = joined(), 48
    found = depth_map(torch.tensor(mesh.vertices), torch.tensor(mesh.faces), EYE[0], size).numpy()
    origin, rays = CAMERA.rays(size)
    rays = rays.reshape(-1, 3)
    hits, index, _ = mesh.ray.intersects_location(np.broadcast_to(origin, rays.shape), rays, multiple_hits=False)
    expected = np.full(size * size, np.inf)
    expected[index] = -((hits - origin) @ CAMERA.rotation[2])
    np.testing.assert_array_equal(np.isinf(found.reshape(-1)), np.isinf(expected))
    seen = np.isfinite(expected)
    assert seen.mean() > 0.1
    np.testing.assert_allclose(found.reshape(-1)[seen], expected[seen], atol=2e-3)


def test_faces_behind_the_camera_are_not_drawn() -> None:
    behind = torch.from_numpy(CAMERA.position + 1.0 * CAMERA.rotation[2])
    triangle = behind + torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], dtype=torch.float64)
    assert depth_map(triangle, torch.tensor([[0, 1, 2]]), EYE[0], 16).isinf().all()


def test_visibility_agrees_with_ray_casts() -> None:
    mesh = joined()
    points, face = trimesh.sample.sample_surface(mesh, 3000, seed=0)
    normals = mesh.face_normals[face]
    depth = depth_map(torch.tensor(mesh.vertices), torch.tensor(mesh.faces), EYE[0], 256)
    found = visible(torch.tensor(points)[None], torch.tensor(normals)[None], EYE, depth[None])[0].numpy()
    start = points + 1e-4 * normals
    blocked = mesh.ray.intersects_any(start, CAMERA.position - start)
    towards = (normals * (CAMERA.position - points)).sum(1) > 0
    expected = towards & ~blocked
    assert 0.1 < expected.mean() < 0.6
    assert (found == expected).mean() > 0.985


def test_facing_is_one_towards_the_camera_and_minus_one_away() -> None:
    towards = torch.from_numpy(CAMERA.rotation[2])[None, None]
    origin = torch.zeros(1, 1, 3, dtype=torch.float64)
    torch.testing.assert_close(facing(origin, towards, EYE), torch.ones(1, 1, dtype=torch.float64))
    torch.testing.assert_close(facing(origin, -towards, EYE), -torch.ones(1, 1, dtype=torch.float64))
