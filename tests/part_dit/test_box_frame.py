"""Box frames and box codes: inverses of each other, bounded."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from services.part_dit import box_frame

centers = st.tuples(*[st.floats(-1.1, 1.1)] * 3)
halves = st.tuples(*[st.floats(box_frame.MIN_HALF, box_frame.MAX_HALF)] * 3)


@given(centers, halves)
def test_a_box_code_is_undone(center: tuple[float, ...], half: tuple[float, ...]) -> None:
    box = torch.tensor([*center, *half])
    torch.testing.assert_close(box_frame.decode(box_frame.encode(box)), box, rtol=1e-4, atol=1e-5)


@given(centers, halves)
def test_corners_of_a_box_are_corners_of_its_frame(center: tuple[float, ...], half: tuple[float, ...]) -> None:
    box = torch.tensor([*center, *half])
    corners = torch.stack([box[:3] - box[3:], box[:3] + box[3:]])
    found = box_frame.to_frame(corners, box)
    torch.testing.assert_close(found, torch.tensor([[-1.0] * 3, [1.0] * 3]), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(box_frame.from_frame(found, box), corners)


def test_any_code_is_a_usable_box() -> None:
    boxes = box_frame.decode(100 * torch.randn(50, 6))
    assert bool(boxes.isfinite().all())
    assert bool((boxes[:, 3:] >= box_frame.MIN_HALF).all())
