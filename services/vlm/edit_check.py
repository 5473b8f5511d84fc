"""Whether a picture that an image-editing model sent is what the stages after it expect.

They read everything that is not white as the object, and a pixel as the ray of the plan's camera (`docs/frames.md`).
A model that reads text may keep the room, lay the part on grey, show nothing, or move the camera to see a part better.
The plan's boxes tell where something may be; they are a guess, so the limits are wide.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from articulation.typing import Array, ImageArray

WHITE = 240
"""What is brighter in every channel, and joined to an edge of the picture, is background: refinement's limit too."""

CHECK_SIZE = 256
"""Side at which pictures and outlines are compared [pixels]."""

MARGIN = 24
"""How far from the boxes the object may still reach at that size [pixels]."""

MOST_SPILT = 0.03
"""Of the picture's area, what may be drawn further out."""

LEAST_DRAWN = 0.05
"""Of the boxes' area, what must be drawn."""


class Unfit(Exception):
    """The picture cannot be used; the text completes "the picture ..."."""


def background(picture: ImageArray) -> Array:
    """(S, S) bool: near-white pixels that are joined to an edge by such; a white panel inside an object is none."""
    white = (picture > WHITE).all(-1)
    edge = np.zeros_like(white)
    edge[[0, -1]] = edge[:, [0, -1]] = True
    found: Array = ndimage.binary_propagation(white & edge, mask=white)
    return found


def checked(picture: ImageArray, outline: Array) -> ImageArray:
    """The picture with its background exactly white.

    Args:
        picture: (S, S, 3) sRGB.
        outline: (CHECK_SIZE, CHECK_SIZE) bool, where the boxes of what was asked for lie.

    Raises:
        Unfit: it is empty, or much is drawn where nothing was asked for.
    """
    bare = background(picture)
    covered = np.asarray(Image.fromarray(~bare).convert("L").resize((CHECK_SIZE, CHECK_SIZE), Image.Resampling.BOX))
    drawn = covered > 127
    if outline.any() and drawn[outline].mean() < LEAST_DRAWN:
        raise Unfit("shows nothing where the plan has it")
    allowed = ndimage.binary_dilation(outline, iterations=MARGIN)
    spilt = float((drawn & ~allowed).mean())
    if spilt > MOST_SPILT:
        raise Unfit(f"is not alone on white, or from another camera: {spilt:.0%} of it is drawn outside of the plan")
    return np.where(bare[..., None], np.uint8(255), picture)
