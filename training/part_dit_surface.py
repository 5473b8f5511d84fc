"""Parts of a scene, mostly in their box frames: what the part VAE encodes, and what it is to give back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from services.part_dit.box_frame import MIN_HALF, from_frame, to_frame
from training.scene import Scene
from training.surface import sample_surface, signed_distance

PARTS_AT_ONCE = 256

CANDIDATES = 2
"""Surface points drawn for each one kept."""

NEAR, NEARER = (0.5, 0.03), (0.33, 0.006)
"""Share of the distance queries and their deviation from the surface; the rest is uniform over the space."""

SPACE = 1.1
"""Uniform queries lie in [-SPACE, SPACE], a little outside of the box."""

STRIDE = 0.004
"""Step of the finite difference that measures how fast the distance grows in the frame."""

UPRIGHT = 0.9999
"""Largest component that each axis of an upright box has at least."""

FLAT = 1e-3
"""Slowest growth that a distance is divided by, relative to the box's longest half side."""


def frames(scene: Scene) -> Tensor:
    """(P, 6) boxes of all parts of the scene, in object order."""
    boxes = scene.boxes[scene.link_valid]
    return torch.cat([boxes[:, :3], boxes[:, 3:].clamp(min=MIN_HALF)], dim=1)


def solids(scene: Scene) -> Tensor:
    """(P,) number of solids of each part, in object order."""
    rows, links = scene.link_valid.nonzero(as_tuple=True)
    return (scene.owner[rows] == links[:, None]).sum(1)


def point_clouds(scene: Scene, count: int, generator: torch.Generator) -> Tensor:
    """(P, count, 6) float16 surface points and outward normals of every part, in its frame, in random order.

    Points are thinned so that they lie about evenly on the surface as the frame shows it: the edge of a plate is
    little in space and much in the frame.
    """
    order = torch.randperm(count, generator=generator, device=scene.device)
    boxes = frames(scene)
    clouds = torch.empty(len(boxes), count, 6, dtype=torch.float16, device=scene.device)
    for index, own, link in _parts(scene):
        box = boxes[index]
        points, normals, _ = sample_surface(own, link, CANDIDATES * count, generator)
        stretched = normals * box[:, None, 3:]
        length = stretched.norm(dim=-1)
        noise = torch.rand(length.shape, generator=generator, device=scene.device)
        key = length.log() - (-noise.clamp(min=1e-9).log()).log()
        kept = key.topk(count, dim=1).indices[:, order, None]
        cloud = torch.cat([to_frame(points, box), normalize(stretched, dim=-1)], dim=-1)
        clouds[index] = cloud.take_along_dim(kept, 1).half()
    return clouds


def surfaces(scene: Scene, count: int, generator: torch.Generator) -> Tensor:
    """(P, count, 6) surface points and outward normals of every part in model space, evenly spread."""
    clouds = torch.empty(len(frames(scene)), count, 6, device=scene.device)
    for index, own, link in _parts(scene):
        points, normals, _ = sample_surface(own, link, count, generator)
        clouds[index] = torch.cat([points, normals], dim=-1)
    return clouds


def distance_queries(scene: Scene, clouds: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Signed distances near each part's surface and anywhere, in its frame, in random order.

    Args:
        clouds: (P, N, 6) from `point_clouds`, N at least five sixths of `count`.

    Returns:
        (P, count, 4) float16: position and distance.
    """
    near, nearer = (int(share * count) for share, _ in (NEAR, NEARER))
    deviation = torch.full((near + nearer, 1), NEAR[1], device=scene.device)
    deviation[near:] = NEARER[1]
    order = torch.randperm(count, generator=generator, device=scene.device)
    boxes = frames(scene)
    queries = torch.empty(len(boxes), count, 4, dtype=torch.float16, device=scene.device)
    for index, own, link in _parts(scene):
        base = clouds[index, : near + nearer, :3].float()
        noise = torch.randn(base.shape, generator=generator, device=scene.device)
        anywhere = torch.rand(len(index), count - near - nearer, 3, generator=generator, device=scene.device)
        where = torch.cat([base + noise * deviation, (anywhere * 2 - 1) * SPACE], dim=1)[:, order].half()
        distance = frame_distance(own, link, boxes[index], where.float())
        queries[index] = torch.cat([where, distance[..., None].half()], dim=-1)
    return queries


def frame_distance(scene: Scene, link: Tensor, boxes: Tensor, points: Tensor) -> Tensor:
    """Signed distance of one link of each object, measured in its frame.

    Upright boxes are boxes in the frame too, and exact; other solids are exact in sign and to first order in distance.

    Args:
        link: (B,) int64.
        boxes: (B, 6) the links' frames.
        points: (B, N, 3) in these frames.

    Returns:
        (B, N), negative inside.
    """
    is_box = torch.arange(scene.owner.shape[1], device=scene.device) < scene.num_boxes
    upright = is_box & (scene.rotation.abs().amax(-1) > UPRIGHT).all(-1)
    sides = (scene.rotation.abs() * boxes[:, None, 3:, None]).sum(-2)
    squeezed = replace(scene, center=to_frame(scene.center, boxes), extent=scene.extent / sides)
    exact = signed_distance(_only(squeezed, upright), link, points)

    steps = STRIDE * torch.cat([points.new_zeros(1, 3), torch.eye(3, device=points.device)])
    places = from_frame((points[:, None] + steps[:, None]).flatten(1, 2), boxes)
    here, *there = signed_distance(_only(scene, ~upright), link, places).unflatten(1, (4, -1)).unbind(1)
    growth = torch.stack([(value - here) / STRIDE for value in there], dim=-1).norm(dim=-1)
    about = here / torch.maximum(growth, FLAT * boxes[:, 3:].amax(1, keepdim=True))
    return torch.minimum(exact, torch.where(here.isfinite(), about, here))


def _only(scene: Scene, chosen: Tensor) -> Scene:
    """The scene without the solids that are not among the chosen (B, P)."""
    return replace(scene, owner=torch.where(chosen, scene.owner, -1))


def _parts(scene: Scene) -> Iterator[tuple[Tensor, Scene, Tensor]]:
    """Chunks of parts that have about equally many solids: places in object order, scenes of these solids, links."""
    rows, links = scene.link_valid.nonzero(as_tuple=True)
    for index in solids(scene).argsort().split(PARTS_AT_ONCE):
        yield index, _own(scene[rows[index]], links[index]), links[index]


def _own(scene: Scene, link: Tensor) -> Scene:
    """The scene of one link of each object, with as few slots as hold its solids."""
    mine = scene.owner == link[:, None]
    boxes, others = mine[:, : scene.num_boxes], mine[:, scene.num_boxes :]
    most = torch.stack([boxes.sum(1).max(), others.sum(1).amax() if others.shape[1] else boxes.new_zeros(())])
    num_boxes, num_others = most.tolist()
    slots = torch.cat(
        [
            (~boxes).byte().argsort(dim=1, stable=True)[:, :num_boxes],
            (~others).byte().argsort(dim=1, stable=True)[:, :num_others] + scene.num_boxes,
        ],
        dim=1,
    )

    def take(value: Tensor) -> Tensor:
        return value.take_along_dim(slots.view(*slots.shape, *(1,) * (value.dim() - 2)), 1)

    fields = {name: take(getattr(scene, name)) for name in ("center", "rotation", "extent", "look")}
    return replace(scene, owner=torch.where(take(mine), link[:, None], -1), num_boxes=num_boxes, **fields)
