"""The renderer on PyTorch3D, where it is installed, against our own: the same pictures, the same gradients."""

import box_scenes
import numpy as np
import pytest
import torch
import trimesh

from articulation.camera import Camera
from articulation.joint import Joint, JointType
from services.refinement import proxies
from services.refinement.kinematics import Screws, link_poses, transform
from services.refinement.objective import coverage
from services.refinement.rasteriser import TorchRenderer
from services.refinement.renderer import Hits, Renderer

pytest.importorskip("pytorch3d")

from services.refinement.pytorch3d_renderer import PyTorch3DRenderer

CPU = torch.device("cpu")
SIZE = 96
OURS, THEIRS = TorchRenderer(), PyTorch3DRenderer()
HINGE = Joint(JointType.REVOLUTE, np.array([0.0, -1.0, 0.0]), np.array([-1.0, 0.0, 0.52]), 0.0, 1.6)
SLIDE = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, 1.0]), np.zeros(3), 0.0, 0.8)
PARTS = [
    box_scenes.Part([((-1.0, -1.0, -0.5), (1.0, 1.0, 0.5))], (0.2, 0.2, 0.2)),
    box_scenes.Part([((-1.0, -1.0, 0.52), (0.0, 1.0, 0.6))], (0.5, 0.5, 0.5), HINGE),
    box_scenes.Part([((0.1, -0.3, -0.4), (0.9, 0.3, 0.55))], (0.8, 0.8, 0.8), SLIDE),
]
"""No two faces coincide: which of them is nearer would be left to rounding."""
PLAN = box_scenes.plan(PARTS)
PACKED = proxies.build(box_scenes.meshes(PARTS), 1000, CPU)
SCREWS = Screws.of([[part.joint for part in PLAN.parts]] * 2, CPU, torch.float32)
CAMERAS = torch.tensor(np.stack([PLAN.camera.to_array(), Camera(-0.7, 0.1, 5.0, 0.7, (0.1, -0.05)).to_array()])).float()
OPEN = torch.tensor([[0.0, 1.0, 0.5], [0.0, 0.4, 0.2]])


def posed(q: torch.Tensor) -> torch.Tensor:
    return transform(link_poses(SCREWS, (-1, 0, 0), q), PACKED.vertex_link, PACKED.vertices)


def camera_tensor(camera: Camera) -> torch.Tensor:
    return torch.tensor(camera.to_array()).float()[None]


def point_and_link(hits: Hits) -> torch.Tensor:
    return torch.cat([hits.point, PACKED.face_link[hits.face, None] + 1.0], -1)


def test_both_show_the_same_points_of_the_same_links() -> None:
    ours, theirs = (which.render(PACKED, posed(OPEN), CAMERAS, SIZE, point_and_link) for which in (OURS, THEIRS))
    assert (ours[..., 3] > 0).float().mean() > 0.2
    # Single precision may decide otherwise where a pixel centre lies on an edge.
    assert ((ours - theirs).abs().amax(-1) > 1e-3).float().mean() < 1e-3


def test_both_cover_the_same_area() -> None:
    ours, theirs = (which.render(PACKED, posed(OPEN), CAMERAS, SIZE, coverage)[..., 3] for which in (OURS, THEIRS))
    torch.testing.assert_close(theirs.sum((1, 2)), ours.sum((1, 2)), rtol=1e-4, atol=0)


def gradients(renderer: Renderer, shader=coverage) -> tuple[torch.Tensor, ...]:
    """Of a distance of pictures, in coordinates, cameras and vertices."""
    q, cameras = OPEN.clone().requires_grad_(), CAMERAS.clone().requires_grad_()
    vertices = posed(q)
    vertices.retain_grad()
    with torch.no_grad():
        wanted = OURS.render(PACKED, posed(OPEN + 0.05), CAMERAS + 0.02, SIZE, shader)
    (renderer.render(PACKED, vertices, cameras, SIZE, shader) - wanted).square().sum().backward()
    return q.grad, cameras.grad, vertices.grad


@pytest.mark.parametrize("shader", [coverage, point_and_link])
@pytest.mark.parametrize("of", [0, 1, 2], ids=["coordinates", "cameras", "vertices"])
def test_both_have_the_same_gradient(of: int, shader) -> None:
    ours, theirs = (gradients(which, shader)[of] for which in (OURS, THEIRS))
    assert ours.norm() > 1
    assert (theirs - ours).norm() < 1e-3 * ours.norm()


def test_a_pixel_centre_between_two_faces_is_covered() -> None:
    # The diagonal of the front of this box runs through pixel centres.
    box = proxies.build([trimesh.creation.box(extents=(1, 1, 1))], 1000, CPU)
    covered = THEIRS.render(box, box.vertices[None], camera_tensor(Camera(0.0, 0.0, 4.0, 0.8)), 64, coverage)
    torch.testing.assert_close(covered[0, 28:36, 28:36, 3], torch.ones(8, 8))


def test_only_faces_before_the_camera_are_drawn() -> None:
    behind = trimesh.creation.box(bounds=[(-1, -1, 20), (1, 1, 22)])
    packed = proxies.build([behind, trimesh.creation.box(extents=(1, 1, 1))], 1000, CPU)

    def of_the_first(hits: Hits) -> torch.Tensor:
        return torch.stack([packed.face_link[hits.face] == 0, hits.face >= 0], -1).float()

    picture = THEIRS.render(packed, packed.vertices[None], camera_tensor(Camera(0.0, 0.0, 10.0, 0.4)), 32, of_the_first)
    assert picture[..., 0].abs().max().item() == 0.0
    assert picture[..., 1].max().item() == 1.0
