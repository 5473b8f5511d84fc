"""Geometric priors: which joints they favour."""

import numpy as np
import torch
import trimesh

from articulation.joint import Joint, JointType
from services.refinement import proxies
from services.refinement.contact import Contact
from services.refinement.kinematics import Screws
from services.refinement.prior import axis_energy, energy, hinge_energy

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
    body, door = trimesh.creation.box(extents=(2, 2, 1)), trimesh.creation.box(bounds=DOOR.numpy())
    packed = proxies.build([body, door], 100, torch.device("cpu"))
    ways = [[Joint(JointType.FIXED), Joint(JointType.PRISMATIC, np.array([0.0, 0.0, way]))] for way in (-1.0, 1.0)]
    screws = Screws.of(ways, torch.device("cpu"), torch.float32)
    q = torch.tensor([[0.0, 0.3]] * 2)
    inward, outward = energy(screws, q, packed.bounds, Contact.of(packed, (-1, 0)), torch.tensor([False, True]))
    assert inward > 1
    assert outward < 1e-3
