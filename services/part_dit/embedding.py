"""Fourier features of coordinates, the planned box as a condition of the part DiT, and its box token."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from services.part_dit.box_frame import CHANNELS


class FrequencyEmbedding(nn.Module):
    """(..., C) -> (..., C * (2 * bands + 1)): the input, its sines, then its cosines, at 2^0 .. 2^(bands-1).

    Args:
        bands: number of octaves.
        include_pi: multiply the frequencies by pi.
    """

    def __init__(self, bands: int, include_pi: bool = False) -> None:
        super().__init__()
        self.bands = bands
        self.factor = math.pi if include_pi else 1.0

    def width(self, channels: int) -> int:
        """Channels out for channels in."""
        return channels * (2 * self.bands + 1)

    def forward(self, values: Tensor) -> Tensor:
        frequencies = self.factor * 2.0 ** torch.arange(self.bands, device=values.device, dtype=torch.float32)
        angles = (values.float().unsqueeze(-1) * frequencies).flatten(-2)
        return torch.cat([values.float(), angles.sin(), angles.cos()], dim=-1)


class BoxEmbedding(nn.Module):
    """A part's planned box (..., 6) -> (..., dim). Adds nothing until it is trained."""

    def __init__(self, dim: int, bands: int = 6) -> None:
        super().__init__()
        self.features = FrequencyEmbedding(bands)
        self.hidden = nn.Linear(self.features.width(6), dim)
        self.output = nn.Linear(dim, dim)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, boxes: Tensor) -> Tensor:
        features = self.features(boxes).to(self.hidden.weight.dtype)
        embedding: Tensor = self.output(nn.functional.silu(self.hidden(features)))
        return embedding


class BoxToken(nn.Module):
    """A part's noisy box code (..., 6) in and its velocity out, as one more token of width `dim`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.input = nn.Linear(CHANNELS, dim)
        self.output = nn.Linear(dim, CHANNELS)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
