"""Outlines do not depend on how finely a surface is cut into faces."""

import torch
import trimesh

from articulation.camera import Camera
from services.refinement import proxies
from services.refinement.objective import coverage
from services.refinement.rasteriser import TorchRenderer

CAMERA = torch.tensor(Camera(0.5, 0.35, 4.2, 0.75).to_array())[None]
PANEL = trimesh.creation.box(extents=(1.2, 1.8, 0.06))


def drawn(mesh: trimesh.Trimesh) -> tuple[torch.Tensor, torch.Tensor]:
    """Coverage, and the gradient in the camera of what it weighs, more to the right."""
    packed = proxies.build([mesh], len(mesh.faces), torch.device("cpu"), torch.float64)
    camera = CAMERA.clone().requires_grad_()
    covered = TorchRenderer().render(packed, packed.vertices[None], camera, 64, coverage)[..., 3]
    (covered * torch.linspace(0, 1, 64)).sum().backward()
    assert camera.grad is not None
    return covered.detach(), camera.grad


def test_faces_smaller_than_a_pixel_leave_picture_and_gradient() -> None:
    fine = PANEL.subdivide().subdivide().subdivide().subdivide()
    (coarse_picture, coarse_gradient), (picture, gradient) = drawn(PANEL), drawn(fine)
    assert (picture - coarse_picture).abs().max() < 1e-6
    assert (gradient - coarse_gradient).norm() < 1e-3 * coarse_gradient.norm()
