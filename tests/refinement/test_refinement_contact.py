"""Contact: what drives a part into the rest of the object, and what does not."""

import box_scenes
import numpy as np
import pytest
import torch
import trimesh

from articulation.joint import Joint, JointType
from services.refinement import proxies
from services.refinement.contact import CELLS, Contact, carries, solid_cells, surface_points
from services.refinement.kinematics import Screws

CPU = torch.device("cpu")
PARTS = box_scenes.cabinet()
PARENTS = (-1, 0, 0)
FIXED = Joint(JointType.FIXED)
DOOR, DRAWER = PARTS[1].joint, PARTS[2].joint


@pytest.fixture(scope="module")
def cabinet() -> Contact:
    return Contact.of(proxies.build(box_scenes.meshes(PARTS), 300, CPU), PARENTS)


def overlap(contact: Contact, joints: list[Joint], q: list[float]) -> np.ndarray:
    return contact.overlap(Screws.of([joints], CPU, torch.float32), torch.tensor([q]))[0].numpy()


def test_joints_as_they_are_touch_nothing(cabinet: Contact) -> None:
    assert overlap(cabinet, [FIXED, DOOR, DRAWER], [0.0, 1.8, 0.9]).max() < 0.02


def test_a_drawer_cannot_turn_in_its_slot(cabinet: Contact) -> None:
    for axis in np.eye(3):
        turning = Joint(JointType.REVOLUTE, axis, np.array([0.0, -0.5, 0.1]), 0.0, 1.5)
        assert overlap(cabinet, [FIXED, DOOR, turning], [0.0, 0.0, 1.0])[2] > 0.1


def test_a_drawer_cannot_slide_through_the_back(cabinet: Contact) -> None:
    inward = Joint(JointType.PRISMATIC, -DRAWER.axis, DRAWER.origin, 0.0, 0.9)
    there, back = (overlap(cabinet, [FIXED, DOOR, joint], [0.0, 0.0, 0.6])[2] for joint in (DRAWER, inward))
    assert back > 0.03 > 10 * there


def test_a_door_cannot_swing_into_the_body(cabinet: Contact) -> None:
    inward = Joint(JointType.REVOLUTE, -DOOR.axis, DOOR.origin, 0.0, 1.8)
    assert overlap(cabinet, [FIXED, inward, DRAWER], [0.0, 1.0, 0.0])[1] > 0.05


def test_what_overlaps_at_rest_may_stay() -> None:
    body, plug = (
        trimesh.creation.box(extents=(2, 2, 2)),
        trimesh.creation.box(bounds=[(-0.2, -0.2, 0.5), (0.2, 0.2, 1.1)]),
    )
    contact = Contact.of(proxies.build([body, plug], 100, CPU), (-1, 0))
    out = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, 1.0]), np.zeros(3), 0.0, 0.5)
    assert overlap(contact, [FIXED, out], [0.0, 0.4])[1] < 0.01
    pressed = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, -1.0]), np.zeros(3), 0.0, 0.5)
    assert overlap(contact, [FIXED, pressed], [0.0, 0.3])[1] > 0.05
    assert overlap(contact, [FIXED, pressed], [0.0, 0.02])[1] == 0


def test_a_part_does_not_run_into_what_it_carries() -> None:
    body = trimesh.creation.box(bounds=[(-1, -1, -1), (1, 1, 0)])
    door, knob = trimesh.creation.box(bounds=[(-1, -1, 0), (1, 1, 0.1)]), trimesh.creation.box(extents=(0.3, 0.3, 0.3))
    knob.apply_translation((0.8, 0.0, 0.2))
    hinge = Joint(JointType.REVOLUTE, np.array([0.0, -1.0, 0.0]), np.array([-1.0, 0.0, 0.1]), 0.0, 1.5)
    contact = Contact.of(proxies.build([body, door, knob], 100, CPU), (-1, 0, 1))
    assert overlap(contact, [FIXED, hinge, FIXED], [0.0, 0.5, 0.0])[1] < 0.01


def test_the_overlap_moves_with_the_joint(cabinet: Contact) -> None:
    screws = Screws.of([[FIXED, DOOR, Joint(JointType.PRISMATIC, -DRAWER.axis)]], CPU, torch.float32)
    q = torch.tensor([[0.0, 0.0, 0.3]], requires_grad=True)
    cabinet.overlap(screws, q)[0, 2].backward()
    assert q.grad is not None
    assert q.grad[0, 2] > 0


def test_cells_inside_of_a_mesh_are_counted() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.8)
    packed = proxies.build([ball], 2000, CPU)
    low, side = torch.tensor([-1.0, -1.0, -1.0]), torch.tensor([2.0, 2.0, 2.0])
    cells = solid_cells(packed, 0, low, side)
    assert cells.sum().item() * (2 / CELLS) ** 3 == pytest.approx(ball.volume, rel=0.01)
    x = torch.arange(CELLS)
    assert (cells.sum((0, 1)) * x).sum() / cells.sum() == pytest.approx((CELLS - 1) / 2, abs=0.1)


def test_surface_points_are_spread_by_area() -> None:
    box = trimesh.creation.box(bounds=[(0, 0, 0), (1, 1, 0.01)])
    points = surface_points(proxies.build([box], 100, CPU), 0)
    assert points.mean(0).tolist() == pytest.approx([0.5, 0.5, 0.005], abs=0.05)
    assert ((points[:, :2] < 0.5).float().mean(0) - 0.5).abs().max() < 0.1


def test_a_link_carries_itself_and_what_hangs_on_it() -> None:
    assert [carries(1, other, (-1, 0, 1, 0)) for other in range(4)] == [False, True, True, False]
