"""What is likely of a joint before any picture is seen, as energies: 0 where it fits, saturating where it does not.

Axes tend to follow the object's principal directions, hinges to lie on a narrow end of their panel, knobs to turn
about their middle, and parts to move freely. The energies saturate, so strong evidence against them costs a
bounded amount.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from services.refinement.contact import Contact
from services.refinement.kinematics import Screws
from services.refinement.part_prior import SQUARE

AXIS_SCALE = 0.2
"""Sine of the deviation at which half of the axis energy is reached: 12 degrees."""

LINE_SCALE = 0.1
"""Distance from the suggested hinge line at which half of the hinge energy is reached [model units]."""

CONTACT_SCALE = 0.1
"""Share of a part's surface in the rest of the object at which half of the contact energy is reached."""

CONTACT_WEIGHT = 3.0
"""Full contact energy against full axis energy: a drawer through the back is less likely than a slanted one."""


def axis_energy(axis: Tensor) -> Tensor:
    """(..., 3) unit axes -> (...) energy in [0, 1) of the angle to the nearest principal direction."""
    sine = (1 - axis.square().amax(-1)).clamp(min=1e-8).sqrt()
    return sine / (sine + AXIS_SCALE)


def hinge_energy(origin: Tensor, axis: Tensor, bounds: Tensor) -> Tensor:
    """Energy of a hinge line's distance from where the part's box suggests it.

    Seen along the axis, the box of a door is long and thin: its hinge lies on one of the narrow ends. The box of a knob
    or a lever is about square: it turns about the middle.

    Args:
        origin: (..., 3). axis: (..., 3). bounds: (..., 2, 3) box of the part.

    Returns:
        (...) in [0, 1).
    """
    low, high = bounds.unbind(-2)
    size = high - low
    along = one_hot(axis.detach().abs().argmax(-1), 3).to(size.dtype)
    side = one_hot((size - 1e6 * along).argmax(-1), 3).to(size.dtype)
    thin = 1 - along - side
    outside = (low - origin).clamp(min=0) + (origin - high).clamp(min=0)
    end = torch.minimum((origin - low).abs(), (origin - high).abs())
    from_ends = (side * end.square() + thin * outside.square()).sum(-1)
    from_middle = ((side + thin) * (origin - (low + high) / 2).square()).sum(-1)
    square = (size * side).sum(-1) < SQUARE * (size * thin).sum(-1)
    apart = torch.where(square, from_middle, from_ends)
    return apart / (apart + LINE_SCALE**2)


def energy(screws: Screws, q: Tensor, bounds: Tensor, contact: Contact, active: Tensor) -> Tensor:
    """Energies of all active joints added up.

    Args:
        screws: (B, L) joints.
        q: (B, L) openings, [rad] or model units.
        bounds: (L, 2, 3) boxes of the parts.
        contact: what each part may run into.
        active: (L,) bool.

    Returns:
        (B,).
    """
    axes = axis_energy(screws.axis) * (screws.rotates | screws.slides)
    hinges = hinge_energy(screws.origin, screws.axis, bounds.expand(len(screws.axis), -1, -1, -1)) * screws.rotates
    overlap = contact.overlap(screws, q)
    driven = CONTACT_WEIGHT * overlap / (overlap + CONTACT_SCALE)
    return ((axes + hinges + driven) * active).sum(-1)
