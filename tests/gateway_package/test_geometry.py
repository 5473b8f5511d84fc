import numpy as np
import pytest
import trimesh
from cabinets import box, hollow, textured

from articulation.asset import JointDynamics, Mesh, TexturedMesh
from articulation.inertia import mesh_inertial
from articulation.joint import Joint, JointType
from articulation.tree import Articulation, Link
from gateway.package.cavities import INSIDE, carve_all, rooms, surface_points
from gateway.package.clean import close, drop_debris, lighter
from gateway.package.convex import MAX_PIECES, convex_pieces
from gateway.package.dynamics import CATCH, joint_dynamics
from gateway.package.solids import hull_of, solid_of, vertices_of


def mesh(source: trimesh.Trimesh) -> Mesh:
    return Mesh(np.asarray(source.vertices), np.asarray(source.faces))


def split_seams(source: trimesh.Trimesh) -> TexturedMesh:
    """Every face with vertices of its own, as after unwrapping."""
    faces = np.arange(3 * len(source.faces)).reshape(-1, 3)
    return textured(trimesh.Trimesh(source.triangles.reshape(-1, 3), faces, process=False))


def test_debris_goes_and_the_part_stays() -> None:
    whole = box([-1, -1, -1], [1, 1, 1])
    crumb = box([2, 2, 2], [2.05, 2.05, 2.05])
    cleaned = drop_debris(split_seams(trimesh.util.concatenate([whole, crumb])))
    assert cleaned.vertices.max() == 1.0
    assert len(cleaned.faces) == len(whole.faces)
    assert len(cleaned.uvs) == len(cleaned.vertices)


def test_a_large_second_piece_is_no_debris() -> None:
    pair = trimesh.util.concatenate([box([-1, -1, -1], [0, 1, 1]), box([0.5, -1, -1], [1, 1, 1])])
    assert len(drop_debris(split_seams(pair)).faces) == 24


def test_seams_and_small_holes_are_closed() -> None:
    holed = box([-1, -1, -1], [1, 1, 1])
    holed.update_faces(np.arange(12) > 0)
    solid = close(split_seams(holed))
    assert solid is not None
    assert solid.volume() == pytest.approx(8)


def test_an_inside_out_mesh_is_turned() -> None:
    inside_out = box([-1, -1, -1], [1, 1, 1])
    inside_out.invert()
    solid = close(mesh(inside_out))
    assert solid is not None
    assert solid.volume() == pytest.approx(8)


def test_a_thin_panel_keeps_its_volume() -> None:
    """Louvres on a leaf so thin that simplifying to a fixed detail would let its faces pass through each other."""
    slats = [box([-0.3, y, 0.0], [0.3, y + 0.05, 0.006]) for y in np.arange(-0.9, 0.9, 0.1)]
    leaf = trimesh.boolean.union([box([-0.3, -0.9, -0.004], [0.3, 0.9, 0.002]), *slats])
    turned = leaf.apply_transform(trimesh.transformations.rotation_matrix(0.3, [1, 1, 0])).subdivide()
    solid = close(mesh(turned))
    assert solid is not None
    assert solid.volume() == pytest.approx(turned.volume, rel=0.05)


def test_a_hollow_box_becomes_its_walls() -> None:
    solid = solid_of(mesh(hollow([-1, -1, -1], [1, 1, 1], 0.1, 2)))
    pieces = convex_pieces([solid], 0.001)
    assert len(pieces) == 5
    assert sum(piece.volume() for piece in pieces) == pytest.approx(solid.volume(), rel=1e-3)


def test_a_convex_solid_is_its_own_piece() -> None:
    (piece,) = convex_pieces([solid_of(mesh(trimesh.creation.icosphere(2)))], 0.001)
    assert piece.volume() == pytest.approx(trimesh.creation.icosphere(2).volume, rel=0.1)


def test_what_flat_cuts_cannot_solve_is_halved() -> None:
    torus = solid_of(mesh(trimesh.creation.torus(1.0, 0.2, 24, 12)))
    pieces = convex_pieces([torus], 0.001)
    assert sum(piece.volume() for piece in pieces) < 1.2 * torus.volume()
    assert len(pieces) <= MAX_PIECES


def test_cutting_ends_with_the_pieces_allowed() -> None:
    torus = solid_of(mesh(trimesh.creation.torus(1.0, 0.2, 24, 12)))
    assert 1 < len(convex_pieces([torus], 0.001, most=4)) <= 5


def test_a_hull_stays_inside_the_exact_one() -> None:
    points = np.random.default_rng(0).normal(size=(500, 3))
    exact = trimesh.convex.convex_hull(points)
    assert np.all(exact.nearest.signed_distance(vertices_of(hull_of(points))) > -1e-5)


def test_a_drawer_s_room_lets_the_front_be_wider() -> None:
    """A front as wide as the cabinet before a narrower box: the cabinet keeps its side walls."""
    front, back = box([0.45, -0.5, 0], [0.5, 0.5, 0.2]), box([-0.5, -0.4, 0], [0.45, 0.4, 0.2])
    drawer = solid_of(mesh(trimesh.boolean.union([front, back])))
    cabinet = solid_of(mesh(box([-0.6, -0.5, -0.5], [0.5, 0.5, 0.5])))
    slide = Joint(JointType.PRISMATIC, np.array([1.0, 0, 0]), np.zeros(3), 0.0, 0.5)
    left = carve_all([cabinet], rooms(surface_points(drawer, 0.02), slide, vertices_of(cabinet), 0.001, INSIDE))
    assert all((piece ^ drawer).is_empty() for piece in left)
    side_wall = solid_of(mesh(box([-0.4, 0.42, 0.05], [0.3, 0.48, 0.15])))
    assert sum((piece ^ side_wall).volume() for piece in left) == pytest.approx(side_wall.volume())


def test_a_part_outside_its_parent_needs_no_room() -> None:
    door = surface_points(solid_of(mesh(box([0.5, -0.5, -0.5], [0.55, 0.5, 0.5]))), 0.05)
    hinge = Joint(JointType.REVOLUTE, np.array([0.0, 0, 1]), np.array([0.5, 0.5, 0]), 0.0, 1.5)
    assert rooms(door, hinge, vertices_of(solid_of(mesh(box([-0.5] * 3, [0.5] * 3)))), 0.001, INSIDE) == []


def dynamics_of(joint: Joint, center: list[float]) -> JointDynamics:
    tree = Articulation((Link("body", -1, Joint(JointType.FIXED)), Link("part", 0, joint, material="metal")))
    block = mesh_inertial(mesh(box(np.array(center) - 0.1, np.array(center) + 0.1)), 125.0)
    return joint_dynamics(tree, [block, block], 1, [1])


def test_a_flap_that_would_fall_open_is_held() -> None:
    flap = dynamics_of(Joint(JointType.REVOLUTE, np.array([0.0, 1, 0]), np.zeros(3), 0.0, 1.5), [0.2, 0.0, 0.3])
    assert flap.friction == pytest.approx(CATCH * 1.0 * 9.81 * 0.2, rel=1e-6)


def test_a_button_on_a_flap_is_held_when_the_flap_lies_open() -> None:
    """Closed, the button's way is level; open, gravity pulls it in."""
    flap = Joint(JointType.REVOLUTE, np.array([0.0, 1, 0]), np.zeros(3), 0.0, np.pi / 2)
    press = Joint(JointType.PRISMATIC, np.array([1.0, 0, 0]), np.zeros(3), 0.0, 0.005)
    links = (Link("body", -1, Joint(JointType.FIXED)), Link("flap", 0, flap), Link("button", 1, press))
    block = mesh_inertial(mesh(box([-0.1] * 3, [0.1] * 3)), 125.0)
    held = joint_dynamics(Articulation(links), [block] * 3, 2, [2])
    assert held.friction == pytest.approx(CATCH * block.mass * 9.81)
    assert held.effort > 2 * held.friction


def test_an_upright_door_is_not_held() -> None:
    door = dynamics_of(Joint(JointType.REVOLUTE, np.array([0.0, 0, 1]), np.zeros(3), 0.0, 1.5), [0.0, 0.3, 0.3])
    assert 0 < door.friction < 0.1


def test_a_heavier_and_wider_door_is_damped_more() -> None:
    near, far = (
        dynamics_of(Joint(JointType.REVOLUTE, np.array([0.0, 0, 1]), np.zeros(3), 0.0, 1.5), [0.0, reach, 0.3])
        for reach in (0.2, 0.6)
    )
    assert far.damping > 4 * near.damping
    assert far.effort > near.effort


def test_a_fixed_link_has_no_dynamics() -> None:
    assert dynamics_of(Joint(JointType.FIXED), [0.0, 0.0, 0.0]) == JointDynamics()


def test_a_lighter_mesh_keeps_its_shape() -> None:
    fine = box([-1, -1, -1], [1, 1, 1]).subdivide().subdivide().subdivide()
    vertices, faces = lighter(np.asarray(fine.vertices), np.asarray(fine.faces), 0.001)
    assert len(faces) < len(fine.faces) / 10
    light = trimesh.Trimesh(vertices, faces)
    assert light.is_watertight
    assert light.volume == pytest.approx(8, rel=1e-3)


def test_an_open_mesh_and_an_empty_one_stay_as_they_are() -> None:
    sheet = box([-1, -1, -1], [1, 1, 1])
    for faces in (np.asarray(sheet.faces)[:-1], np.zeros((0, 3), int)):
        vertices, same = lighter(np.asarray(sheet.vertices), faces, 0.001)
        assert same is faces
        assert len(vertices) == len(sheet.vertices)
