"""A ring of rendered views that a training run keeps renewing, so that it hardly meets a picture twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from services.vlm.edit_prompt import PlanTensors
from training.draw import Split
from training.edit_data import EditData, render_data
from training.freshness import Freshness
from training.library import Library

CHUNK = 32
"""Views rendered together."""

RENDER_SHARE = 0.4
"""Of a run's time that goes into new views at most."""


class Pool:
    """The latest views of a library's objects.

    Args:
        library: on the device that renders and learns.
        views: how many are kept; rounded up to whole chunks.
        size: of the pictures [pixel].
        seed: of everything random.
        chunk: views rendered together.

    Attributes:
        data: the views.
        drawn: views rendered so far.
    """

    def __init__(self, library: Library, split: Split, views: int, size: int, seed: int, chunk: int = CHUNK) -> None:
        self._library = library
        self._split = split
        self._size = size
        self._chunk = chunk
        self._choice = torch.Generator().manual_seed(seed)
        self._generator = torch.Generator(library.device).manual_seed(seed)
        self._rng = np.random.default_rng(seed)
        self.data = _repeated(self._render(), -(-views // chunk))
        self.drawn = chunk
        while self.drawn < len(self.data):
            self.renew()
        self._freshness = Freshness(RENDER_SHARE, library.device)

    @property
    def seconds(self) -> float:
        """Spent on views since the first of them."""
        return self._freshness.seconds

    def renew(self) -> None:
        """Replace the oldest views."""
        self.data.put(self.drawn % len(self.data), self._render())
        self.drawn += self._chunk

    def keep_fresh(self, views: int) -> None:
        """Render about `views` views, or as many as `RENDER_SHARE` allows after the work done since the last call."""
        enough = self.drawn + views
        self._freshness.keep(self.renew, lambda: self.drawn >= enough)

    def _render(self) -> EditData:
        rows = self._library.similar(self._chunk, self._choice)
        return render_data(self._library, rows, self._split, self._size, self._generator, self._rng)


def _repeated(data: EditData, times: int) -> EditData:
    """The views over and over, as room for others."""

    def repeat(value: Tensor) -> Tensor:
        return value.repeat(times, *(1,) * (value.dim() - 1))

    plan = PlanTensors(**{name: repeat(value) for name, value in vars(data.plan).items()})
    own = {name: repeat(value) for name, value in vars(data).items() if name != "plan"}
    return replace(data, plan=plan, **own)
