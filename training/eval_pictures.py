"""Scores of the guide stage's pictures against renders of the true object by the true camera."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from articulation.camera import Camera
from articulation.metrics import PartMatch
from articulation.plan import Plan
from articulation.typing import Array, ImageArray
from gateway.plans import OPENING, openings
from training.render import render
from training.scene import pack
from training.spec import ObjectSpec


def silhouette(picture: ImageArray) -> Tensor:
    """(H, W) bool, where a picture shows something: its alpha where it has one, else all that is not pure white."""
    shown = picture[..., 3] > 127 if picture.shape[-1] == 4 else (picture < 255).any(-1)
    return torch.from_numpy(shown)


def iou(first: Tensor, second: Tensor) -> float | None:
    """Intersection over union of two masks (H, W); None for two empty ones."""
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else None


def true_opening(spec: ObjectSpec, plan: Plan, matched: PartMatch) -> Array:
    """(L,) share of its upper limit by which each true part is open where the open-state image was asked for.

    The guide asks for a share a planned part; a part that was not planned opens as far as any.
    """
    asked = openings(plan)
    shares = np.full(len(spec.links), OPENING)
    for guess, true in matched.pairs:
        if plan.parts[guess].joint.type.moves:
            shares[true] = asked[guess]
    return shares


def open_state_iou(spec: ObjectSpec, camera: Camera, picture: ImageArray, shares: Array) -> float | None:
    """Overlap of the open-state image with the silhouette of the true object, opened by `shares` (L,)."""
    scene = pack([spec], "cpu")
    q = torch.tensor(spec.open_coordinates(shares))[None]
    view = torch.tensor(camera.to_array())[None]
    return iou(silhouette(picture), render(scene, view, q, scene.link_valid, len(picture)).link[0] >= 0)


def part_reference_ious(
    spec: ObjectSpec, camera: Camera, plan: Plan, pictures: Mapping[str, ImageArray], matched: PartMatch
) -> tuple[float, ...]:
    """Overlap of each true part's mask, nothing before it, with its partner's reference image; 0 without a partner.

    Args:
        plan: whose parts are matched.
        pictures: by the name of the planned part.
    """
    partner = {true: plan.parts[guess].name for guess, true in matched.pairs}
    size = len(next(iter(pictures.values())))
    count = len(spec.links)
    scene = pack([spec], "cpu")[torch.zeros(count, dtype=torch.int64)]
    view = torch.tensor(camera.to_array()).expand(count, -1)
    masks = render(scene, view, torch.zeros_like(scene.joint_upper), torch.eye(count, dtype=torch.bool), size).link >= 0
    overlaps = []
    for index, mask in enumerate(masks):
        picture = pictures.get(partner.get(index, ""))
        overlaps.append((iou(silhouette(picture), mask) or 0.0) if picture is not None else 0.0)
    return tuple(overlaps)
