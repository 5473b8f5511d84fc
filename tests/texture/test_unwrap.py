import numpy as np
import pytest
import torch
import trimesh
from texture_scenes import cabinet

from services.texture.raster import barycentric, centers, fragments
from services.texture.unwrap import MIN_COSINE, UvMesh, texel_corners, unwrap

SIZE = 256


def bumpy() -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(4, 0.9)
    mesh.vertices += np.random.default_rng(0).normal(size=mesh.vertices.shape) * 0.004
    return mesh


def helix() -> trimesh.Trimesh:
    """A ramp that winds twice around and over itself: one smooth side that overlaps when laid flat."""
    angle = np.linspace(0, 4 * np.pi, 121)
    rim = np.stack([np.cos(angle), angle * 0.05, np.sin(angle)], -1)
    vertices = np.concatenate([rim, rim * (0.5, 1, 0.5)])
    i = np.arange(120)
    faces = np.concatenate([np.stack([i, i + 121, i + 1], -1), np.stack([i + 1, i + 121, i + 122], -1)])
    return trimesh.Trimesh(vertices, faces, process=False)


MESHES = {"body": cabinet()[0], "door": cabinet()[1], "bumpy": bumpy(), "helix": helix()}


def flat(name: str) -> UvMesh:
    return unwrap(np.array(MESHES[name].vertices), np.array(MESHES[name].faces), SIZE)


@pytest.mark.parametrize("name", MESHES)
def test_uvs_lie_in_the_unit_square(name: str) -> None:
    uvs = flat(name).uvs
    assert uvs.min() >= 0
    assert uvs.max() <= 1


@pytest.mark.parametrize("name", MESHES)
def test_no_texel_lies_inside_two_faces(name: str) -> None:
    corners = texel_corners(flat(name), SIZE)
    count = torch.zeros(SIZE * SIZE)
    for face, pixel in fragments(corners, SIZE):
        inside = barycentric(corners[face], centers(pixel, SIZE)).amin(-1) > 1e-3
        count += torch.bincount(pixel[inside], minlength=SIZE * SIZE)
    assert count.max() == 1
    assert count.mean() > 0.25


@pytest.mark.parametrize("name", MESHES)
def test_faces_keep_their_order_and_place(name: str) -> None:
    mesh = flat(name)
    original = MESHES[name].vertices[MESHES[name].faces]
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], original)


def signed_areas(mesh: UvMesh) -> np.ndarray:
    """(F,) in the texture, positive if counter-clockwise with v up."""
    a, b, c = mesh.uvs[mesh.faces].transpose(1, 0, 2)
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    return (ux * vy - uy * vx) / 2


@pytest.mark.parametrize("name", MESHES)
def test_faces_are_not_mirrored(name: str) -> None:
    assert (signed_areas(flat(name)) >= -1e-9).all()


@pytest.mark.parametrize("name", MESHES)
def test_texels_are_shared_out_by_area(name: str) -> None:
    ratio = signed_areas(flat(name)) / MESHES[name].area_faces
    # xatlas rounds each chart to whole texels, which adds a little.
    assert ratio.min() > 0.85 * MIN_COSINE * ratio.max()


def test_a_ramp_over_itself_is_cut() -> None:
    assert len(np.unique(flat("helix").charts)) > 1


def test_a_box_has_six_charts() -> None:
    box = trimesh.creation.box((1, 2, 0.5)).subdivide().subdivide()
    assert len(np.unique(unwrap(np.array(box.vertices), np.array(box.faces), SIZE).charts)) == 6


def test_faces_without_area_are_kept() -> None:
    box = trimesh.creation.box()
    faces = np.concatenate([box.faces, [[0, 0, 1], [2, 2, 2]]])
    mesh = unwrap(np.array(box.vertices), faces, SIZE)
    assert len(mesh.faces) == len(faces)
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], box.vertices[faces])


def test_triangle_soup_unwraps_like_its_welded_mesh() -> None:
    box = trimesh.creation.box().subdivide()
    soup = unwrap(np.array(box.triangles.reshape(-1, 3)), np.arange(len(box.faces) * 3).reshape(-1, 3), SIZE)
    assert len(np.unique(soup.charts)) == 6


def test_scattered_triangles_fit_even_where_gaps_are_larger_than_charts() -> None:
    vertices = np.random.default_rng(0).uniform(-1, 1, (3000, 3))
    mesh = unwrap(vertices, np.arange(3000).reshape(-1, 3), 64)
    assert len(np.unique(mesh.charts)) >= 900
    assert 0 <= mesh.uvs.min() <= mesh.uvs.max() <= 1
