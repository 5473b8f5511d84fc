"""Every kind of upload: normalised, or refused with a typed error that names the field."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from toy_services import picture

from gateway.images import SIZE, normalise, read_rgb
from serving.errors import InvalidImage


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def scene(mode: str = "RGB", size: tuple[int, int] = (80, 80)) -> Image.Image:
    """Left half dark red, right half light blue."""
    pixels = np.full((size[1], size[0], 3), (120, 180, 240), np.uint8)
    pixels[:, : size[0] // 2] = (140, 30, 20)
    return Image.fromarray(pixels).convert(mode)


def bomb() -> bytes:
    """A PNG header that claims 40,000 x 40,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def animated(kind: str) -> bytes:
    frames = [scene(), scene().rotate(90), scene().rotate(180)]
    return encode(frames[0], kind, save_all=True, append_images=frames[1:])


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is no PNG"),
    "text": (lambda: b"this is not an image at all", "is no PNG"),
    "another format": (lambda: encode(scene(), "GIF"), "is no PNG"),
    "truncated PNG": (lambda: picture()[:-200], "truncated"),
    "truncated JPEG": (lambda: encode(scene(size=(300, 300)), "JPEG")[:1500], "truncated"),
    "header only": (lambda: picture()[:20], "is no PNG"),
    "bomb": (bomb, "pixels"),
    "more than 64 megapixels": (lambda: encode(Image.new("L", (8200, 8200))), "pixels"),
    "too small": (lambda: encode(scene(size=(31, 80))), "smaller"),
    "too long": (lambda: encode(scene(size=(900, 100))), "longer"),
    "animated PNG": (lambda: animated("PNG"), "animated"),
    "animated WebP": (lambda: animated("WEBP"), "animated"),
    "one colour": (lambda: encode(Image.new("RGB", (200, 200), (9, 99, 199))), "one colour"),
    "one colour in JPEG": (lambda: encode(Image.new("RGB", (200, 200), (9, 99, 199)), "JPEG"), "one colour"),
    "one colour under alpha": (lambda: encode(Image.new("RGBA", (200, 200), (9, 99, 199, 0))), "one colour"),
    "broken profile": (lambda: encode(scene(), icc_profile=b"no profile"), "colour profile"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_field_named(name: str) -> None:
    make, words = REFUSED[name]
    with pytest.raises(InvalidImage, match=words) as caught:
        normalise(make())
    assert caught.value.violations[0].field == "image"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_formats_give_the_same_square_picture(kind: str) -> None:
    pixels = read_rgb(normalise(encode(scene(), kind, **({} if kind == "PNG" else {"quality": 100}))))
    assert pixels.shape == (SIZE, SIZE, 3)
    assert np.abs(pixels[256, 40].astype(int) - (140, 30, 20)).max() < 6
    assert np.abs(pixels[256, -40].astype(int) - (120, 180, 240)).max() < 6


def test_equal_uploads_give_equal_bytes_and_a_result_stays_as_it_is() -> None:
    once = normalise(picture())
    assert normalise(picture()) == once
    assert (read_rgb(normalise(once)) == read_rgb(once)).all()


def test_a_wide_picture_is_letterboxed_on_white() -> None:
    pixels = read_rgb(normalise(encode(scene(size=(200, 100)))))
    assert (pixels[:120] == 255).all()
    assert (pixels[-120:] == 255).all()
    assert (pixels[256, 10] < 200).all()


def test_alpha_is_laid_on_white() -> None:
    image = scene("RGBA")
    image.putalpha(Image.fromarray(np.repeat(np.array([[0, 255]], np.uint8), 80, 0).repeat(40, 1)))
    pixels = read_rgb(normalise(encode(image)))
    assert (pixels[256, 40] == 255).all()
    assert tuple(pixels[256, -40]) == (120, 180, 240)


def test_exif_rotation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to see it upright
    pixels = read_rgb(normalise(encode(scene(), "JPEG", exif=exif, quality=100)))
    assert pixels[40, 256, 0] < 150 < pixels[40, 256, 0] + 60  # dark red, once left, is now on top
    assert pixels[-40, 256, 2] > 200


def test_sixteen_bit_grey_keeps_its_gradient() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(256, 0)
    pixels = read_rgb(normalise(encode(Image.fromarray(ramp))))
    expected = np.linspace(0, 255, SIZE)
    assert np.abs(pixels[256, :, 0] - expected).max() < 3


def test_cmyk_becomes_rgb() -> None:
    pixels = read_rgb(normalise(encode(scene("CMYK"), "JPEG", quality=100)))
    assert pixels[256, 40, 0] > pixels[256, 40, 2]


def test_palette_with_transparency_is_laid_on_white() -> None:
    image = scene().quantize(2)
    pixels = read_rgb(normalise(encode(image, transparency=image.getpixel((0, 0)))))
    assert (pixels[256, 40] == 255).all()


def test_a_colour_profile_is_converted_to_srgb() -> None:
    lab_like = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = read_rgb(normalise(encode(scene(), icc_profile=lab_like)))
    assert np.abs(pixels[256, 40].astype(int) - (140, 30, 20)).max() <= 2


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 900), st.binary(min_size=1, max_size=8), st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_damaged_files_are_refused_or_read_but_never_crash(position: int, junk: bytes, kind: str) -> None:
    data = bytearray(encode(scene(size=(64, 64)), kind))
    position %= len(data)
    data[position : position + len(junk)] = junk
    try:
        assert read_rgb(normalise(bytes(data))).shape == (SIZE, SIZE, 3)
    except InvalidImage as error:
        assert error.violations[0].field == "image"
