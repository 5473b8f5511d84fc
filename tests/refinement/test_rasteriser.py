"""The default renderer against ray casting and against areas known in closed form."""

import box_scenes
import numpy as np
import pytest
import torch
import trimesh

from articulation.camera import Camera
from services.refinement import proxies, rasteriser
from services.refinement.kinematics import Screws, link_poses, transform
from services.refinement.objective import coverage
from services.refinement.rasteriser import TorchRenderer, to_pixels, visible_faces
from services.refinement.renderer import Hits

CPU = torch.device("cpu")
FRONT = Camera(0.0, 0.0, 10.0, 2 * np.arctan(0.2))


def camera_tensor(camera: Camera) -> torch.Tensor:
    return torch.tensor(camera.to_array())[None]


def face_number(hits: Hits) -> torch.Tensor:
    return (hits.face + 1).to(torch.float64)[:, None]


def draw(meshes: list[trimesh.Trimesh], camera: Camera, size: int, shader=coverage) -> torch.Tensor:
    packed = proxies.build(meshes, 1000, CPU, torch.float64)
    return TorchRenderer().render(packed, packed.vertices[None], camera_tensor(camera), size, shader)


def test_visible_links_equal_ray_casting() -> None:
    parts, q, size = box_scenes.cabinet(), np.array([0.0, 1.0, 0.5]), 128
    flat = [box_scenes.Part(p.boxes, p.colour, p.joint, p.parent) for p in parts]
    plan = box_scenes.plan(flat)
    packed = proxies.build(box_scenes.meshes(flat), 1000, CPU, torch.float64)
    screws = Screws.of([[p.joint for p in plan.parts]], CPU, torch.float64)
    poses = link_poses(screws, tuple(p.parent for p in plan.parts), torch.tensor(q)[None])
    vertices = transform(poses, packed.vertex_link, packed.vertices)
    screen, depth = to_pixels(camera_tensor(plan.camera), vertices, size)
    face, _ = visible_faces(screen, depth, packed.faces, size)
    ours = torch.where(face[0] >= 0, packed.face_link[face[0].clamp(min=0)], -1).numpy()
    theirs = box_scenes.visible_links(flat, q, plan.camera, size)
    assert (ours == theirs).mean() > 0.998
    assert set(np.unique(theirs)) == {-1, 0, 1, 2}


def test_coverage_is_the_exact_area_of_a_rectangle() -> None:
    # 5 units are one half of the picture at distance 10, so the front of this box is 0.53 by 0.41 half pictures.
    box = trimesh.creation.box(bounds=[(-0.503, -0.4005, -0.1), (0.497, 0.4205, 0.0)])
    area = draw([box], FRONT, 64)[..., 3].sum().item()
    half = 64 / 2 / (0.2 * 10)
    assert area == pytest.approx(1.0 * 0.821 * half**2, rel=2e-3)


def test_an_outline_moves_the_picture_continuously() -> None:
    def area(x: float) -> float:
        box = trimesh.creation.box(bounds=[(-0.5, -0.4, -0.1), (x, 0.4, 0.0)])
        return draw([box], FRONT, 32)[..., 3].sum().item()

    # One pixel is 0.125 units: steps of a tenth of a pixel, over two pixels; the edge is 6.4 pixels high.
    growth = np.diff([area(x) for x in np.linspace(0.3, 0.55, 21)])
    assert growth.sum() == pytest.approx(2 * 6.4, rel=0.03)
    assert np.median(growth) == pytest.approx(0.64, rel=0.1)
    assert (growth > 0).all()


def test_the_nearer_part_hides_the_farther() -> None:
    far = trimesh.creation.box(bounds=[(-0.5, -0.5, -0.6), (0.5, 0.5, -0.5)])
    near = trimesh.creation.box(bounds=[(-0.2, -0.2, 0.5), (0.2, 0.2, 0.6)])
    image = draw([far, near], FRONT, 33, face_number)[0, ..., 0]
    assert image[16, 16].item() > 12  # the second box: its faces come after the twelve of the first
    assert 0 < image[16, 13].item() <= 12
    assert image[0, 0].item() == 0.0


def test_hits_are_the_points_on_the_closed_surface() -> None:
    parts = box_scenes.cabinet()
    seen: list[Hits] = []

    def keep(hits: Hits) -> torch.Tensor:
        seen.append(hits)
        return coverage(hits)

    packed = proxies.build(box_scenes.meshes(parts), 1000, CPU, torch.float64)
    TorchRenderer().render(packed, packed.vertices[None], camera_tensor(box_scenes.CAMERA), 64, keep)
    for link, part in enumerate(parts):
        points = seen[0].point[packed.face_link[seen[0].face] == link].numpy()
        surface = box_scenes.meshes([part])[0]
        assert len(points) > 0
        assert trimesh.proximity.closest_point(surface, points)[1].max() < 1e-9


def test_a_batch_equals_its_pictures_one_by_one() -> None:
    packed = proxies.build(box_scenes.meshes(box_scenes.cabinet()), 300, CPU, torch.float64)
    cameras = torch.stack([camera_tensor(box_scenes.CAMERA)[0], camera_tensor(Camera(-0.7, 0.1, 5.0, 0.7))[0]])
    both = TorchRenderer().render(packed, packed.vertices.expand(2, -1, -1), cameras, 48, face_number)
    for index in range(2):
        one = TorchRenderer().render(packed, packed.vertices[None], cameras[index : index + 1], 48, face_number)
        torch.testing.assert_close(both[index : index + 1], one)


def test_faces_behind_the_camera_are_not_drawn() -> None:
    behind = trimesh.creation.box(bounds=[(-1, -1, 20), (1, 1, 22)])
    assert draw([behind], FRONT, 16)[..., 3].abs().max().item() == 0.0


@pytest.fixture
def crowd() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Screen, depth and faces of eight large boxes, one inside the other but for two that coincide."""
    sizes = (0.3, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    packed = proxies.build([trimesh.creation.box(extents=(side,) * 3) for side in sizes], 1000, CPU, torch.float64)
    camera = camera_tensor(Camera(0.4, 0.3, 4.0, 0.6)).expand(3, -1)
    return *to_pixels(camera, packed.vertices.expand(3, -1, -1), 48), packed.faces


@pytest.mark.parametrize("pairs", [1, 5_000])
def test_many_chunks_show_what_one_does(crowd, monkeypatch: pytest.MonkeyPatch, pairs: int) -> None:
    whole = visible_faces(*crowd, 48)
    monkeypatch.setattr(rasteriser, "PAIRS", pairs)
    for found, expected in zip(visible_faces(*crowd, 48), whole, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_pairs_of_faces_and_pixels_are_looked_at_in_bounded_numbers(crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    barycentric = rasteriser._barycentric

    def counted(corners: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows.append(len(corners))
        return barycentric(corners, x, y)

    monkeypatch.setattr(rasteriser, "_barycentric", counted)
    monkeypatch.setattr(rasteriser, "PAIRS", 5_000)
    visible_faces(*crowd, 48)
    assert sum(rows) > 4 * 5_000
    assert max(rows) <= 5_000
