"""Colours that are known everywhere, here the position itself, painted in pictures and put back onto the surface."""

import pytest
import torch
from texture_scenes import CAMERA, parts
from torch import Tensor

from articulation.camera import Camera
from services.texture.backproject import cleaned, colored
from services.texture.bake import texels
from services.texture.meshes import PartMesh, joined, tensors
from services.texture.multiview_pipeline import reference_picture, sight_of_camera, sight_of_views
from services.texture.projection import depth_map, visible
from services.texture.unwrap import unwrap
from services.texture.views import Frame, Maps, draw

SIZE = 192
GREY = torch.full((3,), 0.5)


def scene() -> tuple[PartMesh, Frame, Maps]:
    whole = joined(parts())
    frame = Frame.around(torch.tensor(whole.vertices, dtype=torch.float32))
    return whole, frame, draw(whole.vertices, whole.faces, frame, SIZE)


def surface(index: int) -> tuple[Tensor, Tensor]:
    part = parts()[index]
    places = texels(unwrap(part.vertices, part.faces, 64), 64)
    return places.points, places.normals


def truth(points: Tensor, frame: Frame) -> Tensor:
    """(N, 3) what the position maps say of points: the model's x, y and z."""
    x, y, z = ((points - frame.center) / frame.half / 2 + 0.5).unbind(-1)
    return torch.stack([x, 1 - z, y], -1)


@pytest.mark.parametrize("index", [0, 1])
def test_what_the_views_show_gets_its_own_colour(index: int) -> None:
    _, frame, maps = scene()
    points, normals = surface(index)
    painted = cleaned(maps.channels[:, :3], maps.depth, frame.pixel(SIZE))
    found, shown = sight_of_views(points, normals, painted, maps, frame).colors()
    assert shown.float().mean() > 0.3
    wrong = (found - truth(points, frame))[shown].norm(dim=-1) * 2 * frame.half / frame.pixel(SIZE)
    assert wrong.median() < 1  # pixel
    assert wrong.quantile(0.98) < 6  # at a corner of an outline the nearest pixel inside is that far away


def test_the_inside_behind_a_door_is_in_no_view() -> None:
    _, frame, maps = scene()
    points, normals = surface(0)
    inside = (points.abs() < torch.tensor([0.75, 0.95, 0.35])).all(1)
    assert inside.sum() > 50
    shown = sight_of_views(points, normals, maps.channels[:, :3], maps, frame).colors()[1]
    assert not shown[inside].any()


def test_an_outline_that_is_painted_soft_and_beside_the_mesh_leaves_no_background() -> None:
    _, frame, maps = scene()
    shown = maps.depth.isfinite()[:, None].float()
    soft = torch.nn.functional.avg_pool2d(shown, 3, 1, 1).roll(1, -1).expand(-1, 3, -1, -1)  # white on black
    points, normals = surface(0)
    found, seen = sight_of_views(points, normals, cleaned(soft, maps.depth, frame.pixel(SIZE)), maps, frame).colors()
    assert found[seen].min() > 0.999
    found, seen = sight_of_views(points, normals, soft, maps, frame).colors()
    assert found[seen].min() < 0.8


def test_nothing_shines_through_the_door() -> None:
    """A picture that is red where the door stands leaves no red on the cabinet behind it."""
    _, frame, maps = scene()
    red = torch.zeros(6, 3, SIZE, SIZE)
    before_the_cabinet = 0.5 - (0.51 - float(frame.center[2])) / frame.half / 2
    red[:, 0] = (maps.channels[:, 1] < before_the_cabinet).float()
    points, normals = surface(0)
    found, shown = sight_of_views(points, normals, red, maps, frame).colors()
    assert shown.any()
    assert found[shown & (points[:, 2] < 0.4)].max() < 0.01


def test_the_picture_of_the_part_alone_shows_what_the_views_do_not() -> None:
    _, frame, maps = scene()
    points, normals = surface(0)
    eye = torch.tensor(Camera(0.1, 0.2, 4.0, 0.7).to_array(), dtype=torch.float32)
    depth = depth_map(*tensors(parts()[0], torch.device("cpu")), eye, SIZE)
    blue = torch.zeros(1, 3, SIZE, SIZE)
    blue[:, 2] = 1
    views = sight_of_views(points, normals, maps.channels[:, :3], maps, frame)
    alone = sight_of_camera(points, normals, blue, depth, eye)
    seen, also = views.colors()[1], alone.colors()[1]
    colors = colored(points, normals, [views, alone], GREY)
    assert (also & ~seen).sum() > 50
    torch.testing.assert_close(colors[also & ~seen], torch.tensor([[0.0, 0, 1]]).expand(int((also & ~seen).sum()), 3))
    torch.testing.assert_close(colors[seen], views.colors()[0][seen])


def test_the_rest_is_filled_from_surfaces_that_face_the_same_way() -> None:
    _, frame, maps = scene()
    points, normals = surface(0)
    painted = cleaned(maps.channels[:, 3:], maps.depth, frame.pixel(SIZE))  # with the normals
    sight = sight_of_views(points, normals, painted, maps, frame)
    shown = sight.colors()[1]
    x, y, z = (normals / 2 + 0.5).unbind(-1)
    colors = colored(points, normals, [sight], GREY)
    hidden = ~shown & (normals[:, 2] < 0.5)  # the door stands before every surface that faces the front
    assert hidden.sum() > 100
    assert (colors - torch.stack([x, 1 - z, y], -1))[hidden].abs().max() < 0.2  # normals are smooth across slivers


def test_two_sides_of_a_thin_sheet_keep_their_own_colours_where_one_is_filled() -> None:
    line = torch.linspace(-1, 1, 40)
    sheet = torch.stack([line, torch.zeros(40), torch.zeros(40)], -1)
    points = torch.cat([sheet, sheet + torch.tensor([0.0, 0.0, 0.02])])
    normals = torch.tensor([[0.0, 0, -1]] * 40 + [[0.0, 0, 1]] * 40)
    known = torch.ones(80, dtype=torch.bool)
    known[30:40] = False
    found = torch.cat([torch.tensor([[1.0, 0, 0]]).expand(40, 3), torch.tensor([[0.0, 0, 1]]).expand(40, 3)])

    class Given:
        def colors(self) -> tuple[Tensor, Tensor]:
            return found, known

    filled = colored(points, normals, [Given()], GREY)[30:40]
    assert (filled[:, 0] > 0.8).all()


def test_a_part_that_nothing_shows_takes_the_spare_colour() -> None:
    points, normals = surface(1)
    _, frame, maps = scene()
    hidden = Maps(maps.channels, torch.full_like(maps.depth, -10.0))  # something stands before all of it
    sight = sight_of_views(points, normals, maps.channels[:, :3], hidden, frame)
    assert (colored(points, normals, [sight], GREY) == 0.5).all()


def test_the_reference_is_the_object_in_the_middle_of_grey() -> None:
    white = torch.ones(1, 3, 50, 50)
    white[:, :, 10:20, 5:45] = torch.tensor([0.8, 0.1, 0.1])[:, None, None]
    found = reference_picture(white, torch.zeros(50, 50, dtype=torch.bool), 100)[0]
    assert (found[:, 50, 50] == torch.tensor([0.8, 0.1, 0.1])).all()
    own = (found - 0.5).abs().amax(0) > 0.05
    rows, columns = own.any(1).nonzero()[:, 0], own.any(0).nonzero()[:, 0]
    assert (len(columns), len(rows)) == (90, 22)
    assert (int(columns[0]), int(columns[-1])) == (5, 94)
    assert (found[:, 0, 0] == 0.5).all()


def test_a_white_object_is_cut_out_where_its_mesh_lies() -> None:
    silhouette = torch.zeros(50, 50, dtype=torch.bool)
    silhouette[20:30, 20:30] = True
    found = reference_picture(torch.ones(1, 3, 50, 50), silhouette, 100)[0]
    assert (found[:, 50, 50] == 1).all()
    assert (found[:, 2, 2] == 0.5).all()


def test_a_picture_without_any_object_is_grey() -> None:
    found = reference_picture(torch.ones(1, 3, 20, 20), torch.zeros(20, 20, dtype=torch.bool), 32)
    assert (found == 0.5).all()


def test_a_camera_s_sight_is_what_projection_calls_visible() -> None:
    points, normals = surface(1)
    eye = torch.tensor(CAMERA.to_array(), dtype=torch.float32)
    depth = depth_map(*tensors(parts()[1], torch.device("cpu")), eye, SIZE)
    shown = sight_of_camera(points, normals, torch.zeros(1, 3, SIZE, SIZE), depth, eye).colors()[1]
    allowed = visible(points[None], normals[None], eye[None], depth[None])[0]
    assert shown.sum() > 50
    assert (allowed | ~shown).all()
    assert (allowed == shown).float().mean() > 0.7
