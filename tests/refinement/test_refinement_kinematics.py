"""Torch kinematics against the core's numpy kinematics, and its gradients against finite differences."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from articulation import kinematics as core
from articulation.joint import Joint, JointType
from articulation.tree import Articulation, Link
from services.refinement.kinematics import Screws, link_poses, transform


@st.composite
def trees(draw: st.DrawFn) -> tuple[Articulation, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 8))
    links = [Link("link_0", -1, Joint(JointType.FIXED))]
    for index in range(1, count):
        axis = rng.normal(size=3)
        kind = draw(st.sampled_from(list(JointType)))
        joint = Joint(kind, axis / np.linalg.norm(axis), rng.normal(size=3), -3.0, 3.0)
        links.append(Link(f"link_{index}", draw(st.integers(0, index - 1)), joint))
    return Articulation(tuple(links)), rng.uniform(-3, 3, count)


def screws_of(tree: Articulation) -> Screws:
    return Screws.of([[link.joint for link in tree]], torch.device("cpu"), torch.float64)


@given(trees())
@settings(max_examples=50, deadline=None)
def test_poses_equal_the_core(case) -> None:
    tree, q = case
    poses = link_poses(screws_of(tree), tree.parents, torch.tensor(q)[None])
    np.testing.assert_allclose(poses[0].numpy(), core.link_poses(tree, q)[:, :3], atol=1e-12)


@given(trees())
@settings(max_examples=10, deadline=None)
def test_points_travel_with_their_links(case) -> None:
    tree, q = case
    points = np.random.default_rng(0).normal(size=(len(tree), 5, 3))
    links = torch.arange(len(tree)).repeat_interleave(5)
    poses = link_poses(screws_of(tree), tree.parents, torch.tensor(q)[None])
    moved = transform(poses, links, torch.tensor(points.reshape(-1, 3)))
    np.testing.assert_allclose(
        moved[0].numpy(), core.transform_points(core.link_poses(tree, q), points).reshape(-1, 3), atol=1e-12
    )


def test_gradients_equal_finite_differences() -> None:
    rng = torch.Generator().manual_seed(3)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64).requires_grad_()

    rotates, slides = torch.tensor([[False, True, False, True]]), torch.tensor([[False, False, True, False]])

    def poses(axis: torch.Tensor, origin: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        unit = axis / axis.norm(dim=-1, keepdim=True)
        return link_poses(Screws(unit, origin, rotates, slides), (-1, 0, 1, 2), q)

    assert torch.autograd.gradcheck(poses, (random(1, 4, 3), random(1, 4, 3), random(1, 4)))
