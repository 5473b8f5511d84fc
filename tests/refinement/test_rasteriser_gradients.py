"""Gradients of the renderers against central finite differences: every kind of number that is refined."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import box_scenes
import numpy as np
import pytest
import torch

from articulation.joint import Joint, JointType
from services.refinement import proxies
from services.refinement.descent import tangents
from services.refinement.kinematics import Follower, Screws, link_poses, tied, transform
from services.refinement.renderer import Renderer, Shader

CPU = torch.device("cpu")
SIZE = 96
COLOURS = torch.tensor([[0.2, 1.0], [0.6, 1.0], [0.9, 1.0]], dtype=torch.float64)
"""A grey value and coverage for each link: a stand-in for texture."""

CAMERA = torch.tensor(box_scenes.CAMERA.to_array())[None]
BODY, DOOR, DRAWER = 0, 1, 2
FOLLOWING = (Follower(DRAWER, DOOR, 0.6, -0.1),)
"""The drawer, at 0.5 where the door is at 1; a tree would refuse a slide that follows a hinge."""


def colour_of(packed: proxies.Proxies) -> Shader:
    return lambda hits: COLOURS[packed.face_link[hits.face]]


@dataclass(frozen=True)
class Scene:
    """An object, opened by (1, L) coordinates."""

    packed: proxies.Proxies
    parents: tuple[int, ...]
    screws: Screws
    q: torch.Tensor

    @classmethod
    def of(cls, parts: list[box_scenes.Part], q: list[float]) -> "Scene":
        packed = proxies.build(box_scenes.meshes(parts), 1000, CPU, torch.float64)
        screws = Screws.of([[part.joint for part in parts]], CPU, torch.float64)
        return cls(
            packed, box_scenes.plan(parts).articulation().parents, screws, torch.tensor([q], dtype=torch.float64)
        )

    def picture(self, renderer: Renderer, camera: torch.Tensor = CAMERA) -> torch.Tensor:
        poses = link_poses(self.screws, self.parents, self.q)
        vertices = transform(poses, self.packed.vertex_link, self.packed.vertices)
        return renderer.render(self.packed, vertices, camera, SIZE, colour_of(self.packed))

    def moved(self, renderer: Renderer, number: str, link: int, value: torch.Tensor) -> torch.Tensor:
        """The picture with one number of one link's joint, or of the camera, changed by `value`."""
        across = tangents(self.screws.axis)
        unit = torch.zeros_like(self.q)
        unit[0, link] = 1
        match number:
            case "opening":
                return replace(self, q=self.q + value * unit).picture(renderer)
            case "leading":
                return replace(self, q=tied(self.q + value * unit, FOLLOWING)).picture(renderer)
            case "axis":
                axis = self.screws.axis + value * unit[..., None] * across[..., 0, :]
                axis = axis / axis.norm(dim=-1, keepdim=True)
                return replace(self, screws=replace(self.screws, axis=axis)).picture(renderer)
            case "origin":
                origin = self.screws.origin + value * unit[..., None] * across[..., 1, :]
                return replace(self, screws=replace(self.screws, origin=origin)).picture(renderer)
        step = torch.zeros_like(CAMERA)
        step[0, int(number)] = 1
        return self.picture(renderer, CAMERA + value * step)


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


@pytest.fixture(scope="module")
def cabinet() -> Scene:
    return Scene.of(box_scenes.cabinet(), [0.0, 1.0, 0.5])


@pytest.mark.parametrize(
    ("number", "link", "reach"),
    [
        ("opening", DOOR, 0.02),
        ("leading", DOOR, 0.02),
        ("axis", DOOR, 0.02),
        ("origin", DOOR, 0.02),
        ("opening", DRAWER, 0.02),
        ("axis", DRAWER, 0.04),
        ("0", BODY, 0.01),
        ("1", BODY, 0.01),
        ("2", BODY, 0.05),
        ("3", BODY, 0.01),
        ("4", BODY, 0.01),
        ("5", BODY, 0.01),
    ],
)
def test_gradient_equals_finite_differences(
    renderer: Renderer, cabinet: Scene, number: str, link: int, reach: float
) -> None:
    compare(lambda value: cabinet.moved(renderer, number, link, value), reach, 0.2)


HINGE = Joint(JointType.REVOLUTE, np.array([0.0, -1.0, 0.0]), np.array([-0.6, 0.0, -0.25]), 0.0, 1.0)
RAIL = Joint(JointType.PRISMATIC, np.array([1.0, 0.0, 0.0]), np.zeros(3), 0.0, 0.5)


@pytest.mark.parametrize(
    ("joint", "number", "reach"),
    [
        (HINGE, "opening", 0.02),
        (HINGE, "axis", 0.02),
        (HINGE, "origin", 0.02),
        (RAIL, "opening", 0.02),
        (RAIL, "axis", 0.05),
    ],
)
def test_a_part_behind_another_has_the_gradient_of_what_is_seen_of_it(
    renderer: Renderer, joint: Joint, number: str, reach: float
) -> None:
    screen = box_scenes.Part([((-1.0, -1.0, 0.5), (0.4, 1.0, 0.6))], (0, 0, 0))
    panel = box_scenes.Part([((-0.6, -0.5, -0.3), (0.7, 0.5, -0.2))], (0, 0, 0), joint)
    scene = Scene.of([screen, panel], [0.0, 0.2])
    alone = Scene.of([replace(screen, boxes=[((-1.0, -1.0, -9.6), (0.4, 1.0, -9.5))]), panel], [0.0, 0.2])
    shown, whole = ((one.picture(renderer)[..., 0] - 0.6).abs().lt(0.05).sum().item() for one in (scene, alone))
    assert 0.2 * whole < shown < 0.8 * whole
    compare(lambda value: scene.moved(renderer, number, DOOR, value), reach, 0.2)


def test_a_drawer_in_front_of_the_body_has_a_gradient(renderer: Renderer) -> None:
    # The opened drawer lies within the body's outline: only what it hides tells where it is.
    slide = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, 1.0]), np.zeros(3), 0.0, 0.5)
    parts = [
        box_scenes.Part([((-1.0, -1.0, -0.5), (1.0, 1.0, 0.5))], (0.2, 0.2, 0.2)),
        box_scenes.Part([((-0.3, -0.2, 0.0), (0.3, 0.2, 0.51))], (0.8, 0.8, 0.8), slide),
    ]
    scene = Scene.of(parts, [0.0, 0.2])
    outlines = [scene.moved(renderer, "opening", 1, torch.tensor(x))[..., 1] for x in (0.0, 0.04)]
    assert (outlines[0] - outlines[1]).abs().max().item() < 1e-9
    compare(lambda value: scene.moved(renderer, "opening", 1, value), 0.02, 0.2)
