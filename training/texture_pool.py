"""Views for the texture network, renewed all the time, so that it hardly meets a picture twice."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch

from training.draw import Split
from training.freshness import Freshness
from training.library import Library
from training.texture_data import TextureData, join, render_data
from training.texture_paint import PAINTED, Painter

PIECES = 8
"""Data sets kept; objects of one are of about equal complexity, so that a batch must draw on several."""


class Pool:
    """The latest views of a library's objects.

    Args:
        library: on the device that renders and learns.
        objects: pictured together; `PIECES` times as many are kept.
        size: of the guide's pictures.
        seed: of everything random.
        share: of the time that goes into new views.
        painter: of the guide's pictures of `PAINTED` of the objects; without one all are the true ones.

    Attributes:
        data: the views.
        drawn: parts pictured so far.
    """

    def __init__(
        self, library: Library, split: Split, objects: int, size: int, seed: int, share: float,
        painter: Painter | None = None,
    ) -> None:  # fmt: skip
        self.drawn = 0
        self._painter = painter
        self._library, self._split, self._objects, self._size = library, split, objects, size
        self._choice = torch.Generator().manual_seed(seed)
        self._generator = torch.Generator(library.device).manual_seed(seed)
        self._rng = np.random.default_rng(seed)
        self._pieces: deque[TextureData] = deque(maxlen=PIECES)
        for _ in range(PIECES):
            self._draw()
        self.data = join(self._pieces)
        self._freshness = Freshness(share, library.device)

    @property
    def seconds(self) -> float:
        """Spent on views since the first of them."""
        return self._freshness.seconds

    def keep_fresh(self) -> None:
        """Replace the oldest views, as often as their share of the time allows."""
        self._freshness.keep(self._renew)

    def _renew(self) -> None:
        self._draw()
        self.data = join(self._pieces)

    def _draw(self) -> None:
        rows = self._library.similar(self._objects, self._choice)
        data = render_data(self._library, rows, self._split, self._size, self._generator, self._rng)
        if self._painter:
            data = self._painter.paint(data, self._library.scene(rows), PAINTED, self._generator)
        self._pieces.append(data)
        self.drawn += len(data)
