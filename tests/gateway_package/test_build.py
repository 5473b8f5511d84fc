import pickle
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from cabinets import CAMERA, box, cabinet, hollow, part, textured

from articulation.asset import Asset
from articulation.joint import Joint, JointType
from articulation.kinematics import forward_kinematics
from articulation.plan import Plan
from gateway.package.build import build_asset
from gateway.package.contacts import CollisionModel
from gateway.package.errors import AssetRejected, JointBlocked, PackageError, UnusableMesh


def test_the_asset_stands_on_the_floor_in_metres(asset: Asset) -> None:
    points = np.concatenate([body.visual.vertices for body in asset.bodies])
    assert points[:, 2].min() == pytest.approx(0.0)
    assert points[:, 2].max() == pytest.approx(1.0)


def test_mass_is_density_times_volume(asset: Asset) -> None:
    door = asset.bodies[1]
    assert door.inertial.mass == pytest.approx(650 * 0.6 * 0.7 * 0.02, rel=0.01)


def test_free_joints_keep_their_planned_limits(asset: Asset) -> None:
    door, drawer = (link.joint for link in asset.articulation.links[1:])
    assert (door.lower, door.upper) == pytest.approx((0.0, 2.0))
    assert (drawer.lower, drawer.upper) == pytest.approx((0.0, 0.3))


def test_nothing_touches_at_rest(asset: Asset) -> None:
    assert not CollisionModel(asset).contacts(np.zeros(3))


def test_the_drawer_is_open_at_the_top(asset: Asset) -> None:
    """A ball can be put into it: no collision piece covers its middle."""
    inside = np.array([0.0, 0.0, 0.85])
    for piece in asset.bodies[2].collision:
        assert not trimesh.Trimesh(piece.vertices, piece.faces).contains(inside[None])[0]


def test_a_solid_body_gets_a_cavity_for_its_drawer() -> None:
    asset = build_asset(*cabinet(solid_body=True), name="cabinet")
    assert asset.articulation.links[2].joint.upper == pytest.approx(0.3)
    opened = np.array([0.0, 0.0, 0.2])
    assert CollisionModel(asset).depth(opened) == 0.0


def test_a_drawer_that_meets_a_wall_gets_a_shorter_range() -> None:
    plan, meshes = cabinet()
    stop = box([-0.6, 0.6, 0.8], [0.6, 0.7, 0.9])
    meshes[0] = textured(trimesh.util.concatenate([trimesh.Trimesh(meshes[0].vertices, meshes[0].faces), stop]))
    meshes[2] = textured(hollow([-0.54, 0.45, -0.1], [0.54, 0.9, 0.5], 0.03, 1))
    wide = replace(plan.parts[2].joint, upper=1.2)
    blocked = Plan("x", 1.0, (*plan.parts[:2], replace(plan.parts[2], joint=wide)), CAMERA)
    asset = build_asset(blocked, meshes, "cabinet")
    # The stop stands in the drawer's own way, so that its room is cut out of it, and it passes.
    assert asset.articulation.links[2].joint.upper == pytest.approx(0.6)


def test_a_door_is_stopped_by_a_wall_beside_it() -> None:
    plan, meshes = cabinet()
    wall = box([-1.0, -1.0, -0.5], [-0.75, 1.0, 2.0])
    body = trimesh.util.concatenate([trimesh.Trimesh(meshes[0].vertices, meshes[0].faces), wall])
    asset = build_asset(plan, [textured(body), *meshes[1:]], "cabinet")
    assert np.pi / 2 - 0.1 < asset.articulation.links[1].joint.upper < 1.9
    assert any("door" in note for note in asset.notes)


def test_a_part_that_cannot_move_is_refused() -> None:
    plan, meshes = cabinet()
    stop = box([-0.5, 0.5, 0.502], [0.5, 0.85, 0.9])
    fixed = part("stop", stop, 0, Joint(JointType.FIXED))
    with pytest.raises(JointBlocked) as caught:
        build_asset(Plan("x", 1.0, (*plan.parts, fixed), CAMERA), [*meshes, textured(stop)], "cabinet")
    assert (caught.value.part, caught.value.other) == ("drawer", "stop")


def test_a_flat_part_is_refused() -> None:
    sheet = textured(
        trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], [[0, 1, 2], [1, 3, 2]], process=False)
    )
    with pytest.raises(UnusableMesh, match="body"):
        build_asset(Plan("x", 1.0, (part("body", box([0, 0, 0], [1, 1, 1])),), CAMERA), [sheet], "sheet")


def test_an_open_mesh_takes_its_hull() -> None:
    solid = box([-1, -1, -1], [1, 1, 1])
    holed = trimesh.creation.icosphere(3)
    holed.update_faces(np.arange(len(holed.faces)) > len(holed.faces) // 2)
    asset = build_asset(Plan("x", 1.0, (part("body", solid),), CAMERA), [textured(holed)], "thing")
    assert asset.bodies[0].inertial.mass > 0
    assert any("hull" in note for note in asset.notes)


def test_the_same_input_gives_the_same_asset(asset: Asset) -> None:
    again = build_asset(*cabinet(), name="cabinet")
    for one, other in zip(asset.bodies, again.bodies, strict=True):
        assert one.inertial.mass == other.inertial.mass
        assert all(np.array_equal(a.vertices, b.vertices) for a, b in zip(one.collision, other.collision, strict=True))


def test_a_hinge_on_the_left_opens_to_the_front(asset: Asset) -> None:
    pose = forward_kinematics(asset.articulation, np.array([np.pi / 2, 0.0]))[1]
    right_edge = np.array([0.25, 0.3, 0.3, 1.0])
    assert (pose @ right_edge)[0] > 0.8


@pytest.mark.parametrize(
    "error", [UnusableMesh("door", "is flat"), JointBlocked("door", "body", 0.05), AssetRejected(("it fell",))]
)
def test_errors_survive_a_process_boundary(error: PackageError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.__dict__) == (type(error), str(error), error.__dict__)
