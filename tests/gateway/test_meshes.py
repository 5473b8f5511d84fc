"""Part meshes in tensors and GLB."""

import io
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.meshes import PackedMeshes, read_glb, read_textured_glb, write_glb


def box(size: float) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.box([size, 2 * size, 3 * size])
    return np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=5))
def test_packing_and_glb_bring_every_part_back(sizes: list[float]) -> None:
    parts = [box(size) for size in sizes]
    packed = PackedMeshes.pack(parts)
    assert len(packed) == len(parts)
    for index, (vertices, faces) in enumerate(parts):
        read = read_glb(write_glb(*packed.part(index)))
        assert np.array_equal(read[0], vertices)
        assert np.array_equal(read[1], faces)


def test_a_texture_and_its_v_axis_survive_another_reader() -> None:
    """trimesh's own scene loader: the texel at v = 1 is the top row of the image."""
    texture = np.zeros((4, 4, 3), np.uint8)
    texture[0] = (250, 10, 20)
    vertices, faces = box(0.5)
    uvs = np.full((len(vertices), 2), (0.5, 0.95))
    (mesh,) = trimesh.load_scene(io.BytesIO(write_glb(vertices, faces, uvs, texture)), "glb").geometry.values()
    colours = mesh.visual.to_color().vertex_colors[:, :3]
    assert (colours == (250, 10, 20)).all()


def test_a_textured_part_comes_back() -> None:
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (8, 8, 3), np.uint8)
    vertices, faces = box(0.5)
    uvs = rng.random((len(vertices), 2))
    mesh = read_textured_glb(write_glb(vertices, faces, uvs, texture))
    assert np.array_equal(mesh.texture, texture)
    assert mesh.uvs == pytest.approx(uvs, abs=1e-6)
    assert np.array_equal(mesh.vertices, vertices)


def test_what_is_packed_has_no_problem() -> None:
    assert PackedMeshes.pack([box(0.5), box(1.0)]).problem() == ""


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("vertices", np.zeros((16, 2), np.float32), "vertices of shape (16, 2)"),
        ("vertices", np.full((16, 3), np.nan, np.float32), "not finite"),
        ("vertex_offsets", np.array([0, 9, 8, 16], np.int32), "offsets that do not part 16 rows"),
        ("vertex_offsets", np.array([0, 8], np.int32), "offsets that do not part 16 rows"),
        ("vertex_offsets", np.array([1, 8, 16], np.int32), "offsets that do not part 16 rows"),
        ("vertex_offsets", np.array([0, 16], np.int32), "vertices of 1 parts and faces of 2"),
        ("face_offsets", np.array([], np.int32), "offsets that do not part 24 rows"),
        ("faces", np.full((24, 3), 8, np.int32), "faces at vertices that there are not"),
        ("faces", np.full((24, 3), -1, np.int32), "faces at vertices that there are not"),
    ],
)
def test_a_broken_layout_is_told(name: str, value: np.ndarray, problem: str) -> None:
    packed = replace(PackedMeshes.pack([box(0.5), box(1.0)]), **{name: value})
    assert problem in packed.problem()
