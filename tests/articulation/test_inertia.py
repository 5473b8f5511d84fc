import mujoco
import numpy as np
import pytest
import trimesh
from articulations import box_mesh, unit_vectors, vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from articulation.asset import Inertial, Mesh
from articulation.errors import InvalidMesh
from articulation.inertia import about_axis, combine, is_closed, is_physical, mesh_inertial, solid_inertial, volume
from articulation.typing import Array

TORUS = trimesh.creation.torus(0.5, 0.2)


def mesh_of(source: trimesh.Trimesh) -> Mesh:
    return Mesh(np.asarray(source.vertices), np.asarray(source.faces))


@given(vectors(), st.floats(0.1, 9))
@settings(max_examples=30, deadline=None)
def test_mesh_inertial_agrees_with_trimesh(offset: Array, density: float) -> None:
    moved = TORUS.copy()
    moved.apply_translation(offset)
    moved.density = density
    ours = mesh_inertial(mesh_of(moved), density)
    assert ours.mass == pytest.approx(moved.mass)
    assert np.allclose(ours.center, moved.center_mass)
    assert np.allclose(ours.inertia, moved.moment_inertia)


def test_a_box_has_the_inertia_of_the_textbook() -> None:
    inertial = mesh_inertial(box_mesh(np.array([5.0, 0, 0]), [1.0, 2.0, 3.0]), 2.0)
    assert inertial.mass == pytest.approx(12)
    assert np.allclose(inertial.center, [5, 0, 0])
    assert np.allclose(inertial.inertia, np.diag([13.0, 10.0, 5.0]))


def test_an_inside_out_mesh_is_refused() -> None:
    box = box_mesh(np.zeros(3), [1.0, 1.0, 1.0])
    with pytest.raises(InvalidMesh, match="no volume"):
        mesh_inertial(Mesh(box.vertices, box.faces[:, ::-1]), 1.0)


def test_volume_of_a_torus() -> None:
    assert volume(mesh_of(TORUS)) == pytest.approx(TORUS.volume)


def test_a_box_is_closed_until_a_face_goes() -> None:
    box = box_mesh(np.zeros(3), [1.0, 1.0, 1.0])
    assert is_closed(box)
    assert not is_closed(Mesh(box.vertices, box.faces[1:]))


def test_combining_halves_gives_the_whole() -> None:
    halves = [mesh_inertial(box_mesh(np.array([x, 0, 0]), [1.0, 2.0, 3.0]), 1.0) for x in (-0.5, 0.5)]
    whole = mesh_inertial(box_mesh(np.zeros(3), [2.0, 2.0, 3.0]), 1.0)
    joined = combine(halves)
    assert joined.mass == pytest.approx(whole.mass)
    assert np.allclose(joined.center, whole.center)
    assert np.allclose(joined.inertia, whole.inertia)


def test_an_open_mesh_takes_its_convex_pieces() -> None:
    box = box_mesh(np.zeros(3), [1.0, 1.0, 1.0])
    inertial = solid_inertial(Mesh(box.vertices, box.faces[1:]), [box_mesh(np.zeros(3), [1.0, 1.0, 2.0])], 1.0)
    assert inertial.mass == pytest.approx(2)


def test_inertia_about_a_door_s_edge() -> None:
    door = mesh_inertial(box_mesh(np.array([0.5, 0, 0]), [1.0, 0.01, 1.0]), 100.0)
    assert about_axis(door, np.zeros(3), np.array([0.0, 0, 1])) == pytest.approx(door.mass / 3, rel=1e-3)


def test_moments_that_break_the_triangle_inequality_are_not_physical() -> None:
    assert is_physical(Inertial(1.0, np.zeros(3), np.diag([1.0, 2.0, 2.5])))
    assert not is_physical(Inertial(1.0, np.zeros(3), np.diag([1.0, 1.0, 2.5])))


@given(unit_vectors(), st.floats(1e-7, 1e-3))
@settings(max_examples=40, deadline=None)
def test_mujoco_takes_the_inertia_of_the_thinnest_plate(axis: Array, thickness: float) -> None:
    box = trimesh.creation.box((1.0, 0.7, thickness))
    box.apply_transform(trimesh.transformations.rotation_matrix(1.0, axis))
    inertial = mesh_inertial(Mesh(box.vertices + 3.0, box.faces), 1e6)
    moments = inertial.inertia[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    full = " ".join(f"{value:.10g}" for value in moments)
    mujoco.MjModel.from_xml_string(
        f"<mujoco><worldbody><body><freejoint/><inertial pos='0 0 0' mass='{inertial.mass}' fullinertia='{full}'/>"
        "</body></worldbody></mujoco>"
    )
    assert is_physical(inertial)
