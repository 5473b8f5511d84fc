"""Pictures of requests: what is read, and how refusals name the field."""

import io

import numpy as np
import pytest
from PIL import Image

from serving import pictures
from serving.errors import InvalidImage

GREY = Image.new("RGB", (32, 32), (99, 99, 99))


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_a_picture_is_read(kind: str) -> None:
    np.testing.assert_array_equal(pictures.decode(encoded(GREY, kind), "image", 32 * 32), np.asarray(GREY))


def test_what_is_transparent_becomes_white() -> None:
    clear = Image.new("RGBA", (8, 8), (200, 0, 0, 0))
    assert (pictures.decode(encoded(clear), "image", 64) == 255).all()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"no image", "cannot be read"),
        (encoded(GREY)[:60], "cannot be read"),
        (encoded(GREY.crop((0, 0, 32, 16))), "must be square, is 32 x 16"),
        (encoded(GREY.resize((65, 65))), "65 x 65 pixels, more than 4096"),
    ],
)
def test_an_unusable_picture_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(InvalidImage, match=problem) as caught:
        pictures.decode(content, "open_image", 64 * 64)
    assert caught.value.violations[0].field == "open_image"
