"""What the caller should know of a request and its outcome before using the plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from articulation.plan import Plan
from articulation.typing import Array, ImageArray
from services.refinement.optimiser import Refined
from services.refinement.targets import BACKGROUND_BELOW, Opened, resized
from spark.v1 import refinement_service_pb2 as pb

MISPLACED = 0.2
"""A side of a part's mesh that is further from the planned box is elsewhere [model units]. Of 251 parts of validation
reconstructions, the worst is 0.15 off; 92 % of other parts' meshes in their place are further."""

COMPARED_SIDE = 64
"""Images are compared at this side, where compression and noise have averaged out [px]."""

CHANGED = 0.1
"""Difference of colour that counts [of the colour range]."""

LEAST_CHANGE = 0.002
"""Images of which a smaller share of the object changes show the same. Of each of 56 validation objects, at least 0.014
changes; of a picture saved as a poor JPEG, or with noise, nothing."""

UNEXPLAINED = 0.3
"""Loss above which not even the result explains the images. Of 24 validation objects with their own images it is at
most 0.20; with images of others, of the same category too, at least 0.41."""


def of_request(
    plan: Plan, bounds: Array, closed: ImageArray, opened: Sequence[Opened], moving: Sequence[int]
) -> Iterator[pb.RefinementWarning]:
    """What is odd about the input.

    Args:
        plan: the start.
        bounds: (L, 2, 3) lowest and highest corner of every part's mesh.
        closed: the closed image.
        opened: the open states.
        moving: parts that the open states are asked to show open.
    """
    if moving and all(change(closed, state.image) < LEAST_CHANGE for state in opened):
        yield pb.RefinementWarning(
            reason=pb.REFINEMENT_WARNING_REASON_SAME_IMAGES,
            message="The open image shows what the closed one shows: it says nothing about how parts move.",
        )
    astray = [
        part.name
        for part, (low, high) in zip(plan.parts, bounds, strict=True)
        if np.abs([part.box.center - part.box.half_extent - low, part.box.center + part.box.half_extent - high]).max()
        > MISPLACED
    ]
    if astray:
        yield pb.RefinementWarning(
            reason=pb.REFINEMENT_WARNING_REASON_PARTS_MISPLACED,
            message=f"Parts whose meshes do not fill their planned boxes: {', '.join(astray)}.",
            parts=astray,
        )


def of_outcome(refined: Refined, pictures: int) -> Iterator[pb.RefinementWarning]:
    """What is odd about the result, which had that many open images to explain."""
    if refined.stopped:
        yield pb.RefinementWarning(
            reason=pb.REFINEMENT_WARNING_REASON_STOPPED_EARLY,
            message="Refinement ran out of time: the joints are the best that it had found.",
        )
    elif refined.final_loss / pictures > UNEXPLAINED:
        yield pb.RefinementWarning(
            reason=pb.REFINEMENT_WARNING_REASON_IMAGES_UNEXPLAINED,
            message="No joints explain the closed and open images: they may show another object.",
        )


def change(closed: ImageArray, opened: ImageArray) -> float:
    """Share of the object's pixels that differ between two pictures of it on white."""
    one, two = (resized(picture, COMPARED_SIDE).astype(np.float64) / 255 for picture in (closed, opened))
    shown = np.minimum(one, two).min(-1) < 1 - BACKGROUND_BELOW
    return float((np.abs(one - two).max(-1) > CHANGED).sum() / max(shown.sum(), 1))
