"""Bytes of a request: what is read, and how refusals name the field."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from articulation.files import png
from services.refinement import decoding
from serving.errors import InvalidImage, InvalidRequest

BOX = trimesh.creation.box().export(file_type="glb")


GREY = np.full((32, 32, 3), 255, dtype=np.uint8)
GREY[8:24, 8:24] = 99


def test_a_glb_is_read() -> None:
    assert decoding.mesh(BOX, "part_meshes[0]", 100).volume == pytest.approx(1.0)


def test_node_transforms_are_applied() -> None:
    scene = trimesh.Scene()
    scene.add_geometry(trimesh.creation.box(), transform=trimesh.transformations.translation_matrix([0, 0, 3]))
    mesh = decoding.mesh(scene.export(file_type="glb"), "part_meshes[0]", 100)
    np.testing.assert_allclose(mesh.bounds[:, 2], [2.5, 3.5])


@given(st.integers(0, len(BOX) - 1), st.binary(min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_a_damaged_glb_is_refused_or_read(position: int, patch: bytes) -> None:
    damaged = BOX[:position] + patch + BOX[position + len(patch) :]
    try:
        mesh = decoding.mesh(damaged, "part_meshes[4]", 100)
    except InvalidRequest as error:
        assert error.violations[0].field == "part_meshes[4]"
    else:
        assert np.isfinite(mesh.vertices).all()
        assert mesh.faces.max() < len(mesh.vertices)


@given(st.integers(0, len(BOX) - 1))
@settings(max_examples=60, deadline=None)
def test_a_truncated_glb_is_refused(length: int) -> None:
    with pytest.raises(InvalidRequest):
        decoding.mesh(BOX[:length], "part_meshes[0]", 100)


def test_vertices_that_are_not_numbers_are_refused() -> None:
    box = trimesh.creation.box()
    box.vertices[0, 0] = np.nan
    with pytest.raises(InvalidRequest, match="finite"):
        decoding.mesh(box.export(file_type="glb"), "part_meshes[0]", 100)


def test_a_mesh_without_faces_is_refused() -> None:
    points = trimesh.Scene(trimesh.PointCloud(np.eye(3))).export(file_type="glb")
    with pytest.raises(InvalidRequest, match=r"part_meshes\[2\].*no faces"):
        decoding.mesh(points, "part_meshes[2]", 100)


def test_too_many_faces_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="more than 5"):
        decoding.mesh(BOX, "part_meshes[0]", 5)


def test_faces_are_counted_before_nodes_are_joined() -> None:
    scene = trimesh.Scene()
    for index in range(10):
        shift = trimesh.transformations.translation_matrix([0, 0, 0.1 * index])
        scene.add_geometry(trimesh.creation.box(), geom_name="box", transform=shift)
    with pytest.raises(InvalidRequest, match="120 faces, more than 100"):
        decoding.mesh(scene.export(file_type="glb"), "part_meshes[0]", 100)


def test_a_mesh_in_other_units_is_refused() -> None:
    box = trimesh.creation.box(extents=(600, 600, 600))  # millimetres
    with pytest.raises(InvalidRequest, match=r"fills \[-1, 1\]"):
        decoding.mesh(box.export(file_type="glb"), "part_meshes[0]", 100)


def test_an_image_is_read() -> None:
    np.testing.assert_array_equal(decoding.image(png(GREY), "open_image", 10**6), GREY)


def test_an_image_without_an_object_is_refused() -> None:
    with pytest.raises(InvalidImage, match="no object") as caught:
        decoding.image(png(np.full((32, 32, 3), 255, dtype=np.uint8)), "open_image", 64 * 64)
    assert caught.value.violations[0].field == "open_image"


def test_an_image_without_background_is_refused() -> None:
    with pytest.raises(InvalidImage, match="no background") as caught:
        decoding.image(png(np.zeros((32, 32, 3), dtype=np.uint8)), "closed_image", 64 * 64)
    assert caught.value.violations[0].field == "closed_image"
