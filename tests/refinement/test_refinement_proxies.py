"""Low-poly proxies: what decimation and packing keep."""

import numpy as np
import pytest
import torch
import trimesh

from services.refinement import proxies

CPU = torch.device("cpu")


def test_a_fine_mesh_keeps_its_shape_with_few_faces() -> None:
    fine = trimesh.creation.icosphere(subdivisions=5)
    vertices, faces = proxies.simplify(fine, 300)
    assert len(faces) <= 320
    small = trimesh.Trimesh(vertices, faces)
    assert small.volume == pytest.approx(fine.volume, rel=0.05)


def test_decimation_keeps_the_corners_of_panels() -> None:
    # A large panel with a finely divided knob: eager collapses would take the panel's corners first.
    panel = trimesh.creation.box(extents=(2, 2, 0.1))
    knob = trimesh.creation.icosphere(subdivisions=4, radius=0.1)
    vertices, faces = proxies.simplify(trimesh.util.concatenate([panel, knob]), 400)
    np.testing.assert_allclose(vertices[np.unique(faces)].max(0)[:2], [1, 1], atol=0.031)
    assert len(faces) < 12 + len(knob.faces)


def test_texture_seams_are_welded() -> None:
    box = trimesh.creation.box()
    torn = trimesh.Trimesh(box.vertices[box.faces].reshape(-1, 3), np.arange(36).reshape(-1, 3), process=False)
    vertices, faces = proxies.simplify(torn, 100)
    assert len(vertices) == 8
    assert (proxies.edge_neighbours(faces) >= 0).all()


def loose_triangles(count: int) -> trimesh.Trimesh:
    """Nothing that edge collapses can make smaller."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(-1, 1, (count, 1, 3)) + 0.01 * rng.normal(size=(count, 3, 3))
    return trimesh.Trimesh(corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3), process=False)


def test_what_cannot_be_decimated_is_made_coarser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "MOST_FACES", 500)
    soup = loose_triangles(3000)
    vertices, faces = proxies.simplify(soup, 100)
    assert 100 < len(faces) <= 500
    assert proxies.outline_error(soup.vertices, vertices) < 0.2


def test_decimation_is_given_no_more_faces_than_it_can_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []

    def decimate(vertices: np.ndarray, faces: np.ndarray, max_faces: int) -> tuple[np.ndarray, np.ndarray]:
        given.append(len(faces))
        return vertices, faces

    monkeypatch.setattr(proxies, "MANY_FACES", 5000)
    monkeypatch.setattr(proxies, "decimate", decimate)
    fine = trimesh.creation.icosphere(subdivisions=5)
    vertices, _ = proxies.simplify(fine, 300)
    assert 300 < given[0] <= 5000
    assert proxies.outline_error(fine.vertices, vertices) < proxies.OUTLINE_TOLERANCE


@pytest.mark.slow
def test_a_million_loose_triangles_become_a_few_thousand() -> None:
    assert len(proxies.simplify(loose_triangles(10**6), 300)[1]) <= proxies.MOST_FACES


def test_neighbours_equal_trimesh_adjacency() -> None:
    mesh = trimesh.creation.icosphere(subdivisions=2)
    ours = {
        tuple(sorted((face, int(other))))
        for face, row in enumerate(proxies.edge_neighbours(mesh.faces))
        for other in row
    }
    assert ours == {tuple(sorted(pair)) for pair in mesh.face_adjacency.tolist()}


def test_an_open_border_has_no_neighbour() -> None:
    assert (proxies.edge_neighbours(np.array([[0, 1, 2], [2, 1, 3]])) >= 0).sum() == 2


def test_parts_are_packed_one_after_the_other() -> None:
    packed = proxies.build([trimesh.creation.box(), trimesh.creation.box(extents=(2, 4, 6))], 100, CPU)
    assert packed.links == 2
    torch.testing.assert_close(packed.bounds[1], torch.tensor([[-1.0, -2, -3], [1, 2, 3]]))
    assert (packed.vertex_link[packed.faces] == packed.face_link[:, None]).all()


def test_faces_know_the_side_they_look_to() -> None:
    mesh = trimesh.creation.box()
    sides = proxies.face_sides(mesh.vertices, mesh.faces)
    for side, normal in zip(sides, mesh.face_normals, strict=True):
        assert normal[side // 2] == pytest.approx(1 if side % 2 == 0 else -1)


def test_one_link_of_many_is_what_it_would_be_alone() -> None:
    meshes = [trimesh.creation.icosphere(subdivisions=1), trimesh.creation.box(), trimesh.creation.cylinder(0.3, 1.0)]
    middle, alone = proxies.build(meshes, 100, CPU).only(1), proxies.build(meshes[1:2], 100, CPU)
    torch.testing.assert_close(middle.vertices[middle.faces], alone.vertices[alone.faces])
    torch.testing.assert_close(middle.neighbours, alone.neighbours)
    torch.testing.assert_close(middle.face_side, alone.face_side)
    assert middle.face_link.unique().tolist() == [1]
