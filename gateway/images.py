"""Uploads to the one kind of image that every model sees: a square 512 x 512 sRGB PNG, letterboxed on white."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageOps

from articulation.files import png
from articulation.typing import ImageArray
from serving.errors import InvalidImage

FIELD = "image"
FORMATS = ("PNG", "JPEG", "WEBP")
SIZE = 512
MIN_SIDE = 32
MAX_PIXELS = 64_000_000
MAX_ASPECT = 8
ONE_COLOUR_RANGE = 8
"""Largest spread of grey levels, in any channel, that still counts as one colour (JPEG noise stays below)."""

_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise on broken files."""


def normalise(data: bytes) -> bytes:
    """An upload as the PNG that the stages work on.

    EXIF rotation is applied, alpha is laid on white, 16-bit, grey, palette and CMYK images become 8-bit RGB, and an
    embedded colour profile is converted to sRGB. Equal uploads give equal bytes.

    Raises:
        InvalidImage: naming the field `image`: not a PNG, JPEG or WebP file, truncated, larger than 64 megapixels, a
            side below 32 pixels, longer than 8 to 1, animated, or of one colour.
    """
    image = _to_srgb(_decode(data))
    grey_range = np.ptp(np.asarray(image.resize((64, 64), Image.Resampling.BOX)).reshape(-1, 3), axis=0)
    if grey_range.max() <= ONE_COLOUR_RANGE:
        raise InvalidImage.at(FIELD, "shows one colour and no object")
    square = ImageOps.pad(image, (SIZE, SIZE), Image.Resampling.LANCZOS, color=(255, 255, 255))
    return png(np.asarray(square))


def read_rgb(data: bytes) -> ImageArray:
    """(H, W, 3) pixels of a PNG that a service made.

    Raises:
        OSError: it is no image.
    """
    return np.asarray(Image.open(io.BytesIO(data), formats=["PNG"]).convert("RGB"))


def _decode(data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise InvalidImage.at(FIELD, f"has more than {MAX_PIXELS} pixels") from None
    except _DECODER_ERRORS as error:
        raise InvalidImage.at(FIELD, "is no PNG, JPEG or WebP file") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise InvalidImage.at(FIELD, f"has {width} x {height} pixels, more than {MAX_PIXELS}")
    if min(width, height) < MIN_SIDE:
        raise InvalidImage.at(FIELD, f"is {width} x {height}, smaller than {MIN_SIDE} pixels")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise InvalidImage.at(FIELD, f"is {width} x {height}, longer than {MAX_ASPECT} to 1")
    if getattr(image, "n_frames", 1) > 1:
        raise InvalidImage.at(FIELD, f"is animated: it has {image.n_frames} frames")  # type: ignore[attr-defined]
    try:
        image.load()
        return ImageOps.exif_transpose(image)
    except _DECODER_ERRORS as error:
        raise InvalidImage.at(FIELD, "is truncated or damaged") from error


def _to_srgb(image: Image.Image) -> Image.Image:
    """8-bit RGB on white."""
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit grey; `convert` would clip it
        image = Image.fromarray((np.asarray(image).clip(0, 65535) / 257).round().astype(np.uint8))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image.convert("RGBA"))
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError) as error:
            raise InvalidImage.at(FIELD, "has a damaged colour profile") from error
        assert converted is not None
        image = converted
    return image.convert("RGB")
