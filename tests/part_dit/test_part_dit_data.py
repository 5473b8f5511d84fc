"""What the shape stage learns from: box frames of parts, the pool of views, and what is spoiled on purpose."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from services.part_dit.box_frame import from_frame
from services.part_dit.vae import TripoSGVAEModel
from training.draw import Split
from training.library import Library, build_library
from training.part_dit_data import Pool, cameras_of, images
from training.part_dit_spoil import draw_again, mistake_parts, plan_errors, scale
from training.part_dit_surface import distance_queries, frame_distance, frames, point_clouds
from training.render import render
from training.scene import Scene
from training.surface import signed_distance


@pytest.fixture(scope="module")
def library() -> Library:
    return build_library(range(8), Split.TRAIN)


@pytest.fixture(scope="module")
def scene(library: Library) -> Scene:
    return library.scene(torch.arange(3))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_surface_points_lie_on_the_surface_and_fill_the_frame(scene: Scene) -> None:
    clouds = point_clouds(scene, 400, generator()).float()
    rows, links = scene.link_valid.nonzero(as_tuple=True)
    where = from_frame(clouds[..., :3], frames(scene))
    assert float(signed_distance(scene[rows], links, where).abs().max()) < 3e-3
    assert float(clouds[..., :3].abs().max()) < 1.01
    torch.testing.assert_close(clouds[..., 3:].norm(dim=-1), torch.ones(clouds.shape[:2]), rtol=0, atol=2e-3)


def one_box(scene: Scene, half: tuple[float, float, float]) -> Scene:
    """The first object with its first link cut down to one upright box at the origin."""
    only = torch.where(torch.arange(scene.owner.shape[1]) == 0, 0, -1)[None]
    extent, center, turn = scene.extent[:1].clone(), torch.zeros_like(scene.center[:1]), scene.rotation[:1].clone()
    extent[0, 0], turn[0, 0] = torch.tensor(half), torch.eye(3)
    return replace(scene[:1], owner=only, extent=extent, center=center, rotation=turn)


def test_distances_in_the_frame_of_a_plate_are_those_of_a_cube(scene: Scene) -> None:
    half = (0.8, 0.5, 0.01)
    points = torch.rand(1, 2000, 3, generator=generator()) * 2.2 - 1.1
    outside = points.abs() - 1
    cube = outside.clamp(min=0).norm(dim=-1) + outside.amax(-1).clamp(max=0)
    link, box = torch.zeros(1, dtype=torch.int64), torch.tensor([[0.0, 0, 0, *half]])
    found = frame_distance(one_box(scene, half), link, box, points)
    torch.testing.assert_close(found, cube, rtol=1e-3, atol=1e-4)


def test_distances_of_a_turned_box_are_right_in_sign_and_beside_its_faces(scene: Scene) -> None:
    turned = one_box(scene, (0.3, 0.2, 0.2))
    angle = 0.5
    turned.rotation[0, 0] = torch.tensor(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    box, link = torch.tensor([[0.0, 0, 0, 0.4, 0.4, 0.1]]), torch.zeros(1, dtype=torch.int64)
    points = torch.rand(1, 2000, 3, generator=generator()) * 3 - 1.5
    found, truth = frame_distance(turned, link, box, points), signed_distance(turned, link, from_frame(points, box))
    clear = truth.abs() > 1e-4
    assert torch.equal((found < 0)[clear], (truth < 0)[clear])
    above = torch.tensor([[[0.0, 0.0, 2.5]]])
    torch.testing.assert_close(frame_distance(turned, link, box, above), torch.tensor([[0.5]]), rtol=1e-3, atol=1e-3)


def test_queries_are_signed_as_the_solids_are(scene: Scene) -> None:
    clouds = point_clouds(scene, 300, generator())
    queries = distance_queries(scene, clouds, 300, generator()).float()
    rows, links = scene.link_valid.nonzero(as_tuple=True)
    truth = signed_distance(scene[rows], links, from_frame(queries[..., :3], frames(scene)))
    clear = truth.abs() > 1e-5
    assert torch.equal((queries[..., 3] < 0)[clear], (truth < 0)[clear])
    assert bool((queries[..., 3] < 0).any(1).all())
    assert float((queries[..., 3].abs() < 0.02).float().mean()) > 0.3


@pytest.fixture(scope="module")
def pool(library: Library) -> Pool:
    torch.manual_seed(0)
    vae = TripoSGVAEModel(
        latent_channels=6,
        num_attention_heads=1,
        width_encoder=8,
        width_decoder=8,
        num_layers_encoder=1,
        num_layers_decoder=1,
        num_query_tokens=4,
    ).eval()
    pool = Pool(library, vae, Split.TRAIN, objects=8, size=16, points=64, parts=12, together=12)
    pool.fill(0.0)
    return pool


def test_batches_hold_objects_of_one_part_count(pool: Pool, library: Library) -> None:
    for _ in range(10):
        batch = pool.next()
        objects, count = batch.parents.shape
        assert objects == max(1, 12 // count)
        assert batch.part_images.shape == (objects, count, 16, 16, 3)
        assert batch.object_images.shape == (objects, 16, 16, 3)
        assert batch.latents.shape == (objects, count, 4, 6)
        assert bool((batch.parents[:, 0] == -1).all())
        assert bool((batch.parents[:, 1:] >= 0).all())


def test_a_view_s_boxes_are_those_of_an_object_in_the_library(pool: Pool, library: Library) -> None:
    batch = pool.next()
    known = library.links["boxes"]
    gaps = (batch.boxes.flatten(0, 1)[:, None, :3] - known[None, :, :3]).abs().amax(-1).amin(1)
    assert float(gaps.max()) < 1e-6


def test_renewing_replaces_the_oldest_views(pool: Pool) -> None:
    kind = min(pool.kinds, key=lambda kind: kind.drawn / kind.capacity)
    before = kind.data.object_images.clone()
    drawn = pool.drawn
    pool.renew()
    assert pool.drawn > drawn
    assert not torch.equal(kind.data.object_images, before)


def test_each_part_has_its_own_picture(library: Library) -> None:
    """Against pictures of the parts rendered one by one."""
    scene = library.scene(torch.tensor([1, 6]))
    cameras = cameras_of(library.half_extent[[1, 6]].numpy(), Split.TRAIN, np.random.default_rng(0), scene.device)
    _, parts = images(scene, cameras, 16)
    places = scene.link_valid.nonzero().tolist()
    for (row, link), picture in zip(places, parts, strict=True):
        alone = torch.arange(scene.link_valid.shape[1]) == link
        one = render(scene[row : row + 1], cameras[row : row + 1], torch.zeros(1, len(alone)), alone[None], 16).rgb
        assert float((one[0] * 255 - picture.float()).abs().max()) < 1.01


def pictures(count: int) -> Tensor:
    return torch.randint(0, 256, (2, count, 16, 16, 3), dtype=torch.uint8, generator=generator())


def test_parts_are_mistaken_for_parts_of_the_same_object_only() -> None:
    torch.manual_seed(0)
    images = torch.arange(8, dtype=torch.uint8).view(2, 4, 1, 1, 1).expand(2, 4, 16, 16, 3) * 10
    shown = torch.stack([mistake_parts(images) for _ in range(200)])[..., 0, 0, 0]
    empty = shown == 255
    assert 0.01 < float(empty.float().mean()) < 0.06
    assert bool((((shown // 40) == torch.tensor([0, 1])[:, None]) | empty).all())
    wrong = (shown != images[..., 0, 0, 0]) & ~empty
    assert 0.005 < float(wrong.float().mean()) < 0.05


def test_pictures_drawn_again_stay_alike_and_white_stays_white() -> None:
    torch.manual_seed(0)
    smooth = torch.linspace(-1, 1, 32).expand(64, 3, 32, 32).contiguous()
    again = draw_again(smooth)
    assert 0.01 < float((again - smooth).abs().mean()) < 0.2
    white = draw_again(torch.ones(64, 3, 32, 32))
    assert float((white - 1).mean().abs()) < 0.01


def test_scale_maps_bytes_to_the_range_of_the_encoder() -> None:
    pixels = scale(pictures(3))
    assert pixels.shape == (6, 3, 16, 16)
    np.testing.assert_allclose([float(pixels.min()), float(pixels.max())], [-1, 1], atol=0.01)


def test_plan_errors_are_small_mostly_and_never_flatten_a_box() -> None:
    torch.manual_seed(0)
    boxes = torch.tensor([0.2, -0.3, 0.4, 0.5, 0.3, 0.01]).expand(200, 3, 6)
    planned = plan_errors(boxes)
    moved = (planned[..., :3] - boxes[..., :3]).abs()
    assert 0.001 < float(moved.median()) < 0.03
    assert float((moved > 0.1).float().mean()) < 0.05
    assert bool((planned[..., 3:] > 0).all())
