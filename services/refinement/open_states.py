"""The open states of a request: their pictures, how far each part was asked to open, and what else is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from articulation.typing import Array
from services.refinement import decoding
from services.refinement.targets import Opened
from serving.errors import InvalidRequest
from spark.v1 import refinement_service_pb2 as pb


def read(request: pb.RefineArticulationRequest, max_pixels: int) -> tuple[list[Opened], Array]:
    """Check and decode all open states of a request.

    Returns:
        The K states, and (K, L) the opening of each part in each, as a fraction of its planned upper limit.

    Raises:
        InvalidRequest: numbers of openings or masks that do not match the plan, an order of parts that are not two.
        InvalidImage: an unreadable or empty image, an unreadable mask.
    """
    count = len(request.plan.parts)
    opened, openings = [], []
    for state, image_field, prefix in _states(request):
        for name, values in (("opening", state.opening), ("part_masks", state.part_masks or [b""] * count)):
            if len(values) != count:
                message = f"must have one entry for each of the {count} parts, has {len(values)}"
                raise InvalidRequest.at(f"{prefix}{name}", message)
        image = decoding.image(state.image, image_field, max_pixels)
        masks = {
            part: decoding.mask(content, f"{prefix}part_masks[{part}]", max_pixels)
            for part, content in enumerate(state.part_masks)
            if content
        }
        opened.append(Opened(image, masks, tuple(_order(state.depth_order, f"{prefix}depth_order", count))))
        openings.append(list(state.opening))
    return opened, np.array(openings)


def _states(request: pb.RefineArticulationRequest) -> Iterator[tuple[pb.OpenState, str, str]]:
    """Each open state with the name of its image and what the names of its other fields begin with."""
    yield (
        pb.OpenState(
            image=request.open_image,
            opening=request.opening,
            part_masks=request.part_masks,
            depth_order=request.depth_order,
        ),
        "open_image",
        "",
    )
    for index, state in enumerate(request.further_open_states):
        prefix = f"further_open_states[{index}]."
        yield state, f"{prefix}image", prefix


def _order(pairs: Sequence[pb.DepthOrder], field: str, count: int) -> Iterator[tuple[int, int]]:
    for index, pair in enumerate(pairs):
        nearer, farther = pair.nearer_part, pair.farther_part
        if not 0 <= min(nearer, farther) < max(nearer, farther) < count:
            raise InvalidRequest.at(f"{field}[{index}]", f"must name two of the {count} parts: {nearer}, {farther}")
        yield nearer, farther
