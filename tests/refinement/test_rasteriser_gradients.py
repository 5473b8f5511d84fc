"""Gradients of the renderers against central finite differences: every kind of number that is refined."""

from collections.abc import Callable

import box_scenes
import numpy as np
import pytest
import torch

from articulation.joint import Joint, JointType
from services.refinement import proxies
from services.refinement.descent import tangents
from services.refinement.kinematics import Screws, link_poses, transform
from services.refinement.renderer import Renderer, Shader

CPU = torch.device("cpu")
SIZE = 96
COLOURS = torch.tensor([[0.2, 1.0], [0.6, 1.0], [0.9, 1.0]], dtype=torch.float64)
"""A grey value and coverage for each link: a stand-in for texture."""

PARTS = box_scenes.cabinet()
PLAN = box_scenes.plan(PARTS)
PACKED = proxies.build(box_scenes.meshes(PARTS), 1000, CPU, torch.float64)
SCREWS = Screws.of([[part.joint for part in PLAN.parts]], CPU, torch.float64)
OPEN = torch.tensor([[0.0, 1.0, 0.5]], dtype=torch.float64)
CAMERA = torch.tensor(PLAN.camera.to_array())[None]
DOOR, DRAWER = 1, 2


def colour_of(packed: proxies.Proxies) -> Shader:
    return lambda hits: COLOURS[packed.face_link[hits.face]]


def picture(
    renderer: Renderer, screws: Screws = SCREWS, q: torch.Tensor = OPEN, camera: torch.Tensor = CAMERA
) -> torch.Tensor:
    poses = link_poses(screws, (-1, 0, 0), q)
    vertices = transform(poses, PACKED.vertex_link, PACKED.vertices)
    return renderer.render(PACKED, vertices, camera, SIZE, colour_of(PACKED))


def moved(renderer: Renderer, kind: str, value: torch.Tensor) -> torch.Tensor:
    """The picture with one number of the scene changed by `value`."""
    across = tangents(SCREWS.axis)
    unit = torch.zeros_like(OPEN)
    part, number = kind.split(".")
    link = {"door": DOOR, "drawer": DRAWER}.get(part, 0)
    unit[0, link] = 1
    match number:
        case "opening":
            return picture(renderer, q=OPEN + value * unit)
        case "axis":
            axis = SCREWS.axis + value * unit[..., None] * across[..., 0, :]
            axis = axis / axis.norm(dim=-1, keepdim=True)
            return picture(renderer, Screws(axis, SCREWS.origin, SCREWS.rotates, SCREWS.slides))
        case "origin":
            origin = SCREWS.origin + value * unit[..., None] * across[..., 1, :]
            return picture(renderer, Screws(SCREWS.axis, origin, SCREWS.rotates, SCREWS.slides))
    step = torch.zeros_like(CAMERA)
    step[0, int(number)] = 1
    return picture(renderer, camera=CAMERA + value * step)


def compare(render: Callable[[torch.Tensor], torch.Tensor], reach: float, tolerance: float) -> None:
    """Hold the derivative of a picture distance against the slope of its values within `reach`."""
    with torch.no_grad():
        target = render(torch.tensor(2 * reach))

    def distance(value: torch.Tensor) -> torch.Tensor:
        return (render(value) - target).square().sum()

    value = torch.zeros((), dtype=torch.float64, requires_grad=True)
    distance(value).backward()
    with torch.no_grad():
        steps = torch.linspace(-reach, reach, 9, dtype=torch.float64)
        slope = np.polyfit(steps.numpy(), [distance(step).item() for step in steps], 2)[1]
    assert value.grad is not None
    assert abs(slope) > 1.0
    assert value.grad.item() == pytest.approx(slope, rel=tolerance)


@pytest.mark.parametrize(
    ("kind", "reach"),
    [
        ("door.opening", 0.02),
        ("door.axis", 0.02),
        ("door.origin", 0.02),
        ("drawer.opening", 0.02),
        ("drawer.axis", 0.04),
        ("camera.0", 0.01),
        ("camera.1", 0.01),
        ("camera.2", 0.05),
        ("camera.3", 0.01),
        ("camera.4", 0.01),
        ("camera.5", 0.01),
    ],
)
def test_gradient_equals_finite_differences(renderer: Renderer, kind: str, reach: float) -> None:
    compare(lambda value: moved(renderer, kind, value), reach, 0.2)


def test_a_drawer_in_front_of_the_body_has_a_gradient(renderer: Renderer) -> None:
    # The opened drawer lies within the body's outline: only what it hides tells where it is.
    slide = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, 1.0]), np.zeros(3), 0.0, 0.5)
    parts = [
        box_scenes.Part([((-1.0, -1.0, -0.5), (1.0, 1.0, 0.5))], (0.2, 0.2, 0.2)),
        box_scenes.Part([((-0.3, -0.2, 0.0), (0.3, 0.2, 0.51))], (0.8, 0.8, 0.8), slide),
    ]
    packed = proxies.build(box_scenes.meshes(parts), 1000, CPU, torch.float64)
    screws = Screws.of([[part.joint for part in parts]], CPU, torch.float64)

    def render(value: torch.Tensor) -> torch.Tensor:
        q = torch.stack([torch.zeros(()), 0.2 + value]).to(torch.float64)[None]
        vertices = transform(link_poses(screws, (-1, 0), q), packed.vertex_link, packed.vertices)
        return renderer.render(packed, vertices, CAMERA, SIZE, colour_of(packed))

    outlines = [render(torch.tensor(x))[..., 1] for x in (0.0, 0.04)]
    assert (outlines[0] - outlines[1]).abs().max().item() < 1e-9
    compare(render, 0.02, 0.2)
