import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from services.texture.raster import barycentric, centers, fragments, rasterize

SIZE = 24
corner = st.floats(-8, SIZE + 8, allow_nan=False, width=32)


def covers(triangle: np.ndarray, point: np.ndarray, slack: float) -> bool:
    """Signed areas by hand; `slack` > 0 shrinks the triangle, < 0 grows it."""
    a, b, c = triangle
    signs = [(q[0] - p[0]) * (point[1] - p[1]) - (q[1] - p[1]) * (point[0] - p[0]) for p, q in ((a, b), (b, c), (c, a))]
    return min(signs) > slack or max(signs) < -slack


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, (3, 2), elements=corner))
def test_fragments_are_the_pixel_centres_inside(triangle: np.ndarray) -> None:
    found = {int(p) for _, pixels in fragments(torch.from_numpy(triangle[None]), SIZE) for p in pixels}
    for pixel in range(SIZE * SIZE):
        center = np.array([pixel % SIZE + 0.5, pixel // SIZE + 0.5])
        if covers(triangle, center, 1e-6):
            assert pixel in found
        elif not covers(triangle, center, -1e-2):
            assert pixel not in found


def test_neighbouring_faces_leave_no_gap() -> None:
    generator = torch.Generator().manual_seed(0)
    grid = torch.stack(torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="xy"), -1) * 8
    grid[1:-1, 1:-1] += torch.rand(7, 7, 2, generator=generator) * 5 - 2.5
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
    corners = torch.cat([torch.stack([a, b, c], 2), torch.stack([a, c, d], 2)]).reshape(-1, 3, 2)
    face, _ = rasterize(corners, 64)
    assert (face >= 0).all()


def test_barycentric_weights_give_back_the_point() -> None:
    corners = torch.tensor([[[1.0, 2.0], [20.0, 5.0], [6.0, 19.0]]])
    face, weights = rasterize(corners, SIZE)
    index = (face.flatten() >= 0).nonzero()[:, 0]
    points = (weights.flatten(0, 1)[index, :, None] * corners[0]).sum(1)
    torch.testing.assert_close(points, centers(index, SIZE), atol=1e-4, rtol=0)


def test_nearer_face_wins_where_faces_cross() -> None:
    square = torch.tensor([[[0.0, 0.0], [48.0, 0.0], [0.0, 48.0]]]).repeat(2, 1, 1)
    nearness = torch.tensor([[1.0, 1.0, 1.0], [0.0, 4.0, 0.0]])  # the second comes forward to the right
    face, _ = rasterize(square, SIZE, nearness)
    assert (face[:, :12] == 0).all()
    assert (face[:, 12:] == 1).all()


def test_small_groups_give_the_same_picture(monkeypatch) -> None:
    generator = torch.Generator().manual_seed(1)
    corners = torch.rand(200, 3, 2, generator=generator) * SIZE
    nearness = torch.rand(200, 3, generator=generator)
    whole = rasterize(corners, SIZE, nearness)
    monkeypatch.setattr("services.texture.raster.FRAGMENTS_AT_ONCE", 50)
    for a, b in zip(whole, rasterize(corners, SIZE, nearness), strict=True):
        torch.testing.assert_close(a, b)


def test_flat_face_gives_its_first_corner() -> None:
    flat = torch.tensor([[[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]])
    assert barycentric(flat, torch.tensor([[2.0, 2.0]])).tolist() == [[1.0, 0.0, 0.0]]
