"""Training data of the part DiT: pictures, boxes and latents of objects, in a pool that is renewed while training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from articulation.typing import Array
from services.part_dit.vae import TripoSGVAEModel
from training.camera import sample_cameras
from training.draw import Split
from training.freshness import Freshness
from training.library import Library
from training.part_dit_surface import frames, point_clouds, solids
from training.render import Background, render
from training.scene import Scene

PARTS_AT_ONCE, IMAGES_AT_ONCE = 1024, 1024
POINTS_AT_ONCE = 1 << 20
"""Surface points that the VAE encodes together."""

FILL_SECONDS = 40.0
"""Longest time in which the pool is filled before training starts; it goes on filling later."""

RENEW_SHARE = 0.12
"""Of the training time that goes into new views."""


@dataclass(frozen=True, eq=False)
class Batch:
    """B objects of K parts each, on one device.

    Attributes:
        object_images: (B, S, S, 3) uint8.
        part_images: (B, K, S, S, 3) uint8.
        latents: (B, K, T, C) as the DiT models them.
        boxes: (B, K, 6).
        parents: (B, K) index in the same object, -1 for the root.
    """

    object_images: Tensor
    part_images: Tensor
    latents: Tensor
    boxes: Tensor
    parents: Tensor

    def tensors(self) -> tuple[Tensor, ...]:
        return (self.object_images, self.part_images, self.latents, self.boxes, self.parents)


def cameras_of(half_extent: Array, split: Split, rng: np.random.Generator, device: torch.device) -> Tensor:
    """(B, 6) random views of objects with half sides (B, 3)."""
    return torch.as_tensor(sample_cameras(rng, split, half_extent), dtype=torch.float32, device=device)


def images(scene: Scene, cameras: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Render each closed object alone and each of its parts alone, on white.

    Returns:
        (B, S, S, 3) uint8 object images and (P, S, S, 3) uint8 part images.
    """
    rows, links = scene.link_valid.nonzero(as_tuple=True)
    whole = torch.arange(len(scene), device=scene.device)
    # Pictures drawn together cost as much as the one of most solids: knobs are not to wait for cabinets.
    order = solids(scene).argsort()
    alone = torch.nn.functional.one_hot(links[order], scene.link_valid.shape[1]).bool()
    parts = _render(scene, cameras, rows[order], alone, size)
    return _render(scene, cameras, whole, scene.link_valid, size), parts[order.argsort()]


def _render(scene: Scene, cameras: Tensor, rows: Tensor, visible: Tensor, size: int) -> Tensor:
    pictures = []
    for row, seen in zip(rows.split(IMAGES_AT_ONCE), visible.split(IMAGES_AT_ONCE), strict=True):
        closed = torch.zeros(seen.shape, device=rows.device)
        picture = render(scene[row], cameras[row], closed, seen, size, Background.WHITE).rgb
        pictures.append((picture * 255).round().to(torch.uint8))
    return torch.cat(pictures)


@torch.no_grad()
def encode(
    vae: TripoSGVAEModel, points: Tensor, tokens: int | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """(P, N, 6) surfaces -> (P, T, C) float32 posterior means, as encoded.

    Args:
        tokens, generator: of `TripoSGVAEModel.encode`.
    """
    chunks = points.split(max(1, POINTS_AT_ONCE // points.shape[1]))
    return torch.cat([vae.encode(chunk.float(), tokens, generator).mean for chunk in chunks])


class Kind:
    """The pool's objects of K parts: a ring of which the first `filled` rows hold something."""

    def __init__(self, members: Tensor, count: int, capacity: int, size: int, latent: tuple[int, int]) -> None:
        device = members.device
        self.members = members.cpu()
        self.count = count
        self.capacity = capacity
        self.drawn = 0

        def space(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.empty(capacity, *shape, dtype=dtype, device=device)

        self.data = Batch(
            space(size, size, 3, dtype=torch.uint8),
            space(count, size, size, 3, dtype=torch.uint8),
            space(count, *latent),
            space(count, 6),
            space(count, dtype=torch.int64),
        )

    @property
    def filled(self) -> int:
        return min(self.drawn, self.capacity)

    def put(self, batch: Batch) -> None:
        """Replace the oldest objects."""
        number = len(batch.parents)
        rows = (self.drawn + torch.arange(number)) % self.capacity
        rows = rows.to(batch.parents.device)
        for column, value in zip(self.data.tensors(), batch.tensors(), strict=True):
            column[rows] = value
        self.drawn += number

    def take(self, rows: Tensor) -> Batch:
        return Batch(*(column[rows] for column in self.data.tensors()))


class Pool:
    """The latest views of a library's objects, and random batches of them with equal part counts.

    Args:
        library: on the device that renders and learns.
        vae: encodes the parts.
        objects: how many are kept, about; each count of parts gets its share.
        size: image side.
        points: surface points of a part that the VAE sees.
        parts: of a batch, about.
        together: parts rendered together.
    """

    def __init__(
        self, library: Library, vae: TripoSGVAEModel, split: Split, *, objects: int, size: int, points: int, parts: int,
        together: int = PARTS_AT_ONCE,
    ) -> None:  # fmt: skip
        self._library, self._vae, self._split = library, vae, split
        self._size, self._points, self._parts, self._together = size, points, parts, together
        self._half_extent = library.half_extent.cpu().numpy()
        self.seed(0)
        tokens, channels = vae.latent_mean.shape
        counts = library.counts
        self.kinds = []
        for count in sorted(set(counts.tolist())):
            members = (counts == count).nonzero().flatten()
            share = max(1, round(objects * len(members) / len(library)))
            self.kinds.append(Kind(members, count, share, size, (tokens, channels)))
        weights = np.array([kind.count * len(kind.members) for kind in self.kinds])
        self._weights = weights / weights.sum()
        self._freshness = Freshness(RENEW_SHARE, library.device)

    def __len__(self) -> int:
        return sum(kind.filled for kind in self.kinds)

    def seed(self, seed: int) -> None:
        """Of everything random from here on."""
        self._rng = np.random.default_rng(seed)
        self._generator = torch.Generator(self._library.device).manual_seed(seed)

    @property
    def drawn(self) -> int:
        """Views rendered so far."""
        return sum(kind.drawn for kind in self.kinds)

    def fill(self, seconds: float = FILL_SECONDS) -> None:
        """Render until the pool is full, at most for so long once every kind has objects."""
        end = self._freshness.now() + seconds
        while any(kind.drawn == 0 for kind in self.kinds) or (
            self._freshness.now() < end and any(kind.drawn < kind.capacity for kind in self.kinds)
        ):
            self.renew()
        self._freshness = Freshness(RENEW_SHARE, self._library.device)

    def keep_fresh(self) -> None:
        """Render for as long as `RENEW_SHARE` allows after the work done since the last call."""
        self._freshness.keep(self.renew)

    def renew(self) -> None:
        """Replace the oldest objects of the kind that has waited longest by new views of random ones."""
        kind = min(self.kinds, key=lambda kind: kind.drawn / kind.capacity)
        number = min(max(1, self._together // kind.count), len(kind.members), kind.capacity)
        # Neighbours in the library have about equally many solids, and a scene costs as much as its largest object.
        start = int(self._rng.integers(len(kind.members) - number + 1))
        kind.put(self._draw(kind.members[start : start + number], kind.count))

    def next(self) -> Batch:
        """A random batch; rarer part counts come up in proportion to their objects' parts."""
        kind = self.kinds[int(self._rng.choice(len(self.kinds), p=self._weights))]
        batch = max(1, self._parts // kind.count)
        device = self._library.device
        return kind.take(torch.randint(kind.filled, (batch,), generator=self._generator, device=device))

    def _draw(self, rows: Tensor, count: int) -> Batch:
        scene = self._library.scene(rows)
        cameras = cameras_of(self._half_extent[rows.numpy()], self._split, self._rng, scene.device)
        latents = self._vae.normalise(encode(self._vae, point_clouds(scene, self._points, self._generator)))
        pictures, part_pictures = images(scene, cameras, self._size)
        flat = (part_pictures, latents, frames(scene), scene.parent[scene.link_valid])
        return Batch(pictures, *(value.unflatten(0, (-1, count)) for value in flat))
