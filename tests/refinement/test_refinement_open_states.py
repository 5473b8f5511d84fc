"""Open states of a request: what is read, and how refusals name the field."""

import numpy as np
import pytest

from articulation.files import png
from services.refinement import open_states
from services.refinement.decoding import MASK_SIDE
from serving.errors import InvalidImage, InvalidRequest
from spark.v1 import articulation_pb2
from spark.v1 import refinement_service_pb2 as pb

GREY = png(np.pad(np.full((24, 24, 3), 99, dtype=np.uint8), ((4, 4), (4, 4), (0, 0)), constant_values=255))
"""An object on white."""

MASK = png(np.full((32, 32, 3), 255, dtype=np.uint8))
PIXELS = 2048 * 2048


def order(nearer: int, farther: int) -> pb.DepthOrder:
    return pb.DepthOrder(nearer_part=nearer, farther_part=farther)


def request(**fields: object) -> pb.RefineArticulationRequest:
    """Of two parts."""
    plan = articulation_pb2.ArticulationPlan(parts=[articulation_pb2.Part() for _ in range(2)])
    return pb.RefineArticulationRequest(plan=plan, open_image=GREY, opening=[0, 0.5], **fields)


def further(**fields: object) -> pb.RefineArticulationRequest:
    """Of two parts, with a second open state."""
    state = pb.OpenState(image=GREY, opening=[0, 1])
    for name, value in fields.items():
        state.ClearField(name)
        state.MergeFrom(pb.OpenState(**{name: value}))
    return request(further_open_states=[state])


def test_one_open_image_is_one_state() -> None:
    (state,), opening = open_states.read(request(), PIXELS)
    assert state.image.shape == (32, 32, 3)
    assert (state.masks, state.order) == ({}, ())
    np.testing.assert_array_equal(opening, [[0, 0.5]])


def test_each_state_has_its_own_opening_masks_and_order() -> None:
    one = request(part_masks=[b"", MASK], depth_order=[order(1, 0)])
    one.further_open_states.extend(further().further_open_states)
    states, opening = open_states.read(one, PIXELS)
    np.testing.assert_array_equal(opening, [[0, 0.5], [0, 1]])
    assert [list(state.masks) for state in states] == [[1], []]
    assert [state.order for state in states] == [((1, 0),), ()]
    assert states[0].masks[1].min() == 255


def test_large_masks_are_kept_small() -> None:
    large = np.zeros((2 * MASK_SIDE, 2 * MASK_SIDE, 3), dtype=np.uint8)
    large[:MASK_SIDE] = 255
    (state,), _ = open_states.read(request(part_masks=[png(large), b""]), PIXELS)
    assert state.masks[0].shape == (MASK_SIDE, MASK_SIDE)
    assert state.masks[0].mean() == pytest.approx(127.5)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (request(part_masks=[MASK]), "part_masks"),
        (request(depth_order=[order(1, 0), order(1, 1)]), "depth_order[1]"),
        (request(depth_order=[order(0, 2)]), "depth_order[0]"),
        (request(depth_order=[order(-1, 0)]), "depth_order[0]"),
        (further(opening=[1]), "further_open_states[0].opening"),
        (further(part_masks=[MASK] * 3), "further_open_states[0].part_masks"),
        (further(depth_order=[order(2, 0)]), "further_open_states[0].depth_order[0]"),
    ],
)
def test_what_does_not_fit_the_plan_is_named(wrong: pb.RefineArticulationRequest, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        open_states.read(wrong, PIXELS)
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (request(part_masks=[b"", b"no mask"]), "part_masks[1]"),
        (further(image=b"no image"), "further_open_states[0].image"),
        (further(image=MASK), "further_open_states[0].image"),
        (further(part_masks=[b"no mask", b""]), "further_open_states[0].part_masks[0]"),
    ],
)
def test_a_picture_that_cannot_be_read_is_named(wrong: pb.RefineArticulationRequest, field: str) -> None:
    with pytest.raises(InvalidImage) as caught:
        open_states.read(wrong, PIXELS)
    assert caught.value.violations[0].field == field
