"""What is likely of a joint before any picture is seen, as energies: 0 where it fits, saturating where it does not.

Axes tend to follow the object's principal directions, hinges to lie on a narrow side of their panel, knobs to turn
about their middle. The energies saturate, so strong evidence against them costs a bounded amount.
"""

from __future__ import annotations

import torch
from torch import Tensor

from services.refinement.kinematics import Screws

AXIS_SCALE = 0.02
"""1 - cos of the deviation at which half of the axis energy is reached: 11 degrees."""

LINE_SCALE = 0.1
"""Distance from the panel's side at which half of the hinge energy is reached [model units]."""


def axis_energy(axis: Tensor) -> Tensor:
    """(..., 3) unit axes -> (...) energy in [0, 1) of the angle to the nearest principal direction."""
    deviation = 1 - axis.abs().amax(-1).clamp(max=1)
    return deviation / (deviation + AXIS_SCALE)


def hinge_energy(origin: Tensor, axis: Tensor, bounds: Tensor) -> Tensor:
    """Energy of a hinge line's distance from the narrow sides of its panel.

    Args:
        origin: (..., 3). axis: (..., 3). bounds: (..., 2, 3) box of the part.

    Returns:
        (...) in [0, 1).
    """
    low, high = bounds.unbind(-2)
    outside = (low - origin).clamp(min=0) + (origin - high).clamp(min=0)
    edge = torch.minimum((origin - low).abs(), (origin - high).abs())
    size = high - low
    along = torch.nn.functional.one_hot(axis.detach().abs().argmax(-1), 3).to(size.dtype)
    side = torch.nn.functional.one_hot((size - 1e6 * along).argmax(-1), 3).to(size.dtype)
    thin = 1 - along - side
    apart = (side * edge.square() + thin * outside.square()).sum(-1)
    return apart / (apart + LINE_SCALE**2)


def energy(screws: Screws, bounds: Tensor, active: Tensor) -> Tensor:
    """Mean energy of the active joints.

    Args:
        screws: (B, L) joints.
        bounds: (L, 2, 3).
        active: (L,) bool.

    Returns:
        (B,) in [0, 2).
    """
    moves = (screws.rotates | screws.slides) & active
    hinges = screws.rotates & active
    axes = axis_energy(screws.axis) * moves
    lines = hinge_energy(screws.origin, screws.axis, bounds.expand(len(screws.axis), -1, -1, -1)) * hinges
    return (axes + lines).sum(-1) / moves.sum(-1).clamp(min=1)
