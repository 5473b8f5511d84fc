"""Scene: a packed batch of objects on one device, ready for rendering and sampling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from articulation.joint import JointType
from articulation.typing import AnyArray
from training.primitives import LOOK_CHANNELS, Shape
from training.spec import ObjectSpec

JOINT_TYPES = tuple(JointType)
"""Joint types in the order of `Scene.joint_type`."""


@dataclass(frozen=True, eq=False)
class Scene:
    """B objects, padded to L links and P primitives; model space, closed state.

    Attributes:
        link_valid: (B, L) bool, False on padding.
        parent: (B, L) int64, -1 for roots and padding.
        joint_type: (B, L) int64 index into `JOINT_TYPES`.
        joint_axis, joint_origin: (B, L, 3).
        joint_lower, joint_upper: (B, L) [rad] or model units.
        boxes: (B, L, 6) centre and half extent of each link.
        size: (B,) longest side [m].
        owner: (B, P) int64 link of each primitive, -1 on padding.
        center: (B, P, 3).
        rotation: (B, P, 3, 3) columns are the primitive's axes.
        extent: (B, P, 3) sizes as `training.primitives.Shape` says.
        look: (B, P, 11) as `training.primitives.LOOK_CHANNELS` says.
        num_boxes: primitive slots below this number hold boxes, the others cylinders.
    """

    link_valid: Tensor
    parent: Tensor
    joint_type: Tensor
    joint_axis: Tensor
    joint_origin: Tensor
    joint_lower: Tensor
    joint_upper: Tensor
    boxes: Tensor
    size: Tensor
    owner: Tensor
    center: Tensor
    rotation: Tensor
    extent: Tensor
    look: Tensor
    num_boxes: int

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def device(self) -> torch.device:
        return self.parent.device

    def __getitem__(self, index: Tensor | slice) -> Scene:
        """The objects at `index`, a slice or an int64 or bool tensor; repeats are allowed."""
        return self._map(lambda value: value[index])

    def to(self, device: torch.device | str) -> Scene:
        return self._map(lambda value: value.to(device))

    def _map(self, function: Callable[[Tensor], Tensor]) -> Scene:
        names = [x.name for x in fields(self) if x.name != "num_boxes"]
        return Scene(**{name: function(getattr(self, name)) for name in names}, num_boxes=self.num_boxes)


def pack(specs: Sequence[ObjectSpec], device: torch.device | str) -> Scene:
    """Pack objects, in order, as float32."""
    count = len(specs)
    links = max(len(spec.links) for spec in specs)
    box_counts = np.array([(spec.primitives.shape == Shape.BOX).sum() for spec in specs])
    totals = np.array([len(spec.primitives) for spec in specs])
    num_boxes = int(box_counts.max())
    slots = num_boxes + int((totals - box_counts).max())

    rows = np.repeat(np.arange(count), totals)
    within = np.concatenate([np.arange(total) for total in totals])
    columns = np.where(within < box_counts[rows], within, within - box_counts[rows] + num_boxes)

    def primitives(name: str, shape: tuple[int, ...], fill: float) -> Tensor:
        values = np.concatenate([getattr(spec.primitives, name) for spec in specs])
        out: AnyArray = np.full(
            (count, slots, *shape), fill, dtype=np.int64 if values.dtype == np.int64 else np.float32
        )
        out[rows, columns] = values
        return torch.from_numpy(out).to(device)

    link_totals = np.array([len(spec.links) for spec in specs])
    link_rows = np.repeat(np.arange(count), link_totals)
    link_columns = np.concatenate([np.arange(total) for total in link_totals])
    every = [link for spec in specs for link in spec.links]

    def per_link(values: object, shape: tuple[int, ...], fill: float, dtype: type = np.float32) -> Tensor:
        out: AnyArray = np.full((count, links, *shape), fill, dtype=dtype)
        out[link_rows, link_columns] = values
        return torch.from_numpy(out).to(device)

    return Scene(
        link_valid=per_link(True, (), 0, np.bool_),
        parent=per_link([x.parent for x in every], (), -1, np.int64),
        joint_type=per_link([JOINT_TYPES.index(x.joint.type) for x in every], (), 0, np.int64),
        joint_axis=per_link([x.joint.axis for x in every], (3,), 0),
        joint_origin=per_link([x.joint.origin for x in every], (3,), 0),
        joint_lower=per_link([x.joint.lower for x in every], (), 0),
        joint_upper=per_link([x.joint.upper for x in every], (), 0),
        boxes=per_link(np.concatenate([spec.boxes for spec in specs]), (6,), 0),
        size=torch.tensor([spec.size for spec in specs], dtype=torch.float32, device=device),
        owner=primitives("link", (), -1),
        center=primitives("center", (3,), 0),
        rotation=primitives("rotation", (3, 3), 0),
        extent=primitives("size", (3,), 0),
        look=primitives("look", (LOOK_CHANNELS,), 0),
        num_boxes=num_boxes,
    )
