import mujoco
import numpy as np
import pytest
import trimesh
from articulations import box_mesh, unit_vectors, vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from articulation.asset import Inertial, Mesh
from articulation.errors import InvalidMesh
from articulation.inertia import about_axis, combine, is_physical, link_inertial, mesh_inertial, volume
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


def test_combining_halves_gives_the_whole() -> None:
    halves = [mesh_inertial(box_mesh(np.array([x, 0, 0]), [1.0, 2.0, 3.0]), 1.0) for x in (-0.5, 0.5)]
    whole = mesh_inertial(box_mesh(np.zeros(3), [2.0, 2.0, 3.0]), 1.0)
    joined = combine(halves)
    assert joined.mass == pytest.approx(whole.mass)
    assert np.allclose(joined.center, whole.center)
    assert np.allclose(joined.inertia, whole.inertia)


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
    load_in_mujoco(inertial)
    assert is_physical(inertial)


@st.composite
def any_meshes(draw: st.DrawFn) -> Mesh:
    """Random soups, and boxes that are inverted, open, flat, torn or cut to a point, of any size up to metres."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1e-6, 1e-3, 0.1, 1.0, 5.0])) * np.array(
        [draw(st.sampled_from([0.0, 1e-7, 1e-3, 1.0])) for _ in range(3)]
    )
    if draw(st.booleans()):
        return Mesh(random.normal(size=(12, 3)) * scale, random.integers(0, 12, (draw(st.integers(1, 30)), 3)))
    box = trimesh.creation.box().subdivide()
    faces = box.faces[:, ::-1] if draw(st.booleans()) else box.faces
    flipped = random.random(len(faces)) < draw(st.sampled_from([0.0, 0.1, 0.5]))
    faces = np.where(flipped[:, None], faces[:, ::-1], faces)[: draw(st.integers(1, len(faces)))]
    noise = draw(st.sampled_from([0.0, 0.01, 0.5])) * random.normal(size=box.vertices.shape)
    return Mesh((box.vertices + noise) * scale + random.normal(size=3), faces)


@given(any_meshes(), st.sampled_from([50.0, 1000.0]))
@settings(max_examples=150, deadline=None)
def test_mujoco_takes_a_link_of_any_mesh(mesh: Mesh, density: float) -> None:
    inertial = link_inertial(mesh, density)
    load_in_mujoco(inertial)
    assert is_physical(inertial)
    assert np.all(np.abs(inertial.center - mesh.vertices.mean(0)) <= 0.01 + np.ptp(mesh.vertices, axis=0))


def test_a_link_of_a_sound_mesh_has_its_inertia() -> None:
    own, link = (function(mesh_of(TORUS), 2.0) for function in (mesh_inertial, link_inertial))
    assert own.mass == link.mass
    assert np.array_equal(own.inertia, link.inertia)


def test_a_link_of_an_inside_out_mesh_has_the_inertia_of_its_box() -> None:
    box = box_mesh(np.array([0.0, 0, 4]), [1.0, 2.0, 3.0])
    turned = link_inertial(Mesh(box.vertices, box.faces[:, ::-1]), 2.0)
    assert turned.mass == pytest.approx(12)
    assert np.allclose(turned.center, [0, 0, 4])
    assert np.allclose(turned.inertia, np.diag([13.0, 10.0, 5.0]))


def test_a_mesh_that_weighs_more_at_its_ends_than_in_all_is_refused() -> None:
    """A block with another, inside out, in its middle: positive volume, but no solid's second moments."""
    outer, inner = box_mesh(np.zeros(3), [1.0, 1.0, 1.0]), box_mesh(np.zeros(3), [3.0, 0.5, 0.5])
    both = Mesh(
        np.concatenate([outer.vertices, inner.vertices]), np.concatenate([outer.faces, inner.faces[:, ::-1] + 8])
    )
    assert volume(both) > 0
    with pytest.raises(InvalidMesh, match="no solid"):
        mesh_inertial(both, 1.0)


def load_in_mujoco(inertial: Inertial) -> None:
    """Raises ValueError where MuJoCo refuses it."""
    moments = inertial.inertia[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    full = " ".join(f"{value:.10g}" for value in moments)
    mujoco.MjModel.from_xml_string(
        f"<mujoco><worldbody><body><freejoint/><inertial pos='0 0 0' mass='{inertial.mass}' fullinertia='{full}'/>"
        "</body></worldbody></mujoco>"
    )
