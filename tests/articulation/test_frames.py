"""The two frames of an object, there and back."""

import numpy as np
from articulations import vectors
from hypothesis import given
from hypothesis import strategies as st

from articulation.frames import UrdfFrame


@given(vectors(), st.floats(0.01, 10), st.floats(-1, 0))
def test_the_way_back_ends_where_it_began(point: np.ndarray, scale: float, floor: float) -> None:
    frame = UrdfFrame(scale, floor)
    assert np.allclose(frame.points_to_model(frame.points(point)), point, atol=1e-9)


def test_the_upper_right_front_corner_of_a_cube_of_half_a_metre() -> None:
    assert np.allclose(UrdfFrame(scale=0.25).points([1.0, 1.0, 1.0]), [0.25, 0.25, 0.5])
