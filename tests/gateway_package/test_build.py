import pickle
from dataclasses import replace

import mujoco
import numpy as np
import pytest
import trimesh
from cabinets import CAMERA, box, cabinet, hollow, part, textured

from articulation.asset import Asset, Body, Inertial, JointDynamics, Mesh, TexturedMesh
from articulation.files import collision_files
from articulation.inertia import is_physical
from articulation.joint import Joint, JointType
from articulation.kinematics import forward_kinematics
from articulation.materials import MATERIALS
from articulation.mjcf import write_mjcf
from articulation.plan import Plan
from gateway.meshes import write_glb
from gateway.package.build import build_asset
from gateway.package.contacts import CollisionModel
from gateway.package.convex import convex_pieces
from gateway.package.errors import AssetRejected, JointBlocked, PackageError, UnusableMesh
from gateway.package.matter import FILL, effective_density
from gateway.package.mujoco_check import MujocoCheck
from gateway.package.separate import Pieces
from gateway.package.solids import solid_of
from gateway.package.travel import RELIEF, drive_limits, relieve
from gateway.package.unblock import DRAWN, drawn_out, drive_freed, snapped, touches_by_design
from gateway.package_job import package
from gateway.plans import plan_to_json


def test_the_asset_stands_on_the_floor_in_metres(asset: Asset) -> None:
    points = np.concatenate([body.visual.vertices for body in asset.bodies])
    assert points[:, 2].min() == pytest.approx(0.0)
    assert points[:, 2].max() == pytest.approx(1.0)


def test_mass_is_effective_density_times_volume(asset: Asset) -> None:
    door = asset.bodies[1]
    assert door.inertial.mass == pytest.approx(effective_density("wood") * 0.6 * 0.7 * 0.02, rel=0.01)


def test_every_material_has_a_fill() -> None:
    assert FILL.keys() == MATERIALS.keys()
    assert all(0 < fill <= 1 for fill in FILL.values())


@pytest.mark.parametrize(
    ("size", "wall", "lightest", "heaviest"),
    [((0.5, 0.4, 0.3), 0.035, 10, 20), ((0.7, 0.7, 1.8), 0.05, 50, 120), ((0.6, 0.6, 0.85), 0.06, 30, 75)],
    ids=["microwave", "fridge", "washing machine"],
)
def test_an_appliance_drawn_with_walls_has_a_plausible_mass(
    size: tuple[float, float, float], wall: float, lightest: float, heaviest: float
) -> None:
    inner = np.prod(np.array(size) - 2 * wall)
    assert lightest < effective_density("metal") * (np.prod(size) - inner) < heaviest


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


@pytest.mark.parametrize("ridge", [0.405, 0.4165])
def test_a_drawer_that_would_hook_into_its_neighbour_is_trimmed(ridge: float) -> None:
    """Two ridges that pass each other early on the drawer's way, between samples, and would hold on to each other."""
    body = [box([-0.6, -1.0, -0.5], [0.6, 0.4, 0.4])]
    drawer = [box([-0.5, 0.5, -0.3], [-0.01, 0.9, 0.5]), box([-0.011, 0.6, 0.398], [0.003, 0.8, 0.402])]
    neighbour = [box([0.01, 0.5, -0.3], [0.5, 0.9, 0.5]), box([-0.003, 0.6, ridge], [0.011, 0.8, ridge + 0.004])]
    rail = replace(cabinet()[0].parts[2].joint, upper=0.6)
    parts = (part("body", body[0]), part("drawer", drawer[0], 0, rail), part("neighbour", neighbour[0], 0, rail))
    bare = raw_asset(Plan("x", 1.0, parts, CAMERA), [textured(own[0]) for own in (body, drawer, neighbour)])
    solids = [[solid_of(Mesh(mesh.vertices, mesh.faces)) for mesh in own] for own in (body, drawer, neighbour)]
    pieces = Pieces(solids, 1e-3)
    asset = pieces.apply(bare)

    def deepest(of: Asset) -> float:
        model = CollisionModel(of)
        return max(model.depth(np.array([0.0, value, 0.0])) for value in np.linspace(0.0, 0.02, 81))

    assert deepest(asset) > 1e-3
    assert deepest(relieve(asset, pieces, 1, 1e-3, RELIEF)) == 0.0


def test_a_part_that_cannot_move_is_refused() -> None:
    plan, meshes = cabinet()
    stop = box([-0.5, 0.5, 0.502], [0.5, 0.85, 0.9])
    fixed = part("stop", stop, 0, Joint(JointType.FIXED))
    with pytest.raises(JointBlocked) as caught:
        build_asset(Plan("x", 1.0, (*plan.parts, fixed), CAMERA), [*meshes, textured(stop)], "cabinet")
    assert (caught.value.part, caught.value.other) == ("drawer", "stop")


def hinged_at(x: float, z: float) -> tuple[Plan, list[TexturedMesh]]:
    """The cabinet, solid, with its door's hinge elsewhere."""
    plan, meshes = cabinet(solid_body=True)
    joint = replace(plan.parts[1].joint, origin=np.array([x, 0.0, z]))
    return replace(plan, parts=(plan.parts[0], replace(plan.parts[1], joint=joint), plan.parts[2])), meshes


def test_a_hinge_inside_the_body_moves_onto_the_edge_of_the_door() -> None:
    asset = build_asset(*hinged_at(-0.1, 0.48), "cabinet")
    joint = asset.articulation.links[1].joint
    assert joint.upper == pytest.approx(2.0, abs=0.4)
    assert abs(joint.origin[1]) == pytest.approx(0.3)  # half the door's width
    assert any("hinge of door was moved" in note for note in asset.notes)


def test_a_hinge_that_works_stays_where_it_is_planned(asset: Asset) -> None:
    assert not any("hinge" in note for note in asset.notes)
    assert not asset.excluded


def with_joint(plan: Plan, index: int, joint: Joint) -> Plan:
    parts = list(plan.parts)
    parts[index] = replace(parts[index], joint=joint)
    return replace(plan, parts=tuple(parts))


def test_a_drawer_that_was_taken_for_a_door_is_drawn_out() -> None:
    plan, meshes = cabinet(solid_body=True)
    axis = np.array([-0.27, -0.09, 0.96])
    turning = Joint(JointType.CONTINUOUS, axis / np.linalg.norm(axis), np.array([0.54, 0.5, 0.05]))
    asset = build_asset(with_joint(plan, 2, turning), meshes, "cabinet")
    joint = asset.articulation.links[2].joint
    assert joint.type is JointType.PRISMATIC
    assert np.allclose(joint.axis, [1, 0, 0])
    assert joint.upper == pytest.approx(DRAWN * 0.45, rel=0.05)
    assert any("drawer" in note and "drawn out" in note for note in asset.notes)


def test_a_part_beside_its_parent_is_not_drawn_out() -> None:
    hinge = Joint(JointType.REVOLUTE, np.array([0.0, 1, 0]), np.zeros(3), 0.0, 1.5)
    leaf, body = np.array([[1.0, 0, 0], [1.1, 1, 1]]), np.array([[0.0, 0, 0], [1, 1, 1]])
    assert drawn_out(hinge, leaf, body) is None


@pytest.mark.parametrize("swapped", ["axis", "limits"])
def test_a_door_that_was_planned_to_open_inwards_opens_outwards(swapped: str) -> None:
    plan, meshes = cabinet(solid_body=True)
    hinge = plan.parts[1].joint
    inwards = replace(hinge, axis=-hinge.axis) if swapped == "axis" else replace(hinge, lower=-2.0, upper=0.0)
    asset = build_asset(with_joint(plan, 1, inwards), meshes, "cabinet")
    joint = asset.articulation.links[1].joint
    assert joint.upper == pytest.approx(2.0, abs=0.4)
    right_edge = np.array([0.25, 0.3, 0.3, 1.0])
    assert (forward_kinematics(asset.articulation, np.array([np.pi / 2, 0.0]))[1] @ right_edge)[0] > 0.8
    assert any("opens the other way" in note for note in asset.notes)


@pytest.mark.parametrize(("z", "edges"), [(0.0, (-0.1, 0.3)), (0.25, (0.3, -0.1))])
def test_the_nearest_edge_of_a_box_is_tried_first(z: float, edges: tuple[float, float]) -> None:
    leaf = np.array([[-0.5, -1.0, -0.1], [0.7, 1.0, 0.3]])
    hinge = Joint(JointType.REVOLUTE, np.array([0.0, 1.0, 0.0]), np.array([0.6, 0.4, z]), 0.0, 1.0)
    for joint, edge in zip(snapped(hinge, leaf), edges, strict=True):
        np.testing.assert_allclose(joint.origin, [0.7, 0.4, edge])


def test_a_pair_that_touches_in_the_first_degrees_alone_is_by_design() -> None:
    plan, meshes = cabinet()
    catch = box([0.2, -0.3, 0.44], [0.55, -0.25, 0.54])  # it stands in the closed door, which swings clear of it
    body = trimesh.util.concatenate([trimesh.Trimesh(meshes[0].vertices, meshes[0].faces), catch])
    asset = raw_asset(plan, [textured(body), *meshes[1:]])
    assert touches_by_design(asset, 1)
    wall = box([-1.2, -1.0, -0.5], [-0.75, 1.0, 2.0])  # it stands in the way of the open door
    walled = trimesh.util.concatenate([trimesh.Trimesh(meshes[0].vertices, meshes[0].faces), wall])
    assert not touches_by_design(raw_asset(plan, [textured(walled), *meshes[1:]]), 1)


def test_an_excluded_pair_does_not_collide_and_others_do() -> None:
    plan, (body, door, _) = cabinet()
    inside = part("knob", box([0.4, -0.1, 0.42], [0.5, 0.0, 0.52]), 1, plan.parts[1].joint)
    knob = textured(box([0.4, -0.1, 0.42], [0.5, 0.0, 0.52]))
    asset = raw_asset(replace(plan, parts=(*plan.parts[:2], inside)), [body, door, knob])
    pairs = {(c.first[0], c.second[0]) for c in CollisionModel(asset).contacts(np.zeros(3)) if c.depth > 1e-3}
    assert (1, 2) in pairs
    excluded = replace(asset, excluded=((1, 2),))
    left = {(c.first[0], c.second[0]) for c in CollisionModel(excluded).contacts(np.zeros(3)) if c.depth > 1e-3}
    assert left == pairs - {(1, 2)}


def test_plain_mujoco_sees_contacts_of_parent_and_child() -> None:
    knob = box([0.4, -0.1, 0.42], [0.5, 0.0, 0.52])
    plan, (body, door, _) = cabinet()
    parts = (*plan.parts[:2], part("knob", knob, 1, plan.parts[1].joint))
    overlapping = raw_asset(replace(plan, parts=parts), [body, door, textured(knob)])
    model = mujoco.MjModel.from_xml_string(
        write_mjcf(overlapping, visuals=False).decode(), collision_files(overlapping)
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    touching = {tuple(sorted(model.body(model.geom(g).bodyid[0]).name for g in c.geom)) for c in data.contact}
    assert ("door", "knob") in touching


def jammed() -> tuple[Asset, Pieces]:
    """A drawer on a box, before a fixed block that holds it up, with a motor on its slide."""
    plan, _ = cabinet()
    body, drawer, block = (
        box([-0.6, -1, -0.5], [0.6, 0.4, 0.5]),
        box([-0.5, 0.45, -0.5], [0.5, 0.9, 0.5]),
        box([-0.5, 0.5, 0.505], [0.5, 0.85, 0.9]),
    )
    moving = part("drawer", drawer, 0, replace(plan.parts[2].joint, upper=4.0))
    parts = (plan.parts[0], moving, part("block", block, 0, Joint(JointType.FIXED)))
    asset, pieces = raw_asset_and_pieces(replace(plan, parts=parts), [textured(x) for x in (body, drawer, block)])
    driven = replace(asset.bodies[1], dynamics=JointDynamics(damping=5.0, friction=1.0, effort=20.0, velocity=0.5))
    return replace(asset, bodies=(asset.bodies[0], driven, asset.bodies[2])), pieces


def test_a_motor_that_is_held_up_names_the_link_in_its_way() -> None:
    with pytest.raises(JointBlocked) as caught:
        drive_limits(jammed()[0])
    assert (caught.value.part, caught.value.other) == ("drawer", "block")


def test_links_that_jam_a_motor_are_excluded_from_contact_with_a_note() -> None:
    asset = drive_freed(*jammed(), clearance=1e-3)
    assert asset.excluded == ((1, 2),)
    assert any("drawer and block" in note for note in asset.notes)
    assert asset.articulation.links[1].joint.upper == pytest.approx(4.0)


def raw_asset(plan: Plan, meshes: list[TexturedMesh]) -> Asset:
    return raw_asset_and_pieces(plan, meshes)[0]


def raw_asset_and_pieces(plan: Plan, meshes: list[TexturedMesh]) -> tuple[Asset, Pieces]:
    """Links as they are, cut into convex pieces and not trimmed apart; model space stands in for metres."""
    solids = [solid_of(Mesh(mesh.vertices, mesh.faces)) for mesh in meshes]
    pieces = Pieces([convex_pieces([solid], 1e-3) for solid in solids], 1e-3)
    inertial = Inertial(1.0, np.zeros(3), np.eye(3))
    bodies = tuple(Body(mesh, (), inertial) for mesh in meshes)
    return pieces.apply(Asset("cabinet", plan.articulation(), bodies)), pieces


def test_a_flat_part_is_refused() -> None:
    sheet = textured(
        trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], [[0, 1, 2], [1, 3, 2]], process=False)
    )
    with pytest.raises(UnusableMesh, match="body"):
        build_asset(Plan("x", 1.0, (part("body", box([0, 0, 0], [1, 1, 1])),), CAMERA), [sheet], "sheet")


POINT = trimesh.Trimesh(np.full((3, 3), 0.2), [[0, 1, 2]], process=False)
LINE = trimesh.Trimesh([[0, 0, 0], [0.3, 0, 0], [0.6, 0, 0]], [[0, 1, 2]], process=False)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("mesh", [POINT, LINE, trimesh.creation.box((1e-5,) * 3)], ids=["point", "line", "dust"])
def test_a_part_without_volume_is_refused(mesh: trimesh.Trimesh, index: int) -> None:
    plan, meshes = cabinet()
    meshes[index] = textured(mesh)
    with pytest.raises(UnusableMesh, match=plan.parts[index].name):
        build_asset(plan, meshes, "cabinet")


SOUP = np.random.default_rng(0)
CROSSED = trimesh.creation.icosphere(2, 0.3)
CROSSED.vertices[::7] *= -3
SLAB = trimesh.creation.box((0.5, 0.5, 1e-4))
SLAB.apply_transform(trimesh.transformations.rotation_matrix(0.7, [1, 1, 0]))
BROKEN = {
    "soup": trimesh.Trimesh(SOUP.normal(size=(30, 3)) * 0.3, SOUP.integers(0, 30, (60, 3)), process=False),
    "crossing itself": CROSSED,
    "slanted foil": SLAB,
    "sliver": trimesh.Trimesh(
        [[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0.2, 0.2, 1e-5]], [[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]]
    ),
    "the parent again": trimesh.Trimesh(cabinet()[1][0].vertices, cabinet()[1][0].faces),
}


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("mesh", BROKEN.values(), ids=BROKEN)
def test_a_broken_part_ends_in_an_asset_or_in_a_typed_error(mesh: trimesh.Trimesh, index: int) -> None:
    plan, meshes = cabinet()
    meshes[index] = textured(mesh)
    try:
        asset = build_asset(plan, meshes, "cabinet", most_pieces=8)
    except PackageError:
        return
    assert all(is_physical(body.inertial) for body in asset.bodies)


def test_collision_shapes_that_mujoco_refuses_are_a_typed_error(asset: Asset) -> None:
    flat = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]), np.array([[0, 1, 2], [1, 3, 2]]))
    bodies = (replace(asset.bodies[0], collision=(flat,)), *asset.bodies[1:])
    with pytest.raises(AssetRejected, match="MuJoCo"):
        CollisionModel(replace(asset, bodies=bodies))


def test_a_mesh_that_is_not_finite_is_refused_with_its_part() -> None:
    plan, meshes = cabinet()
    whole = [write_glb(mesh.vertices, mesh.faces, mesh.uvs, mesh.texture) for mesh in meshes]
    broken = np.where(np.arange(3) == 1, np.nan, meshes[1].vertices)
    whole[1] = write_glb(broken, meshes[1].faces, meshes[1].uvs, meshes[1].texture)
    with pytest.raises(UnusableMesh, match="door"):
        package(plan_to_json(plan), whole, b"", "cabinet")


def test_a_button_with_a_short_way_stays_up() -> None:
    """Friction must hold it without creeping: a millimetre a second would be a quarter of its way."""
    plan, meshes = cabinet(solid_body=True)
    cap = box([-0.07, 0.999, -0.07], [0.07, 1.009, 0.07])
    press = Joint(JointType.PRISMATIC, np.array([0.0, -1.0, 0.0]), np.zeros(3), 0.0, 0.008)
    parts = (plan.parts[0], part("button", cap, 0, press))
    asset = build_asset(replace(plan, parts=parts), [meshes[0], textured(cap)], "cabinet")
    drifts = MujocoCheck(write_mjcf(asset, visuals=False), collision_files(asset), asset.articulation).drifts()
    assert drifts[1] < 0.02


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
