"""The torch camera against `articulation.camera`."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from articulation.camera import Camera
from services.refinement.camera import project

CAMERAS = st.builds(
    Camera,
    azimuth=st.floats(-3, 3),
    elevation=st.floats(-1.4, 1.4),
    distance=st.floats(3, 10),
    fov=st.floats(0.1, 1.5),
    shift=st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
)


@given(CAMERAS, st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_projection_equals_the_core(camera: Camera, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-1, 1, (7, 3))
    image, depth = project(torch.tensor(camera.to_array())[None], torch.tensor(points)[None])
    expected_image, expected_depth = camera.project(points)
    np.testing.assert_allclose(image[0].numpy(), expected_image, atol=1e-9)
    np.testing.assert_allclose(depth[0].numpy(), expected_depth, atol=1e-9)


def test_gradients_equal_finite_differences() -> None:
    camera = torch.tensor([[0.4, 0.3, 4.0, 0.7, 0.1, -0.1]], dtype=torch.float64, requires_grad=True)
    points = torch.rand(1, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(project, (camera, points))
