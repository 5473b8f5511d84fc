"""Geometric priors: which joints they favour."""

import numpy as np
import torch
import trimesh

from services.refinement import proxies
from services.refinement.prior import axis_energy, hinge_energy, inward_energy

DOOR = torch.tensor([[0.0, -0.5, 0.5], [1.0, 0.5, 0.55]])
KNOB = torch.tensor([[0.2, 0.2, 0.5], [0.4, 0.4, 0.6]])
UP, OUT = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])


def slanted(degrees: float) -> torch.Tensor:
    angle = np.radians(degrees)
    return torch.tensor([np.sin(angle), np.cos(angle), 0.0])


def test_axis_energy_grows_with_the_slant_and_saturates() -> None:
    energies = [axis_energy(slanted(degrees)).item() for degrees in (0, 1, 5, 20, 45)]
    assert energies == sorted(energies)
    assert energies[0] < 1e-3
    assert energies[-1] < 1


def test_a_door_is_hinged_on_a_narrow_end() -> None:
    at_end, at_middle = (hinge_energy(torch.tensor([x, 0.0, 0.52]), UP, DOOR).item() for x in (1.0, 0.5))
    assert at_end < 1e-6
    assert at_middle > 0.9


def test_a_hinge_may_lie_anywhere_within_the_thickness() -> None:
    assert all(hinge_energy(torch.tensor([0.0, 0.0, z]), UP, DOOR).item() < 1e-6 for z in (0.5, 0.53, 0.55))


def test_a_knob_turns_about_its_middle() -> None:
    middle, rim = (hinge_energy(torch.tensor([x, 0.3, 0.0]), OUT, KNOB).item() for x in (0.3, 0.4))
    assert middle < 1e-6
    assert rim > 0.4


def test_moving_into_the_body_costs_and_out_of_it_does_not() -> None:
    body = trimesh.creation.box(extents=(2, 2, 1))
    door = trimesh.creation.box(bounds=DOOR.numpy())
    packed = proxies.build([body, door], 100, torch.device("cpu"))
    moves = (packed.vertex_link == 1)[:, None] * torch.tensor([0.0, 0.0, 0.3])
    energies = inward_energy(torch.stack([packed.vertices - moves, packed.vertices + moves]), packed, root=0)
    assert energies[0, 1] > 0.4
    assert energies[1, 1] == 0
    assert energies[:, 0].abs().max() == 0
