"""Library: very many generated objects on one device, without padding, from which batches of any objects are packed.

Training draws new views of the same objects all the time, so what is kept is the objects, not their pictures: some
kilobytes each. Objects stand in the order of their number of solids, since a batch costs as much as its largest object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from articulation.camera import Camera
from articulation.errors import InvalidArticulation
from articulation.typing import AnyArray
from services.vlm.plan_format import dumps, to_document
from training.draw import Split
from training.objects import CATEGORIES, ObjectSpec, generate
from training.scene import Scene, pack
from training.whole_file import written_whole

CHUNK = 512
"""Objects that a process generates at a time."""

WINDOW = 0.05
"""`Library.similar` draws from this share of the objects."""

LINK_FIELDS = ("parent", "joint_type", "joint_axis", "joint_origin", "joint_lower", "joint_upper", "boxes")
SOLID_FIELDS = ("owner", "center", "rotation", "extent", "look")
NONE = {"parent": -1, "owner": -1}
"""Padding that is not zero."""

ANY_CAMERA = Camera(0.0, 0.0, 6.0, 0.7)
"""Documents say this view; whoever renders another writes its camera into them."""


@dataclass(frozen=True, eq=False)
class Library:
    """N objects.

    Attributes:
        half_extent: (N, 3) half sides of the closed objects' bounding boxes.
        size: (N,) longest side [m].
        category: (N,) int64 index into `training.objects.CATEGORIES`.
        counts: (N,) int64 links.
        box_counts, solid_counts: (N,) int64 solids that are boxes, and all solids.
        links: `Scene`'s fields of the links of all objects in turn.
        solids: `Scene`'s fields of the solids of all objects in turn, an object's boxes first.
        documents: N documents of `services.vlm.plan_format` as compact JSON under `ANY_CAMERA`; empty unless asked for.
    """

    half_extent: Tensor
    size: Tensor
    category: Tensor
    counts: Tensor
    box_counts: Tensor
    solid_counts: Tensor
    links: dict[str, Tensor]
    solids: dict[str, Tensor]
    documents: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def device(self) -> torch.device:
        return self.counts.device

    @cached_property
    def _first_link(self) -> Tensor:
        return self.counts.cumsum(0) - self.counts

    @cached_property
    def _first_solid(self) -> Tensor:
        return self.solid_counts.cumsum(0) - self.solid_counts

    @cached_property
    def _host_counts(self) -> Tensor:
        """(3, N) on the host, so that packing a batch chosen there waits for nothing on the device."""
        return torch.stack([self.counts, self.box_counts, self.solid_counts - self.box_counts]).cpu()

    def scene(self, rows: Tensor) -> Scene:
        """The objects at `rows`, (B,) int64 best on the host, padded to their own largest."""
        links, boxes, others = self._host_counts[:, rows.cpu()].amax(1).tolist()
        rows = rows.to(self.device, non_blocking=True)

        def slots(first: Tensor, count: Tensor, most: int) -> tuple[Tensor, Tensor]:
            """(B, most) places in a flat column, and which of them are the object's own."""
            offset = torch.arange(most, device=self.device)
            own = offset < count[:, None]
            return torch.where(own, first[:, None] + offset, 0), own

        def padded(columns: dict[str, Tensor], place: Tensor, own: Tensor) -> dict[str, Tensor]:
            return {
                name: torch.where(own.view(*own.shape, *(1,) * (column.dim() - 1)), column[place], NONE.get(name, 0))
                for name, column in columns.items()
            }

        link, valid = slots(self._first_link[rows], self.counts[rows], links)
        first, box_count = self._first_solid[rows], self.box_counts[rows]
        box, is_box = slots(first, box_count, boxes)
        other, is_other = slots(first + box_count, self.solid_counts[rows] - box_count, others)
        return Scene(
            link_valid=valid,
            size=self.size[rows],
            num_boxes=boxes,
            **padded(self.links, link, valid),
            **padded(self.solids, torch.cat([box, other], 1), torch.cat([is_box, is_other], 1)),
        )

    def similar(self, count: int, generator: torch.Generator) -> Tensor:
        """(count,) int64 random rows, on the host, of objects that are about equally costly to draw.

        Args:
            generator: on the host.
        """
        window = min(len(self), max(count, int(WINDOW * len(self))))
        # The ends of the order would come up less often if windows could not reach over them.
        start = int(torch.randint(-(window // 2), len(self) - window // 2, (), generator=generator))
        return torch.randint(max(start, 0), min(start + window, len(self)), (count,), generator=generator)

    def to(self, device: torch.device | str) -> Library:
        def moved(value: object) -> object:
            if isinstance(value, dict):
                return {name: column.to(device) for name, column in value.items()}
            return value.to(device) if isinstance(value, Tensor) else value

        return Library(**{x.name: moved(getattr(self, x.name)) for x in fields(self)})  # type: ignore[arg-type]


def build_library(seeds: Sequence[int], split: Split, processes: int = 1, *, documents: bool = False) -> Library:
    """Generate one object a seed, on the host.

    Args:
        processes: that generate.
        documents: write the objects' documents too; objects that the format cannot describe are then left out.
    """
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    one = partial(_chunk, split=split, documents=documents)
    if processes <= 1:
        return _joined([one(chunk) for chunk in chunks])
    with get_context("spawn").Pool(processes, torch.set_num_threads, (1,)) as pool:
        return _joined(pool.map(one, chunks, chunksize=1))


def cached_library(
    path: Path | None, seeds: Sequence[int], split: Split, processes: int = 1, *, documents: bool = False
) -> Library:
    """`build_library`, from the file `path` where another run has already written the same library."""
    if path is not None and path.exists():
        return _load(path)
    library = build_library(seeds, split, processes, documents=documents)
    if path is not None:
        with written_whole(path) as part:
            torch.save({x.name: getattr(library, x.name) for x in fields(library)}, part)
    return library


def _load(path: Path) -> Library:
    return Library(**torch.load(path, map_location="cpu", weights_only=True))


@dataclass(frozen=True)
class _Chunk:
    """Columns of some objects as arrays: tensors would travel between processes through a file each."""

    objects: dict[str, AnyArray]
    links: dict[str, AnyArray]
    solids: dict[str, AnyArray]
    documents: tuple[str, ...]


def _chunk(seeds: Sequence[int], split: Split, documents: bool) -> _Chunk:
    specs = [generate(seed, split) for seed in seeds]
    written: tuple[str, ...] = ()
    if documents:
        described = [(spec, document) for spec in specs if (document := _document(spec)) is not None]
        specs, written = [spec for spec, _ in described], tuple(document for _, document in described)
    scene = pack(specs, "cpu")
    solid = scene.owner >= 0
    objects = {
        "half_extent": np.stack([spec.half_extent for spec in specs]).astype(np.float32),
        "size": scene.size.numpy(),
        "category": np.array([CATEGORIES.index(spec.category) for spec in specs]),
        "counts": scene.link_valid.sum(1).numpy(),
        "box_counts": solid[:, : scene.num_boxes].sum(1).numpy(),
        "solid_counts": solid.sum(1).numpy(),
    }
    links = {name: getattr(scene, name)[scene.link_valid].numpy() for name in LINK_FIELDS}
    return _Chunk(objects, links, {name: getattr(scene, name)[solid].numpy() for name in SOLID_FIELDS}, written)


def _document(spec: ObjectSpec) -> str | None:
    try:
        return dumps(to_document(spec.plan(ANY_CAMERA)))
    except InvalidArticulation:
        return None


def _joined(chunks: Sequence[_Chunk]) -> Library:
    def column(table: str, name: str) -> AnyArray:
        return np.concatenate([getattr(chunk, table)[name] for chunk in chunks])

    objects = {name: column("objects", name) for name in chunks[0].objects}
    order = objects["solid_counts"].argsort(kind="stable")
    documents = [document for chunk in chunks for document in chunk.documents]

    def flat(table: str, names: Sequence[str], counts: AnyArray) -> dict[str, Tensor]:
        first = (counts.cumsum() - counts)[order]
        moved = counts[order]
        place = np.repeat(first - (moved.cumsum() - moved), moved) + np.arange(moved.sum())
        return {name: torch.from_numpy(column(table, name)[place]) for name in names}

    return Library(
        **{name: torch.from_numpy(values[order]) for name, values in objects.items()},
        links=flat("links", LINK_FIELDS, objects["counts"]),
        solids=flat("solids", SOLID_FIELDS, objects["solid_counts"]),
        documents=tuple(documents[index] for index in order) if documents else (),
    )
