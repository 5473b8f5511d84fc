"""Training data of the shape stage: part surfaces, distances and reference images, made once and kept on the GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from services.part_dit.vae import TripoSGVAEModel
from training.camera import sample_cameras
from training.draw import Split
from training.objects import generate_many
from training.render import Background, render
from training.scene import Scene, pack
from training.surface import sample_surface, signed_distance

SCENE_OBJECTS = 2048
PARTS_AT_ONCE = 1024
IMAGES_AT_ONCE = 512

NEAR, NEARER = (0.5, 0.03), (0.33, 0.006)
"""Share of the distance queries and their deviation from the surface; the rest is uniform over the space."""

SPACE = 1.1
"""Uniform queries lie in [-SPACE, SPACE], a little outside of the object."""


@dataclass(frozen=True, eq=False)
class View:
    """Objects on the device and one camera each: `scene` of B objects and `cameras` (B, 6)."""

    scene: Scene
    cameras: Tensor


@dataclass(frozen=True, eq=False)
class Objects:
    """O objects with P parts in all, everything on one device.

    Attributes:
        object_images: (O, S, S, 3) uint8.
        part_images: (P, S, S, 3) uint8.
        latents: (P, T, C) as the DiT models them.
        boxes: (P, 6).
        parents: (P,) index in the same object, -1 for the root.
        first: (O,) index of each object's first part.
        counts: (O,) parts of each object.
    """

    object_images: Tensor
    part_images: Tensor
    latents: Tensor
    boxes: Tensor
    parents: Tensor
    first: Tensor
    counts: Tensor


def views(count: int, split: Split, device: torch.device, first_seed: int, processes: int) -> Iterator[View]:
    """Generate objects `first_seed` .. `first_seed + count - 1`, in packed groups."""
    rng = np.random.default_rng([first_seed, count])
    specs = generate_many(range(first_seed, first_seed + count), split, processes)
    for start in range(0, count, SCENE_OBJECTS):
        group = specs[start : start + SCENE_OBJECTS]
        cameras = sample_cameras(rng, split, np.stack([spec.half_extent for spec in group]))
        yield View(pack(group, device), torch.as_tensor(cameras, dtype=torch.float32, device=device))


def point_clouds(scene: Scene, count: int, generator: torch.Generator) -> Tensor:
    """(P, count, 6) float16 surface points and outward normals of every part, in object order."""
    chunks = [sample_surface(scene[row], link, count, generator) for row, link in _parts(scene)]
    return torch.cat([torch.cat([points, normals], dim=-1).half() for points, normals, _ in chunks])


def distance_queries(scene: Scene, clouds: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Signed distances near each part's surface and anywhere, in random order.

    Args:
        clouds: (P, N, 6) from `point_clouds`, N at least five sixths of `count`.

    Returns:
        (P, count, 4) float16: position and distance.
    """
    near, nearer = (int(share * count) for share, _ in (NEAR, NEARER))
    deviation = torch.full((near + nearer, 1), NEAR[1], device=scene.device)
    deviation[near:] = NEARER[1]
    order = torch.randperm(count, generator=generator, device=scene.device)
    chunks = []
    for (row, link), cloud in zip(_parts(scene), clouds.split(PARTS_AT_ONCE), strict=True):
        base = cloud[:, : near + nearer, :3].float()
        noise = torch.randn(base.shape, generator=generator, device=scene.device)
        anywhere = torch.rand(len(row), count - near - nearer, 3, generator=generator, device=scene.device)
        where = torch.cat([base + noise * deviation, (anywhere * 2 - 1) * SPACE], dim=1)[:, order].half()
        distance = signed_distance(scene[row], link, where.float())
        chunks.append(torch.cat([where, distance[..., None].half()], dim=-1))
    return torch.cat(chunks)


def _parts(scene: Scene) -> Iterator[tuple[Tensor, Tensor]]:
    """Object row and link of every part, in chunks."""
    rows, links = scene.link_valid.nonzero(as_tuple=True)
    yield from zip(rows.split(PARTS_AT_ONCE), links.split(PARTS_AT_ONCE), strict=True)


def images(view: View, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Render each closed object alone and each of its parts alone, on white.

    Returns:
        (B, S, S, 3) uint8 object images and (P, S, S, 3) uint8 part images.
    """
    scene = view.scene
    rows, links = scene.link_valid.nonzero(as_tuple=True)
    whole = torch.arange(len(scene), device=scene.device)
    alone = torch.nn.functional.one_hot(links, scene.link_valid.shape[1]).bool()
    return (
        _render(view, whole, scene.link_valid, size, generator),
        _render(view, rows, alone, size, generator),
    )


def _render(view: View, rows: Tensor, visible: Tensor, size: int, generator: torch.Generator) -> Tensor:
    closed = torch.zeros(visible.shape, device=rows.device)
    pictures = []
    for row, seen, q in zip(*(x.split(IMAGES_AT_ONCE) for x in (rows, visible, closed)), strict=True):
        scene, cameras = view.scene[row], view.cameras[row]
        picture = render(scene, cameras, q, seen, size, Background.WHITE, generator, compiled=rows.is_cuda).rgb
        pictures.append((picture * 255).round().to(torch.uint8))
    return torch.cat(pictures)


@torch.no_grad()
def encode(vae: TripoSGVAEModel, points: Tensor) -> Tensor:
    """(P, N, 6) surfaces -> (P, T, C) float32 posterior means, as encoded."""
    with torch.autocast(points.device.type, torch.bfloat16, enabled=points.is_cuda):
        return torch.cat([vae.encode(chunk.float()).mean.float() for chunk in points.split(PARTS_AT_ONCE)])


def objects(
    vae: TripoSGVAEModel, count: int, split: Split, first_seed: int, processes: int, size: int, points: int
) -> Objects:
    """Generate, render and encode objects for the DiT.

    Args:
        vae: encodes the parts; its device holds everything.
        size: image side.
        points: surface points a part that the VAE sees.
    """
    device = vae.device
    generator = torch.Generator(device).manual_seed(first_seed)
    columns: list[list[Tensor]] = [[] for _ in range(6)]
    for view in views(count, split, device, first_seed, processes):
        valid = view.scene.link_valid
        latents = vae.normalise(encode(vae, point_clouds(view.scene, points, generator)))
        values = (
            *images(view, size, generator),
            latents,
            view.scene.boxes[valid],
            view.scene.parent[valid],
            valid.sum(dim=1),
        )
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    pictures, part_pictures, latents, boxes, parents, counts = map(_join, columns)
    return Objects(pictures, part_pictures, latents, boxes, parents, counts.cumsum(0) - counts, counts)


def _join(column: list[Tensor]) -> Tensor:
    """Concatenate and let go of the pieces: the images of all objects fill a good part of the device's memory."""
    joined = torch.cat(column)
    column.clear()
    return joined


@dataclass(frozen=True, eq=False)
class Batch:
    """B objects of K parts each; fields as in `Objects`, parts flattened to B * K."""

    object_images: Tensor
    part_images: Tensor
    latents: Tensor
    boxes: Tensor
    parents: Tensor
    count: int


class Batches:
    """Random batches of objects with equal part counts, so that no part is padding.

    Args:
        data: the objects.
        parts: parts a batch, about; rarer part counts come up in proportion to their objects' parts.
        seed: of the choice; the same seed gives the same part counts on every process.
    """

    def __init__(self, data: Objects, parts: int, seed: int, rank: int = 0) -> None:
        self.data = data
        self.parts = parts
        counts = data.counts.cpu()
        self.kinds = [int(kind) for kind in counts.unique()]
        self.members = [(counts == kind).nonzero().flatten().to(data.counts.device) for kind in self.kinds]
        weights = np.array([kind * len(group) for kind, group in zip(self.kinds, self.members, strict=True)])
        self.weights = weights / weights.sum()
        self._kinds_rng = np.random.default_rng(seed)
        self._generator = torch.Generator(data.counts.device).manual_seed(seed * 1000 + rank)

    def next(self) -> Batch:
        choice = int(self._kinds_rng.choice(len(self.kinds), p=self.weights))
        group, count = self.members[choice], self.kinds[choice]
        batch = max(1, self.parts // count)
        picked = group[torch.randint(len(group), (batch,), generator=self._generator, device=group.device)]
        return self.take(picked, count)

    def take(self, chosen: Tensor, count: int) -> Batch:
        """The objects at `chosen`, all of `count` parts."""
        data = self.data
        rows = (data.first[chosen][:, None] + torch.arange(count, device=chosen.device)).flatten()
        return Batch(
            data.object_images[chosen],
            data.part_images[rows],
            data.latents[rows],
            data.boxes[rows],
            data.parents[rows],
            count,
        )
