"""Box frame: a part scaled, side by side, so that its axis-aligned box is [-1, 1]^3.

A plate of a few millimetres is then as thick as it is wide, and what is left to learn is the shape inside the box.
Where the box is comes from the plan, corrected by the transformer: it predicts the box code below as one more token.
"""

from __future__ import annotations

import torch
from torch import Tensor

CHANNELS = 6
CENTER_SCALE = 0.25
LOG_MEAN, LOG_SCALE = -1.6, 0.7
"""A box code is (centre / CENTER_SCALE, (log half extent - LOG_MEAN) / LOG_SCALE): about unit variance over parts."""

MIN_HALF, MAX_HALF = 0.004, 1.2
MAX_CENTER = 1.2


def encode(boxes: Tensor) -> Tensor:
    """(..., 6) centre and half extent -> (..., 6) box code."""
    center, half = boxes.float().split(3, dim=-1)
    return torch.cat([center / CENTER_SCALE, (half.clamp(min=MIN_HALF).log() - LOG_MEAN) / LOG_SCALE], dim=-1)


def decode(code: Tensor) -> Tensor:
    """The inverse of `encode`, kept to boxes that an object can have."""
    center, log_half = code.float().split(3, dim=-1)
    half = (log_half * LOG_SCALE + LOG_MEAN).exp().clamp(MIN_HALF, MAX_HALF)
    return torch.cat([(center * CENTER_SCALE).clamp(-MAX_CENTER, MAX_CENTER), half], dim=-1)


def to_frame(points: Tensor, boxes: Tensor) -> Tensor:
    """(..., Q, 3) points in model space and (..., 6) boxes -> (..., Q, 3) in the boxes' frames."""
    center, half = boxes[..., None, :].split(3, dim=-1)
    inside: Tensor = (points - center) / half
    return inside


def from_frame(points: Tensor, boxes: Tensor) -> Tensor:
    """The inverse of `to_frame`."""
    center, half = boxes[..., None, :].split(3, dim=-1)
    outside: Tensor = points * half + center
    return outside
