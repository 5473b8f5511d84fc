"""What the image-editing model is asked for, drawn as pixels: the plan's boxes, cast by the plan's camera.

The same function draws prompts for one request on a CPU and for a training batch on a GPU. An edit asks for some boxes
at some joint coordinates. Every pixel of its prompt tells which point of which asked box is nearest, where that point
lies at the closed state, and which colour the input image shows there; so a door that swings open carries its picture
along, and what remains for the network is what the plan cannot know: the true outline and what was hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor

from articulation.plan import Plan

ANCESTOR_DOUBLINGS = 5
"""Each doubles the length of the chain of ancestors that a pose includes; 2 ** 5 covers a tree of 32 links."""

VISIBLE_TOLERANCE = 0.05
"""How far behind the nearest closed box a point may lie and still count as seen [model units]."""

FAR = 1e4
NEAREST_DEPTH = 1e-3
PARALLEL = 1e-8


class EditTask(IntEnum):
    """What an edit shows, always alone on white; the value is the index of the task's channel."""

    OBJECT = 0
    PART = 1
    OPEN = 2


CHANNELS = (
    *("asked", "face_x", "face_y", "face_z", "normal_x", "normal_y", "normal_z", "nearness"),
    *("carried_r", "carried_g", "carried_b", "seen", "object", "asked_in_front"),
    *(f"task_{task.name.lower()}" for task in EditTask),
)
"""Names of a prompt's channels, in order.

asked: an asked box covers the pixel. face: the hit in the box's own coordinates, [-1, 1], at the closed state. normal:
of the hit face as asked, model space. nearness: camera distance minus hit distance. carried: the input image's colour,
in [-1, 1], at the hit's closed-state projection, zero where not seen. seen: the closed object shows that point. object:
any closed box covers the pixel. asked_in_front: the nearest closed box at the pixel is an asked one.
"""


@dataclass(frozen=True)
class PlanTensors:
    """A batch of plans, padded to P parts; the input of `draw_prompt`.

    Attributes:
        boxes: (B, P, 6) centre and half extent at the closed state.
        parent: (B, P) int64, the part itself for a root.
        axis: (B, P, 3) unit vectors.
        origin: (B, P, 3) a point on each axis.
        rotates: (B, P) bool.
        slides: (B, P) bool.
        upper: (B, P) upper limit [rad or model units].
        valid: (B, P) bool, false for padding.
        camera: (B, 6) as `articulation.camera.Camera.to_array`.
    """

    boxes: Tensor
    parent: Tensor
    axis: Tensor
    origin: Tensor
    rotates: Tensor
    slides: Tensor
    upper: Tensor
    valid: Tensor
    camera: Tensor

    @classmethod
    def from_plan(cls, plan: Plan, batch: int = 1) -> PlanTensors:
        """One plan, `batch` times, in float32."""
        joints = [part.joint for part in plan.parts]

        def repeat(values: Sequence[object], dtype: torch.dtype = torch.float32) -> Tensor:
            tensor = torch.as_tensor(np.asarray(values), dtype=dtype)
            return tensor.expand(batch, *tensor.shape)

        return cls(
            boxes=repeat([part.box.to_array() for part in plan.parts]),
            parent=repeat([i if p.parent < 0 else p.parent for i, p in enumerate(plan.parts)], torch.int64),
            axis=repeat([joint.axis for joint in joints]),
            origin=repeat([joint.origin for joint in joints]),
            rotates=repeat([joint.type.rotates for joint in joints], torch.bool),
            slides=repeat([joint.type.moves and not joint.type.rotates for joint in joints], torch.bool),
            upper=repeat([joint.upper for joint in joints]),
            valid=repeat([True] * len(joints), torch.bool),
            camera=repeat(list(plan.camera.to_array())),
        )


@dataclass(frozen=True)
class Hits:
    """The nearest box at every pixel.

    Attributes:
        part: (B, S, S) int64, -1 where no box is hit.
        distance: (B, S, S) along the unit ray; FAR where no box is hit.
    """

    part: Tensor
    distance: Tensor

    def expand(self, batch: int) -> Hits:
        """One row for a batch of them."""
        return Hits(self.part.expand(batch, -1, -1), self.distance.expand(batch, -1, -1))


def draw_prompt(plan: PlanTensors, coordinates: Tensor | None, asked: Tensor, task: Tensor, image: Tensor) -> Tensor:
    """Draw the prompts of a batch of edits.

    Args:
        plan: B plans, or a single one for all edits.
        coordinates: (B, P) joint coordinate of every part [rad or model units]; None when all are zero, closed.
        asked: (B, P) bool, the parts that the edit shows.
        task: (B,) int64 values of EditTask.
        image: (B, 3, S, S) input image in [-1, 1].

    Returns:
        (B, len(CHANNELS), S, S) in the dtype of `image`.
    """
    batch, size = len(image), image.shape[-1]
    eye, rays = camera_rays(plan.camera, size)
    shown = asked & plan.valid
    rotation, translation = part_poses(plan, torch.zeros_like(plan.upper))
    at_rest = box_distances(eye, rays, plan.boxes, rotation, translation)
    closed = nearest(at_rest, plan.valid).expand(batch)
    if coordinates is None:
        hits = nearest(at_rest, shown)
    else:
        rotation, translation = part_poses(plan, coordinates)
        hits = nearest(box_distances(eye, rays, plan.boxes, rotation, translation), shown)

    rows = torch.arange(batch, device=image.device)[:, None, None]
    part = hits.part.clamp(min=0)
    mask = (hits.part >= 0).to(image.dtype)[:, None]
    box = plan.boxes.expand(batch, -1, -1)[rows, part]
    pose = rotation.expand(batch, -1, -1, -1)[rows, part]
    world = eye[:, None, None] + rays * hits.distance[..., None]
    moved = world - translation.expand(batch, -1, -1)[rows, part]
    point = (pose * moved[..., None]).sum(-2)  # a matrix product of every pixel's own would be slow
    face = (point - box[..., :3]) / box[..., 3:]
    side = face * (face.abs() >= face.abs().amax(-1, keepdim=True))
    normal = (pose * torch.sign(side)[..., None, :]).sum(-1)

    pixel, depth = project(plan.camera, point)
    seen = _seen(closed, pixel, depth, hits.part, (point - eye[:, None, None]).norm(dim=-1))
    seen = seen.to(image.dtype)[:, None] * mask
    carried = nnf.grid_sample(image, pixel.to(image.dtype), align_corners=False, padding_mode="border")
    in_front = asked[rows, closed.part.clamp(min=0)] & (closed.part >= 0)
    nearness = plan.camera[:, 2, None, None] - hits.distance
    planes = (
        mask,
        face.clamp(-1.5, 1.5).movedim(-1, 1) * mask,
        normal.movedim(-1, 1) * mask,
        nearness.clamp(-2, 2)[:, None] * mask,
        carried * seen,
        seen,
        (closed.part >= 0)[:, None],
        in_front[:, None],
        nnf.one_hot(task, len(EditTask))[:, :, None, None].expand(-1, -1, size, size),
    )
    return torch.cat([plane.to(image.dtype) for plane in planes], 1)


def outlines(plan: PlanTensors, coordinates: Tensor, size: int) -> Tensor:
    """Where each part's box lies in the picture, hidden or not: (B, P, size, size) bool.

    Args:
        plan: a batch of plans.
        coordinates: (B, P) joint coordinate of every part [rad or model units].
        size: of the picture [pixels].
    """
    eye, rays = camera_rays(plan.camera, size)
    rotation, translation = part_poses(plan, coordinates)
    return box_distances(eye, rays, plan.boxes, rotation, translation) < FAR


def part_poses(plan: PlanTensors, coordinates: Tensor) -> tuple[Tensor, Tensor]:
    """Forward kinematics: rotation (B, P, 3, 3) and translation (B, P, 3) of every part against the closed state."""
    angle = (coordinates * plan.rotates)[..., None, None]
    x, y, z = plan.axis.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    identity = torch.eye(3, device=cross.device)
    rotation = identity + torch.sin(angle) * cross + (1 - torch.cos(angle)) * cross @ cross
    shift = plan.axis * (coordinates * plan.slides)[..., None]
    translation = plan.origin - (rotation @ plan.origin[..., None])[..., 0] + shift
    rows = torch.arange(len(angle), device=cross.device)[:, None]
    above = plan.parent
    for _ in range(ANCESTOR_DOUBLINGS):  # a root is fixed, so composing with it again changes nothing
        translation = (rotation[rows, above] @ translation[..., None])[..., 0] + translation[rows, above]
        rotation = rotation[rows, above] @ rotation
        above = above[rows, above]
    return rotation, translation


def camera_rays(camera: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Centre of projection (B, 3) and unit rays (B, size, size, 3) of cameras (B, 6); as `Camera.rays`."""
    ticks = (torch.arange(size, device=camera.device) + 0.5) / size * 2 - 1
    focal = (1 / torch.tan(camera[:, 3] / 2))[:, None, None]
    u = ((ticks[None, None, :] - camera[:, 4, None, None]) / focal).expand(-1, size, -1)
    v = ((ticks[None, :, None] - camera[:, 5, None, None]) / focal).expand(-1, -1, size)
    rays = nnf.normalize(torch.stack([u, -v, -torch.ones_like(u)], -1), dim=-1)
    view = view_rotation(camera)
    return camera[:, 2, None] * view[:, 2], rays @ view[:, None]


def project(camera: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Normalised image coordinates (B, S, S, 2) and depth (B, S, S) of points (B, S, S, 3); as `Camera.project`."""
    view = view_rotation(camera)[:, None]
    eye = (camera[:, 2, None] * view[:, 0, 2])[:, None, None]
    local = (points - eye) @ view.mT
    depth = -local[..., 2]
    focal = (1 / torch.tan(camera[:, 3] / 2))[:, None, None, None]
    image = focal * local[..., :2] / depth.clamp(min=NEAREST_DEPTH)[..., None]
    flip = torch.stack([torch.ones_like(camera[:, 0]), -torch.ones_like(camera[:, 0])], -1)
    return image * flip[:, None, None] + camera[:, None, None, 4:], depth


def view_rotation(camera: Tensor) -> Tensor:
    """(B, 3, 3) rows: right, up and backward of cameras (B, 6); as `Camera.rotation`."""
    sa, ca = torch.sin(camera[:, 0]), torch.cos(camera[:, 0])
    se, ce = torch.sin(camera[:, 1]), torch.cos(camera[:, 1])
    zero = torch.zeros_like(sa)
    rows = torch.stack([ca, zero, -sa, -sa * se, ce, -ca * se, sa * ce, se, ca * ce], -1)
    rotation: Tensor = rows.unflatten(-1, (3, 3))
    return rotation


def box_distances(eye: Tensor, rays: Tensor, boxes: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
    """How far along every ray each box begins, by slabs, in each part's closed-state frame.

    Args:
        eye: (B, 3).
        rays: (B, S, S, 3) unit vectors.
        boxes: (B, P, 6).
        rotation: (B, P, 3, 3) poses of the parts.
        translation: (B, P, 3).

    Returns:
        (B, P, S, S); FAR where the ray misses the box.
    """
    start = (rotation.mT @ (eye[:, None] - translation)[..., None])[..., 0] - boxes[..., :3]
    x, y, z = (ray[:, None] for ray in rays.unbind(-1))
    entries, exits = [], []
    for axis in range(3):
        column = rotation[..., :, axis, None, None]
        slope = x * column[:, :, 0] + y * column[:, :, 1] + z * column[:, :, 2]
        slope = torch.where(slope.abs() < PARALLEL, PARALLEL, slope)
        middle = start[..., axis, None, None] / slope
        reach = boxes[..., 3 + axis, None, None] / slope.abs()
        entries.append(-middle - reach)
        exits.append(-middle + reach)
    entry = torch.maximum(torch.maximum(entries[0], entries[1]), entries[2])
    leave = torch.minimum(torch.minimum(exits[0], exits[1]), exits[2])
    return torch.where((entry <= leave) & (leave > 0), entry.clamp(min=0), FAR)


def nearest(distances: Tensor, shown: Tensor) -> Hits:
    """The nearest of the boxes `shown` (B, P) at distances (B, P, S, S)."""
    distance, part = torch.where(shown[..., None, None], distances, FAR).min(1)
    return Hits(torch.where(distance < FAR, part, -1), distance)


def _seen(closed: Hits, pixel: Tensor, depth: Tensor, part: Tensor, distance: Tensor) -> Tensor:
    """(B, S, S) bool: whether the closed object shows the points that project to `pixel` (B, S, S, 2)."""
    size = closed.part.shape[-1]
    inside = (pixel.abs() < 1).all(-1) & (depth > NEAREST_DEPTH)
    column, row = ((pixel.clamp(-1, 1) + 1) / 2 * size).long().clamp(max=size - 1).unbind(-1)
    index = (row * size + column).flatten(1)
    front = closed.distance.flatten(1).gather(1, index).view_as(distance)
    owner = closed.part.flatten(1).gather(1, index).view_as(part)
    seen: Tensor = inside & (owner == part) & (distance < front + VISIBLE_TOLERANCE)
    return seen
