"""Examples for the image editor: renders cached on the device, and the plans that a fallible plan stage would make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor

from articulation.joint import JointType
from services.vlm.edit_prompt import EditTask, PlanTensors
from training.camera import sample_cameras
from training.draw import Split
from training.render import Background, render
from training.scene import JOINT_TYPES, Scene, pack
from training.spec import ObjectSpec

SLOTS = (EditTask.OBJECT, EditTask.OPEN, EditTask.OPEN, EditTask.PART, EditTask.PART)
"""Edits cached of every object; each slot draws its own opening or part."""

CHUNK = 256
SUPERSAMPLE = 2
"""Input pictures are averaged down, as the pictures of users are; targets keep hard outlines."""


@dataclass(frozen=True)
class EditData:
    """N objects with one view each, on one device.

    Attributes:
        plan: exact plans, B = N.
        image: (N, 3, S, S) uint8 input pictures.
        target: (N, V, 4, S, S) uint8 colours on white and coverage, V = len(SLOTS).
        fraction: (N, V, P) asked opening of every part, as a fraction of its upper limit.
        asked: (N, V, P) bool, the parts that the edit shows.
    """

    plan: PlanTensors
    image: Tensor
    target: Tensor
    fraction: Tensor
    asked: Tensor

    def __len__(self) -> int:
        return len(self.image)


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


def render_data(specs: Sequence[ObjectSpec], split: Split, size: int, device: torch.device, seed: int) -> EditData:
    """Render every object's input picture and targets."""
    cameras = sample_cameras(np.random.default_rng(seed), split, np.stack([spec.half_extent for spec in specs]))
    scene = pack(specs, device)
    camera = torch.tensor(cameras, dtype=torch.float32, device=device)
    generator = torch.Generator(device).manual_seed(seed)
    plan = plan_tensors(scene, camera)
    fraction = draw_openings(plan, generator)
    asked = draw_asked(plan, generator)
    shape = (len(specs), 4, size, size)
    image = torch.empty(shape[0], 3, size, size, dtype=torch.uint8, device=device)
    target = torch.empty(shape[0], len(SLOTS), *shape[1:], dtype=torch.uint8, device=device)
    for start in range(0, len(specs), CHUNK):
        rows = slice(start, start + CHUNK)
        image[rows], target[rows] = _render_chunk(
            scene[rows], camera[rows], fraction[rows] * plan.upper[rows, None], asked[rows], size, generator
        )
    return EditData(plan, image, target, fraction, asked)


def _render_chunk(
    scene: Scene, camera: Tensor, coordinates: Tensor, asked: Tensor, size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Input pictures (B, 3, S, S) and targets (B, V, 4, S, S), uint8, for coordinates and asked parts (B, V, P)."""
    compiled = scene.device.type == "cuda"
    closed = torch.zeros_like(coordinates[:, 0])
    photo = render(
        scene,
        camera,
        closed,
        scene.link_valid,
        size,
        Background.RANDOM,
        generator,
        samples=SUPERSAMPLE,
        compiled=compiled,
    )
    targets = []
    for slot in range(len(SLOTS)):
        alone = render(scene, camera, coordinates[:, slot], asked[:, slot], size, Background.WHITE, compiled=compiled)
        targets.append(torch.cat([alone.rgb, (alone.link >= 0)[..., None].float()], -1))
    return _bytes(photo.rgb), _bytes(torch.stack(targets, 1))


def _bytes(picture: Tensor) -> Tensor:
    """(..., S, S, C) in [0, 1] -> (..., C, S, S) uint8."""
    return (picture * 255).round().clamp(0, 255).to(torch.uint8).movedim(-1, -3)


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
    """(B, V, P) bool: every part, or one drawn at random, another in every PART slot while there are enough."""
    batch, parts = plan.valid.shape
    order = torch.where(plan.valid, _uniform((batch, parts), generator), -1.0).argsort(1, descending=True)
    count = plan.valid.sum(1)
    asked = plan.valid[:, None].repeat(1, len(SLOTS), 1)
    part_slots = [index for index, slot in enumerate(SLOTS) if slot is EditTask.PART]
    for rank, slot in enumerate(part_slots):
        chosen = order.gather(1, (rank % count)[:, None])
        asked[:, slot] = nnf.one_hot(chosen[:, 0], parts).bool()
    return asked


def draw_batch(data: EditData, size: int, generator: torch.Generator) -> EditBatch:
    """A random training batch under imagined plans, with a little noise on the input picture."""
    index = torch.randint(len(data), (size,), device=generator.device, generator=generator)
    slot = torch.randint(len(SLOTS), (size,), device=generator.device, generator=generator)
    batch = exact_batch(data, index, slot)
    noise = torch.randn(batch.image.shape, device=generator.device, generator=generator)
    strength = 0.04 * _uniform((size, 1, 1, 1), generator) ** 2
    plan, valid = imagine(batch.plan, generator), batch.plan.valid
    missed = (_uniform(valid.shape, generator) < 0.1) & (batch.task == EditTask.OBJECT)[:, None]
    missed[:, 0] = False
    return replace(
        batch,
        plan=replace(plan, valid=valid & ~missed),
        coordinates=data.fraction[index, slot] * plan.upper,
        image=batch.image + noise * strength,
    )


def exact_batch(data: EditData, index: Tensor, slot: Tensor) -> EditBatch:
    """The edits `slot` (B,) of the objects `index` (B,) under exact plans."""
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
    same_size = torch.tan(fov / 2) / torch.tan(
        wrong_fov / 2
    )  # a plan sees sizes well and cannot tell zoom from distance
    wrong_distance = distance * same_size * normal(0.02, 1).exp()
    camera = [
        azimuth + normal(0.06, 1),
        elevation + normal(0.05, 1),
        wrong_distance,
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
