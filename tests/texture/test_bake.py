import numpy as np
import torch
import trimesh
from scipy.ndimage import binary_dilation

from services.texture.bake import corner_normals, paint, patch_side, patches, texels
from services.texture.unwrap import unwrap

SIZE = 96


def box() -> trimesh.Trimesh:
    return trimesh.creation.box((1.2, 0.8, 0.6)).subdivide().subdivide()


def baked():
    mesh = unwrap(np.array(box().vertices), np.array(box().faces), SIZE)
    return mesh, texels(mesh, SIZE)


def test_texels_lie_on_the_surface() -> None:
    _, places = baked()
    _, distance, _ = trimesh.proximity.closest_point(box(), places.points.numpy())
    assert distance.max() < 1e-5


def test_texels_look_outwards() -> None:
    _, places = baked()
    _, _, face = trimesh.proximity.closest_point(box(), places.points.numpy() * 0.999)
    agreement = (box().face_normals[face] * places.normals.numpy()).sum(1)
    assert np.median(agreement) > 0.999


def test_a_texel_is_found_again_through_its_uv() -> None:
    mesh, places = baked()
    texture = paint(places, (places.points + 1) / 2, SIZE)
    uv = mesh.uvs[mesh.faces].mean(1)
    column, row = (uv[:, 0] * SIZE).astype(int), ((1 - uv[:, 1]) * SIZE).astype(int)
    expected = (mesh.vertices[mesh.faces].mean(1) + 1) / 2 * 255
    assert np.abs(texture[row, column] - expected).max() < 2.5


def test_gaps_take_the_nearest_colour() -> None:
    _, places = baked()
    texture = paint(places, torch.full((len(places.index), 3), 0.5), SIZE)
    assert (texture == 128).all()


def test_seams_are_dilated_with_their_own_chart() -> None:
    _, places = baked()
    texture = paint(
        places,
        places.points.new_tensor([0.0, 0.2, 1.0])[(places.normals.abs().argmax(-1))][:, None] * torch.ones(3),
        SIZE,
    )
    covered = np.zeros(SIZE * SIZE, dtype=bool)
    covered[places.index.numpy()] = True
    ring = binary_dilation(covered.reshape(SIZE, SIZE), np.ones((3, 3))) & ~covered.reshape(SIZE, SIZE)
    assert ring.any()
    padded = np.pad(texture[..., 0].astype(int), 1, mode="edge")
    inside = np.pad(covered.reshape(SIZE, SIZE), 1)
    for row, column in zip(*ring.nonzero(), strict=True):
        near = padded[row : row + 3, column : column + 3][inside[row : row + 3, column : column + 3]]
        assert texture[row, column, 0] in near


def test_creases_stay_sharp_and_curves_smooth() -> None:
    cube = trimesh.creation.box()
    sharp = corner_normals(np.array(cube.vertices), np.array(cube.faces))
    np.testing.assert_allclose(sharp, np.repeat(cube.face_normals[:, None], 3, 1), atol=1e-9)
    ball = trimesh.creation.icosphere(3)
    smooth = corner_normals(np.array(ball.vertices), np.array(ball.faces))
    np.testing.assert_allclose(smooth, ball.vertices[ball.faces], atol=0.02)


def test_a_patch_is_a_square_of_one_chart() -> None:
    _, places = baked()
    spots = patches(places, SIZE, 4)
    corner = torch.stack([places.index // SIZE // 4, places.index % SIZE // 4, places.charts], 1)
    for patch in range(len(spots.points)):
        mine = spots.of_texel == patch
        assert len(torch.unique(corner[mine], dim=0)) == 1
        torch.testing.assert_close(spots.points[patch], places.points[mine].mean(0))
    assert len(torch.unique(corner, dim=0)) == len(spots.points)


def test_patches_of_one_texel_are_the_texels() -> None:
    _, places = baked()
    spots = patches(places, SIZE, 1)
    torch.testing.assert_close(spots.points[spots.of_texel], places.points)
    torch.testing.assert_close(spots.normals[spots.of_texel], places.normals)


def test_patches_are_no_wider_than_asked() -> None:
    mesh, places = baked()
    texel = np.sqrt(box().area / len(places.index))
    for spacing in (0.5 * texel, 3 * texel, 10 * texel):
        side = patch_side(mesh, SIZE, spacing)
        assert side == 1 or spacing / 2.2 < side * texel < spacing * 1.1
