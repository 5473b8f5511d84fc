"""Pictures of which no asset should be made, by other means than `training/negatives.py`, on which models train.

Photographs come with scikit-image (all in the public domain or CC0) and are read where it is installed. Objects,
drawings and pages are drawn here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import skimage.data
import skimage.feature
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps
from scipy.ndimage import gaussian_filter

from articulation.typing import AnyArray
from training.draw import Split
from training.objects import CATEGORIES, generate
from training.preview import photograph, photograph_view, to_bytes
from training.render import render
from training.scene import pack

SIDE = 384

PHOTOGRAPHS = (
    "astronaut", "brick", "camera", "cell", "chelsea", "clock", "coffee", "coins", "grass", "gravel", "horse",
    "hubble_deep_field", "immunohistochemistry", "microaneurysms", "moon", "retina", "rocket",
)  # fmt: skip
CLOSER = ("astronaut", "camera", "chelsea", "coffee", "rocket")
"""Shown a second time, enlarged and mirrored."""

TEXT = (
    "the quick brown fox jumps over a lazy dog while seven wizards pack my box with five dozen jugs of liquid oak "
    "cabinet drawer hinge manual page twelve see figure warning do not open the door during operation"
)
_SHIPPED: Any = skimage.data
_FILTERS: Any = skimage.feature


@dataclass(frozen=True, eq=False)
class BadPicture:
    """A picture, its kind, and a name that is its own."""

    kind: str
    name: str
    image: Image.Image


def bad_pictures(split: Split = Split.TEST) -> list[BadPicture]:
    """All of them, always the same.

    Args:
        split: whose objects stand in the pictures of two, and of a piece.
    """
    makers: dict[str, Callable[[], list[Image.Image]]] = {
        "photograph": photographs,
        "text": pages,
        "noise": noises,
        "blank": blanks,
        "pattern": patterns,
        "drawing": lambda: drawings(split),
        "two objects": lambda: pairs(split),
        "cut off": lambda: pieces(split),
    }
    return [
        BadPicture(kind, f"{kind.replace(' ', '-')}-{number:02d}", image.convert("RGB"))
        for kind, make in makers.items()
        for number, image in enumerate(make())
    ]


def photographs() -> list[Image.Image]:
    """A person, a cat, a cup, a rocket, textures, things under the microscope and in the sky."""
    found = {name: _eight_bit(getattr(_SHIPPED, name)()) for name in PHOTOGRAPHS}
    closer = [ImageOps.mirror(_middle(found[name], 0.55)) for name in CLOSER]
    return [*found.values(), *closer]


def _eight_bit(pixels: AnyArray) -> Image.Image:
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * 255
    elif pixels.dtype != np.uint8:
        low, high = float(pixels.min()), float(pixels.max())
        pixels = ((pixels - low) / (high - low) * 255).astype(np.uint8)
    return Image.fromarray(pixels)


def _middle(image: Image.Image, share: float) -> Image.Image:
    """The middle of an image, `share` of its width and height."""
    width, height = image.size
    left, top = width * (1 - share) / 2, height * (1 - share) / 2
    return image.crop((int(left), int(top), int(width - left), int(height - top)))


def pages() -> list[Image.Image]:
    """Two scanned pages, and six set here: book, slide, receipt, terminal, notice, formulas of symbols."""
    scanned = [_eight_bit(_SHIPPED.page()), _eight_bit(_SHIPPED.text())]
    looks = (
        (14, 500, 640, "#1a1a1a", "#fbf8ef", 0),
        (34, 640, 480, "#103060", "white", 0),
        (13, 240, 600, "black", "white", 2),
        (15, 600, 400, "#60ff70", "#101410", 0),
        (56, 480, 480, "white", "#b01818", -4),
        (22, 512, 512, "#333333", "#eeeeee", 12),
    )
    return [*scanned, *(_page(seed, *look) for seed, look in enumerate(looks))]


def _page(seed: int, points: int, width: int, height: int, ink: str, paper: str, tilt: float) -> Image.Image:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), paper)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(points)
    for top in range(points, height - points, int(points * 1.4)):
        if rng.random() < 0.12:
            continue
        line = " ".join(rng.choice(TEXT.split(), 40))
        pen.text((points, top), line[: int(rng.uniform(0.4, 1) * width / points * 1.9)], ink, font)
    return image.rotate(tilt, Image.Resampling.BICUBIC, fillcolor=paper)


def noises() -> list[Image.Image]:
    """White noise in grey and colour, salt and pepper, clouds, blobs, a bad screen."""
    rng = np.random.default_rng(0)
    white = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    grey = rng.normal(128, 40, (SIDE, SIDE)).clip(0, 255).astype(np.uint8)
    salt = np.where(rng.random((SIDE, SIDE)) < 0.1, rng.integers(0, 2, (SIDE, SIDE)) * 255, 127).astype(np.uint8)
    clouds = [gaussian_filter(rng.normal(size=(SIDE, SIDE, 3)), (sigma, sigma, 0)) for sigma in (3, 25)]
    blobs = _SHIPPED.binary_blobs(SIDE, blob_size_fraction=0.08, rng=1)
    lines = rng.integers(0, 256, (SIDE, 1, 3), dtype=np.uint8).repeat(SIDE, 1)
    return [_eight_bit(x) for x in (white, grey, salt, *clouds, blobs, lines)]


def blanks() -> list[Image.Image]:
    """White, black, one colour, a gradient, a wall in bad light, almost nothing."""
    ramp = Image.linear_gradient("L").resize((SIDE, SIDE))
    wall = Image.radial_gradient("L").resize((SIDE, SIDE)).point([200 - value // 4 for value in range(256)])
    almost = Image.new("RGB", (SIDE, SIDE), "white")
    ImageDraw.Draw(almost).ellipse((180, 190, 196, 206), "#d8d8d8")
    plain = [Image.new("RGB", (SIDE, SIDE), color) for color in ("white", "black", "#5080c0")]
    return [*plain, ramp, wall, almost]


def patterns() -> list[Image.Image]:
    """A chessboard, a colour wheel, a phantom of a head, a logo, stripes, a target, dots."""
    shipped = [_SHIPPED.checkerboard(), _SHIPPED.colorwheel(), _SHIPPED.shepp_logan_phantom()]
    logo = Image.fromarray(_SHIPPED.logo())
    stripes, target, dots = (Image.new("RGB", (SIDE, SIDE), color) for color in ("#fff0d0", "white", "#203040"))
    pens = [ImageDraw.Draw(image) for image in (stripes, target, dots)]
    for step in range(0, SIDE, 32):
        pens[0].rectangle((step, 0, step + 12, SIDE), "#905030")
        radius = (SIDE - step) / 2
        pens[1].ellipse((192 - radius, 192 - radius, 192 + radius, 192 + radius), ("#c01010", "white")[step // 32 % 2])
        for across in range(0, SIDE, 32):
            pens[2].ellipse((across + 8, step + 8, across + 24, step + 24), "#f0e0a0")
    on_white = Image.alpha_composite(Image.new("RGBA", logo.size, "white"), logo.convert("RGBA"))
    return [*map(_eight_bit, shipped), on_white, stripes, target, dots]


def drawings(split: Split) -> list[Image.Image]:
    """Furniture in lines: six drawn by hand, and the edges that a filter finds in four photographs."""
    edges = []
    for index in range(4):
        seen = np.asarray(_shot(split, 8_300_000 + index).convert("L")) / 255
        lines = _FILTERS.canny(seen, sigma=1.0 + 0.3 * index)
        edges.append(ImageOps.invert(_eight_bit(lines)).filter(ImageFilter.GaussianBlur(0.6)))
    return [*(_cabinet(seed) for seed in range(6)), *edges]


def _cabinet(seed: int) -> Image.Image:
    """A box in oblique projection with rows of drawers or doors, drawn with a shaking pen."""
    rng = np.random.default_rng(100 + seed)
    ink, paper = [("black", "white"), ("#203080", "white"), ("#303030", "#f4ead8"), ("white", "#1c3f70")][seed % 4]
    image = Image.new("RGB", (SIDE, SIDE), paper)
    pen, width = ImageDraw.Draw(image), int(rng.integers(2, 5))

    def line(*points: tuple[float, float]) -> None:
        pen.line([(x + rng.normal(0, 0.7), y + rng.normal(0, 0.7)) for x, y in points], ink, width, "curve")

    def box(left: float, top: float, right: float, bottom: float) -> None:
        line((left, top), (right, top), (right, bottom), (left, bottom), (left, top))

    left, right, top, bottom = 70.0, float(rng.uniform(220, 290)), float(rng.uniform(90, 150)), 330.0
    depth = float(rng.uniform(25, 60))
    box(left, top, right, bottom)
    line((left, top), (left + depth, top - depth), (right + depth, top - depth), (right, top))
    line((right + depth, top - depth), (right + depth, bottom - depth), (right, bottom))
    rows, columns = int(rng.integers(1, 5)), int(rng.integers(1, 3))
    for row in range(rows):
        for column in range(columns):
            x0, x1 = (left + 8 + (right - left - 8) * (column + k) / columns for k in (0, 1))
            y0, y1 = (top + 8 + (bottom - top - 8) * (row + k) / rows for k in (0, 1))
            box(x0, y0, x1 - 8, y1 - 8)
            middle = (x0 + x1) / 2 - 4, (y0 + y1) / 2 - 4
            pen.ellipse((middle[0] - 5, middle[1] - 5, middle[0] + 5, middle[1] + 5), outline=ink, width=width)
    return image


def pairs(split: Split) -> list[Image.Image]:
    """Two objects: photographs side by side and one above the other, and objects cut out before a third room."""
    shots = [_shot(split, 8_000_000 + index) for index in range(12)]
    beside = [_row(shots[i], shots[i + 1]) for i in range(0, 8, 2)]
    above = [_row(shots[i].rotate(90), shots[i + 1].rotate(90)).rotate(-90, expand=True) for i in range(8, 12, 2)]
    return [*beside, *above, *(_in_one_room(split, 8_100_000 + 2 * index, index) for index in range(4))]


def _row(left: Image.Image, right: Image.Image) -> Image.Image:
    both = Image.new("RGB", (left.width + right.width, left.height), "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return both


def _in_one_room(split: Split, seed: int, look: int) -> Image.Image:
    """Two cut-out objects on one ground: a wall and a floor, the colours of which `look` chooses."""
    wall, floor = [("#e8e4da", "#9a7a58"), ("white", "white"), ("#8fa6b2", "#55504a"), ("#d9d9d9", "#bdbdbd")][look % 4]
    room = Image.new("RGB", (2 * SIDE, int(1.3 * SIDE)), wall)
    ImageDraw.Draw(room).rectangle((0, int(0.8 * SIDE), 2 * SIDE, 2 * SIDE), floor)
    for place in range(2):
        cut = _cut_out(split, seed + place)
        cut = cut.crop(cut.getbbox())
        room.paste(cut, (int(SIDE * (place + 0.5) - cut.width / 2), int(1.2 * SIDE) - cut.height), cut)
    return room


def pieces(split: Split) -> list[Image.Image]:
    """A quarter to a half of an object: what a frame leaves of a photograph."""
    cuts = ((0, 0, 0.5, 1), (0.5, 0, 1, 1), (0, 0, 1, 0.45), (0, 0.55, 1, 1), (0, 0, 0.6, 0.7), (0.45, 0.4, 1, 1),
            (0.25, 0.25, 0.8, 0.8), (0.1, 0.3, 0.7, 0.9), (0.5, 0, 1, 0.6), (0, 0.4, 0.6, 1))  # fmt: skip
    found = []
    for index, (left, top, right, bottom) in enumerate(cuts):
        shot, bounds = _shot(split, 8_200_000 + index), _cut_out(split, 8_200_000 + index).getbbox()
        assert bounds is not None
        x0, y0, x1, y1 = bounds
        width, height = x1 - x0, y1 - y0
        frame = (
            0 if left == 0 else x0 + left * width, 0 if top == 0 else y0 + top * height,
            SIDE if right == 1 else x0 + right * width, SIDE if bottom == 1 else y0 + bottom * height,
        )  # fmt: skip
        found.append(_enlarged(shot.crop((round(frame[0]), round(frame[1]), round(frame[2]), round(frame[3])))))
    return found


def _enlarged(image: Image.Image) -> Image.Image:
    """To `SIDE`; of what is longer than 3 to 2 the far end is left out: white bars are no sign of a bad picture."""
    short = min(image.size)
    kept = image.crop((0, 0, min(image.width, int(1.5 * short)), min(image.height, int(1.5 * short))))
    return kept.resize((int(SIDE * kept.width / short), int(SIDE * kept.height / short)))


def _shot(split: Split, seed: int) -> Image.Image:
    spec = generate(seed, split, CATEGORIES[seed % len(CATEGORIES)])
    return Image.fromarray(photograph(spec, split, SIDE, seed))


def _cut_out(split: Split, seed: int) -> Image.Image:
    """The object of `_shot` alone, in the same place, on nothing."""
    spec = generate(seed, split, CATEGORIES[seed % len(CATEGORIES)])
    scene = pack([spec], "cpu")
    view = torch.tensor(photograph_view(spec, split, seed).to_array())[None]
    seen = render(scene, view, torch.zeros_like(scene.joint_upper), scene.link_valid, SIDE, samples=2)
    alpha = to_bytes((seen.link[0, ..., None] >= 0).float())
    return Image.fromarray(np.concatenate([to_bytes(seen.rgb[0]), alpha], -1), "RGBA")
