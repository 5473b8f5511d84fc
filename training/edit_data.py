"""Examples for the image editor: views rendered afresh, and the plans that a fallible plan stage would make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor

from articulation.joint import JointType
from services.vlm.edit_prompt import EditTask, PlanTensors
from training.camera import sample_cameras
from training.draw import Split
from training.library import Library
from training.render import Background, render
from training.scene import JOINT_TYPES, Scene

SLOTS = (EditTask.OBJECT, EditTask.OPEN, EditTask.OPEN, EditTask.PART, EditTask.PART)
"""Edits rendered of every view; each slot draws its own opening or part."""

SUPERSAMPLE = 2
"""Rays along a pixel's edge: pictures are averaged down, as the pictures of users are."""

MISSED = 0.15
"""Share of the small parts, those that carry no other, that a plan leaves out of half of the objects."""


@dataclass(frozen=True)
class EditData:
    """N views of objects, each with edits, on one device.

    Attributes:
        plan: exact plans, B = N.
        image: (N, 3, S, S) uint8 input pictures.
        target: (N, V, 4, S, S) uint8 colours on white and coverage, V = len(SLOTS).
        fraction: (N, V, P) asked opening of every part, as a fraction of its upper limit.
        asked: (N, V, P) bool, the parts that the edit shows.
        missed: (N, P) bool, the parts that an imagined plan leaves out; they stay closed in every target.
    """

    plan: PlanTensors
    image: Tensor
    target: Tensor
    fraction: Tensor
    asked: Tensor
    missed: Tensor

    def __len__(self) -> int:
        return len(self.image)

    def tensors(self) -> list[Tensor]:
        """All columns, the plan's too."""
        own = [getattr(self, x.name) for x in fields(self) if x.name != "plan"]
        return [*own, *vars(self.plan).values()]

    def put(self, start: int, other: EditData) -> None:
        """Replace the views from `start` on."""
        for column, values in zip(self.tensors(), other.tensors(), strict=True):
            column[start : start + len(other)] = values


@dataclass(frozen=True)
class EditBatch:
    """B edits, ready for `draw_prompt`.

    Attributes:
        plan: B plans, exact or imagined.
        image: (B, 3, S, S) in [-1, 1].
        target: (B, 4, S, S) in [-1, 1].
        coordinates: (B, P) asked joint coordinates under `plan`.
        asked: (B, P) bool.
        task: (B,) int64.
    """

    plan: PlanTensors
    image: Tensor
    target: Tensor
    coordinates: Tensor
    asked: Tensor
    task: Tensor


def render_data(
    library: Library, rows: Tensor, split: Split, size: int, generator: torch.Generator, rng: np.random.Generator
) -> EditData:
    """Picture the objects `rows` (N,) of the library, on its device, from new views.

    Args:
        size: side S [pixel].
        generator: on the library's device: light, backdrop, openings, parts.
        rng: cameras.
    """
    device = library.device
    half_extents = library.half_extent[rows.to(device)].double().cpu().numpy()
    camera = torch.tensor(sample_cameras(rng, split, half_extents), dtype=torch.float32).to(device)
    scene = library.scene(rows)
    plan = plan_tensors(scene, camera)
    missed = draw_missed(plan, generator)
    fraction = draw_openings(plan, generator) * ~missed[:, None]
    asked = draw_asked(plan, generator)
    photo = render(
        scene,
        camera,
        torch.zeros_like(plan.upper),
        scene.link_valid,
        size,
        Background.RANDOM,
        generator,
        samples=SUPERSAMPLE,
    )
    target = torch.empty(len(rows), len(SLOTS), 4, size, size, dtype=torch.uint8, device=device)
    for slots in (
        _slots(EditTask.OBJECT, EditTask.OPEN),
        _slots(EditTask.PART),
    ):  # few solids are drawn apart from many
        many = torch.arange(len(rows), device=device).repeat_interleave(len(slots))
        coordinates = (fraction * plan.upper[:, None])[:, slots]
        alone = render_alone(scene[many], camera[many], coordinates.flatten(0, 1), asked[:, slots].flatten(0, 1), size)
        target[:, slots] = alone.unflatten(0, (len(rows), len(slots)))
    data = EditData(plan, _bytes(photo.rgb), target, fraction, asked, missed)
    return _padded(data, int(library.counts.max()))


def render_alone(scene: Scene, camera: Tensor, coordinates: Tensor, asked: Tensor, size: int) -> Tensor:
    """(B, 4, S, S) uint8: colours of the asked parts (B, L), which no white bleeds into, and their coverage."""
    fine = render(scene, camera, coordinates, asked, size * SUPERSAMPLE)
    inside = (fine.link >= 0)[..., None].float()
    blocks = torch.cat([fine.rgb * inside, inside], -1).unflatten(1, (size, SUPERSAMPLE)).unflatten(3, (size, -1))
    mean = blocks.mean((2, 4))
    coverage = mean[..., 3:]
    colour = torch.where(coverage > 0, mean[..., :3] / coverage.clamp(min=1e-3), 1.0)
    return _bytes(torch.cat([colour, coverage], -1))


def _slots(*tasks: EditTask) -> list[int]:
    return [index for index, slot in enumerate(SLOTS) if slot in tasks]


def _bytes(picture: Tensor) -> Tensor:
    """(..., S, S, C) in [0, 1] -> (..., C, S, S) uint8."""
    return (picture * 255).round().clamp(0, 255).to(torch.uint8).movedim(-1, -3)


def _padded(data: EditData, parts: int) -> EditData:
    """The same for plans of `parts` parts, so that views of different objects lie in one column."""
    missing = parts - data.missed.shape[1]

    def pad(value: Tensor, axis: int) -> Tensor:
        return nnf.pad(value, [0, 0] * (value.dim() - 1 - axis) + [0, missing])

    plan = {name: value if name == "camera" else pad(value, 1) for name, value in vars(data.plan).items()}
    plan["parent"] = torch.where(plan["valid"], plan["parent"], torch.arange(parts, device=plan["valid"].device))
    return replace(
        data,
        plan=PlanTensors(**plan),
        fraction=pad(data.fraction, 2),
        asked=pad(data.asked, 2),
        missed=pad(data.missed, 1),
    )


def plan_tensors(scene: Scene, camera: Tensor) -> PlanTensors:
    """The exact plans of a scene seen by cameras (B, 6)."""
    own = torch.arange(scene.parent.shape[1], device=scene.device).expand_as(scene.parent)
    slides = scene.joint_type == JOINT_TYPES.index(JointType.PRISMATIC)
    fixed = scene.joint_type == JOINT_TYPES.index(JointType.FIXED)
    return PlanTensors(
        boxes=scene.boxes,
        parent=torch.where(scene.parent < 0, own, scene.parent),
        axis=scene.joint_axis,
        origin=scene.joint_origin,
        rotates=~(slides | fixed) & scene.link_valid,
        slides=slides & scene.link_valid,
        upper=scene.joint_upper,
        valid=scene.link_valid,
        camera=camera,
    )


def draw_openings(plan: PlanTensors, generator: torch.Generator) -> Tensor:
    """(B, V, P) fractions: zero except in OPEN slots, where half of the joints share one fraction."""
    batch, parts = plan.valid.shape
    shape = (batch, len(SLOTS), parts)
    common = 0.2 + 0.8 * _uniform((batch, len(SLOTS), 1), generator)
    fraction = torch.where(_uniform(shape, generator) < 0.5, common, _uniform(shape, generator))
    opens = torch.tensor([slot is EditTask.OPEN for slot in SLOTS], device=generator.device)
    return fraction * opens[None, :, None] * plan.valid[:, None]


def draw_asked(plan: PlanTensors, generator: torch.Generator) -> Tensor:
    """(B, V, P) bool: every part, or one drawn at random, another in every PART slot while there are enough.

    The first part, the root, comes up twice as often as another: every request asks for it, and most of it is hidden.
    """
    batch, parts = plan.valid.shape
    key = _uniform((batch, parts), generator)
    key[:, 0] = torch.maximum(key[:, 0], _uniform((batch,), generator))
    order = torch.where(plan.valid, key, -1.0).argsort(1, descending=True)
    count = plan.valid.sum(1)
    asked = plan.valid[:, None].repeat(1, len(SLOTS), 1)
    for rank, slot in enumerate(_slots(EditTask.PART)):
        chosen = order.gather(1, (rank % count)[:, None])
        asked[:, slot] = nnf.one_hot(chosen[:, 0], parts).bool()
    return asked


def draw_missed(plan: PlanTensors, generator: torch.Generator) -> Tensor:
    """(B, P) bool: in half of the objects a few of the parts that carry no other."""
    batch, parts = plan.valid.shape
    own = torch.arange(parts, device=plan.parent.device)
    carries = nnf.one_hot(torch.where(plan.parent == own, 0, plan.parent), parts).any(1)
    careless = _uniform((batch, 1), generator) < 0.5
    missed: Tensor = careless & (_uniform((batch, parts), generator) < MISSED) & plan.valid & ~carries & (own > 0)
    return missed


def draw_batch(data: EditData, size: int, generator: torch.Generator) -> EditBatch:
    """A random training batch under imagined plans, with a little noise on the input picture."""
    index = torch.randint(len(data), (size,), device=generator.device, generator=generator)
    slot = torch.randint(len(SLOTS), (size,), device=generator.device, generator=generator)
    batch = imagined_batch(data, index, slot, generator)
    noise = torch.randn(batch.image.shape, device=generator.device, generator=generator)
    strength = 0.04 * _uniform((size, 1, 1, 1), generator) ** 2
    return replace(batch, image=batch.image + noise * strength)


def exact_batch(data: EditData, index: Tensor, slot: Tensor) -> EditBatch:
    """The edits `slot` (B,) of the views `index` (B,) under exact plans."""
    plan = select(data.plan, index)
    tasks = torch.tensor([int(task) for task in SLOTS], device=index.device)
    return EditBatch(
        plan=plan,
        image=data.image[index].float() / 127.5 - 1,
        target=data.target[index, slot].float() / 127.5 - 1,
        coordinates=data.fraction[index, slot] * plan.upper,
        asked=data.asked[index, slot],
        task=tasks[slot],
    )


def imagined_batch(data: EditData, index: Tensor, slot: Tensor, generator: torch.Generator) -> EditBatch:
    """The same edits under plans that a plan stage might make."""
    batch = exact_batch(data, index, slot)
    plan = imagine(batch.plan, generator)
    alone = (batch.task == EditTask.PART)[:, None] & batch.asked
    plan = replace(plan, valid=plan.valid & (alone | ~data.missed[index]))
    return replace(batch, plan=plan, coordinates=data.fraction[index, slot] * plan.upper)


def select(plan: PlanTensors, index: Tensor) -> PlanTensors:
    """The plans at `index` (B,)."""
    return PlanTensors(**{name: value[index] for name, value in vars(plan).items()})


def imagine(plan: PlanTensors, generator: torch.Generator) -> PlanTensors:
    """What a plan stage might say about the same objects: everything a little wrong, some hinges on the wrong side.

    The size of the errors is drawn per object, from none to about twice a usual one.
    """
    batch, parts = plan.valid.shape
    error = _uniform((batch, 1), generator)

    def normal(scale: float, *shape: int) -> Tensor:
        values = torch.randn(batch, *shape, device=generator.device, generator=generator)
        return scale * values * error.view(batch, *[1] * len(shape))

    center = plan.boxes[..., :3] + normal(0.04, parts, 3)
    half = plan.boxes[..., 3:] * normal(0.08, parts, 3).exp()
    azimuth, elevation, distance, fov, shift = plan.camera.split([1, 1, 1, 1, 2], 1)
    wrong_fov = (fov * normal(0.08, 1).exp()).clamp(0.1, 2.0)
    # A plan sees sizes well and cannot tell zoom from distance.
    same_size = torch.tan(fov / 2) / torch.tan(wrong_fov / 2)
    camera = [
        azimuth + normal(0.06, 1),
        elevation + normal(0.05, 1),
        distance * same_size * normal(0.02, 1).exp(),
        wrong_fov,
        shift + normal(0.02, 2),
    ]
    mirrored = (plan.rotates & (_uniform((batch, parts), generator) < 0.06))[..., None]
    origin = torch.where(mirrored, 2 * plan.boxes[..., :3] - plan.origin, plan.origin) + normal(0.03, parts, 3)
    axis = nnf.normalize(torch.where(mirrored, -plan.axis, plan.axis) + normal(0.02, parts, 3), dim=-1)
    return replace(
        plan,
        boxes=torch.cat([center, half.clamp(min=0.005)], -1),
        axis=axis,
        origin=origin,
        upper=plan.upper * normal(0.1, parts).exp(),
        camera=torch.cat(camera, 1),
    )


def _uniform(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    return torch.rand(*shape, device=generator.device, generator=generator)
