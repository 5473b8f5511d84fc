import numpy as np
import pytest
import torch
import trimesh

from services.texture.views import AXES, MARGIN, Frame, draw, facing, place

SIZE = 64
SIDES = ("front", "right", "back", "left", "top", "bottom")
TOWARDS = ((0, 0, 1), (1, 0, 0), (0, 0, -1), (-1, 0, 0), (0, 1, 0), (0, -1, 0))


def box(extents: tuple[float, float, float] = (2.0, 1.0, 0.5)) -> trimesh.Trimesh:
    return trimesh.creation.box(extents)


def frame_of(mesh: trimesh.Trimesh) -> Frame:
    return Frame.around(torch.tensor(mesh.vertices, dtype=torch.float32))


def test_views_are_rotations_that_look_along_the_six_axes() -> None:
    assert torch.equal(AXES[:, 2], torch.tensor(TOWARDS, dtype=torch.float32))
    assert torch.equal(torch.linalg.cross(AXES[:, 0], AXES[:, 1]), AXES[:, 2])


def test_rows_of_the_ring_share_their_heights_and_columns_of_the_meridian_their_places() -> None:
    points = torch.rand(50, 3) * 2 - 1
    image, _ = place(points, Frame(torch.zeros(3), 1.0))
    for view in (1, 2, 3):
        torch.testing.assert_close(image[view, :, 1], image[0, :, 1])
    for view in (2, 4, 5):
        torch.testing.assert_close(image[view, :, 0], -image[0, :, 0])


@pytest.mark.parametrize("view", range(6), ids=SIDES)
def test_a_box_is_drawn_to_scale_with_its_own_side_in_front(view: int) -> None:
    mesh = box()
    frame = frame_of(mesh)
    maps = draw(mesh.vertices, mesh.faces, frame, SIZE)
    seen = maps.depth[view].isfinite()
    across, up = (float(np.abs(AXES[view, axis].numpy() * mesh.extents).sum()) for axis in (0, 1))
    pixel = frame.pixel(SIZE)
    assert abs(int(seen.any(0).sum()) - across / pixel) <= 1
    assert abs(int(seen.any(1).sum()) - up / pixel) <= 1
    front = float(np.abs(AXES[view, 2].numpy() * mesh.extents).sum()) / 2
    torch.testing.assert_close(maps.depth[view][seen], torch.full((int(seen.sum()),), -front))


def test_maps_hold_position_and_normal_in_the_model_s_own_frame() -> None:
    """Its z points up and its front looks along -y; the object's longest side spans [0, 1], nothing is 0.5."""
    mesh = box()
    maps = draw(mesh.vertices, mesh.faces, frame_of(mesh), SIZE).channels
    for view, towards in enumerate(TOWARDS):
        x, y, z = towards
        middle = maps[view, :, SIZE // 2, SIZE // 2]
        torch.testing.assert_close(middle[3:], torch.tensor([x, -z, y]) / 2 + 0.5)
        along = int(np.abs([x, -z, y]).argmax())
        extent = mesh.extents[np.abs(towards).argmax()]
        assert float(middle[along]) == pytest.approx(0.5 + (x - z + y) * extent / 2 / 2, abs=1e-5)
        assert (maps[view, :, 0, 0] == 0.5).all()
    assert maps[:, :3].min() >= 0 and maps[:, :3].max() <= 1


def test_the_object_need_not_lie_in_the_middle() -> None:
    mesh = box()
    moved = mesh.copy().apply_transform(trimesh.transformations.scale_and_translate(3, (5, -2, 1)))
    first, second = (draw(own.vertices, own.faces, frame_of(own), SIZE) for own in (mesh, moved))
    torch.testing.assert_close(first.channels, second.channels, atol=1e-4, rtol=0)
    assert frame_of(moved).pixel(SIZE) == pytest.approx(3 * 2 * MARGIN / SIZE)


def test_facing_is_the_share_of_the_normal_towards_the_viewer() -> None:
    normals = torch.nn.functional.normalize(torch.randn(20, 3), dim=-1)
    torch.testing.assert_close(facing(normals), torch.stack([normals @ own for own in AXES[:, 2]]))
