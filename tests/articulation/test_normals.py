import numpy as np
import trimesh
from articulations import box_mesh
from hypothesis import given
from hypothesis import strategies as st

from articulation.normals import corner_normals, face_normals


def test_a_box_keeps_its_edges() -> None:
    box = box_mesh(np.zeros(3), [1.0, 2.0, 3.0])
    normals = corner_normals(box.vertices, box.faces)
    assert np.allclose(normals, face_normals(box.vertices[box.faces])[0][:, None])


def test_a_ball_is_smooth() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    vertices, faces = np.asarray(ball.vertices), np.asarray(ball.faces)
    assert np.allclose(corner_normals(vertices, faces), vertices[faces], atol=0.02)


def test_a_cylinder_is_smooth_around_and_sharp_at_its_rims() -> None:
    cylinder = trimesh.creation.cylinder(1.0, 2.0, sections=64)
    vertices, faces = np.asarray(cylinder.vertices), np.asarray(cylinder.faces)
    normals = corner_normals(vertices, faces)
    radial = vertices[faces] * [1, 1, 0]
    flat = np.abs(cylinder.face_normals[:, 2]) > 0.5
    assert np.allclose(normals[flat], cylinder.face_normals[flat][:, None])
    assert np.allclose(normals[~flat], radial[~flat], atol=0.01)


def test_both_sides_of_a_sheet_keep_their_own_normals() -> None:
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    normals = corner_normals(vertices, np.array([[0, 1, 2], [0, 2, 1]]))
    assert np.allclose(normals, [[[0, 0, 1]] * 3, [[0, 0, -1]] * 3])


@given(st.integers(0, 2**32 - 1))
def test_normals_of_any_soup_are_of_unit_length_and_near_their_face(seed: int) -> None:
    random = np.random.default_rng(seed)
    vertices = random.normal(size=(8, 3))
    faces = np.array([random.permutation(8)[:3] for _ in range(20)])
    normals = corner_normals(vertices, faces)
    assert np.allclose(np.linalg.norm(normals, axis=-1), 1.0)
    assert ((normals * face_normals(vertices[faces])[0][:, None]).sum(-1) > 0.7).all()
