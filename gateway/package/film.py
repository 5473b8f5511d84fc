"""A short film of a hand opening an asset's parts, as an animated GIF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from articulation.urdf import read_urdf
from gateway.package.manipulate import Demonstration
from gateway.package.preview import render_states
from gateway.package.write import URDF

FRAMES = 24
FRAME_MILLISECONDS = 120
SIZE = 320
"""Side of the picture [pixel]."""


def film(folder: Path, demonstrations: Sequence[Demonstration]) -> bytes:
    """GIF of the asset in the simulation, one part after the other; of the closed asset where no hand opens any.

    Args:
        folder: of the asset.
        demonstrations: what to show.

    Raises:
        OSError: the URDF cannot be read.
    """
    urdf = folder / URDF
    closed = np.zeros((1, len(read_urdf(urdf.read_bytes()).articulation)))
    states = np.concatenate([closed, *(demonstration.path for demonstration in demonstrations)])
    shown = states[np.unique(np.linspace(0, len(states) - 1, FRAMES).round().astype(int))]
    first, *more = map(Image.fromarray, render_states(urdf, list(shown), SIZE))
    stream = io.BytesIO()
    first.save(stream, "GIF", save_all=True, append_images=more, duration=FRAME_MILLISECONDS, loop=0)
    return stream.getvalue()
