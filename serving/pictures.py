"""Pictures in requests between services, which are square by then."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from articulation.typing import ImageArray
from serving.errors import InvalidImage


def decode(content: bytes, field: str, max_pixels: int) -> ImageArray:
    """(S, S, 3) sRGB of a square picture file in any format that Pillow reads; transparency becomes white.

    Args:
        content: of the file.
        field: of the request, for the error.
        max_pixels: largest accepted width times height.

    Raises:
        InvalidImage: unreadable, too large or not square.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            width, height = opened.size
            if width * height > max_pixels:
                raise InvalidImage.at(field, f"has {width} x {height} pixels, more than {max_pixels}")
            if width != height:
                raise InvalidImage.at(field, f"must be square, is {width} x {height}")
            layer = opened.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidImage.at(field, f"cannot be read: {error}") from error
    white = Image.new("RGBA", layer.size, "white")
    return np.asarray(Image.alpha_composite(white, layer).convert("RGB"))
