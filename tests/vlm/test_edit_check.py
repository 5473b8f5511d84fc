"""What is accepted of an editing model's pictures."""

import numpy as np
import pytest

from articulation.typing import Array, ImageArray
from services.vlm.edit_check import CHECK_SIZE, Unfit, background, checked

SIZE = 512
CORNERS = slice(128, 384)


def outline() -> Array:
    found = np.zeros((CHECK_SIZE, CHECK_SIZE), bool)
    found[64:192, 64:192] = True
    return found


def drawn(paper: int = 255, ink: int = 90) -> ImageArray:
    picture = np.full((SIZE, SIZE, 3), paper, np.uint8)
    picture[CORNERS, CORNERS] = ink
    return picture


def test_a_picture_on_white_stays_as_it_is() -> None:
    np.testing.assert_array_equal(checked(drawn(), outline()), drawn())


def test_noise_of_the_background_becomes_white_and_the_object_stays() -> None:
    noisy = drawn(paper=250)
    noisy[::3, ::5] -= 6
    np.testing.assert_array_equal(checked(noisy, outline())[noisy[..., 0] > 200], 255)
    np.testing.assert_array_equal(checked(noisy, outline())[CORNERS, CORNERS], noisy[CORNERS, CORNERS])


def test_a_white_panel_inside_the_object_is_no_background() -> None:
    picture = drawn()
    picture[200:300, 200:300] = 250
    assert not background(picture)[200:300, 200:300].any()
    np.testing.assert_array_equal(checked(picture, outline()), picture)


def test_a_picture_that_lies_a_little_off_is_accepted() -> None:
    checked(np.roll(drawn(), (30, -30), (0, 1)), outline())


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (drawn(paper=235), "not alone on white"),
        (drawn(paper=90, ink=255), "not alone on white"),
        (np.roll(drawn(), 160, 1), "not alone on white"),
        (drawn(ink=255), "shows nothing"),
        (drawn(paper=248, ink=248), "shows nothing"),
    ],
    ids=["on grey", "in a room", "far off", "empty", "nearly empty"],
)
def test_a_picture_of_something_else_is_refused(picture: ImageArray, said: str) -> None:
    with pytest.raises(Unfit, match=said):
        checked(picture, outline())


def test_a_part_that_was_drawn_large_in_the_middle_is_refused() -> None:
    small = np.zeros((CHECK_SIZE, CHECK_SIZE), bool)
    small[150:160, 200:210] = True
    with pytest.raises(Unfit):
        checked(drawn(), small)


def test_a_part_whose_box_is_out_of_the_picture_may_be_empty() -> None:
    nothing = np.zeros((CHECK_SIZE, CHECK_SIZE), bool)
    assert (checked(drawn(ink=255), nothing) == 255).all()
