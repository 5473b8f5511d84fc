"""MJCF, USD and GLB of one small asset, read back with the formats' own libraries."""

import io
import json
import struct
from pathlib import Path

import mujoco
import numpy as np
import pytest
import trimesh
from articulations import box_mesh, textured
from pxr import Usd, UsdGeom, UsdPhysics

from articulation.asset import Asset, Body, JointDynamics
from articulation.files import collision_files, visual_files
from articulation.frames import MODEL_TO_URDF
from articulation.glb import KEYFRAMES, write_glb
from articulation.inertia import mesh_inertial
from articulation.joint import Joint, JointType
from articulation.kinematics import forward_kinematics, transform_points
from articulation.mjcf import write_mjcf
from articulation.tree import Articulation, Link
from articulation.usd import write_usd


def body(center: list[float], size: list[float], dynamics: JointDynamics | None = None) -> Body:
    box = box_mesh(np.array(center), size)
    return Body(textured(box), (box,), mesh_inertial(box, 500.0), dynamics or JointDynamics())


@pytest.fixture(scope="module")
def asset() -> Asset:
    """A cabinet with a door hinged on its right, a drawer, and a knob on the door."""
    door = Joint(JointType.REVOLUTE, np.array([0.0, 0.0, 1.0]), np.array([0.21, -0.2, 0.0]), 0.0, 1.5)
    drawer = Joint(JointType.PRISMATIC, np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.3]), 0.0, 0.25)
    knob = Joint(JointType.CONTINUOUS, np.array([1.0, 0.0, 0.0]), np.array([0.25, 0.1, 0.2]))
    tree = Articulation(
        (
            Link("body", -1, Joint(JointType.FIXED), "cabinet", "wood"),
            Link("door", 0, door, "door", "wood"),
            Link("drawer", 0, drawer, "drawer", "wood"),
            Link("knob", 1, knob, "knob", "metal"),
        )
    )
    bodies = (
        body([0, 0, 0.25], [0.4, 0.4, 0.5]),
        body([0.22, 0, 0.2], [0.02, 0.4, 0.3], JointDynamics(0.4, 0.1, 20.0, 2.0)),
        body([0.21, 0, 0.4], [0.01, 0.3, 0.1], JointDynamics(3.0, 1.0, 50.0, 0.5)),
        body([0.25, 0.1, 0.2], [0.02, 0.03, 0.03], JointDynamics(0.01, 0.01, 1.0, 6.0)),
    )
    return Asset("cabinet", tree, bodies)


@pytest.fixture(scope="module")
def model(asset: Asset) -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(write_mjcf(asset).decode(), visual_files(asset) | collision_files(asset))


def test_mjcf_carries_masses(asset: Asset, model: mujoco.MjModel) -> None:
    for link, data in zip(asset.articulation, asset.bodies, strict=True):
        compiled = model.body(link.name)
        assert compiled.mass[0] == pytest.approx(data.inertial.mass)
        assert sorted(compiled.inertia) == pytest.approx(sorted(np.linalg.eigvalsh(data.inertial.inertia)))


def test_mjcf_carries_limits_and_dynamics(model: mujoco.MjModel) -> None:
    joint = model.joint("door_joint")
    assert joint.range == pytest.approx([0, 1.5])
    assert (joint.damping[0], joint.frictionloss[0]) == pytest.approx((0.4, 0.1))
    assert model.joint("knob_joint").limited[0] == 0


def test_mjcf_has_one_textured_visual_and_one_motor_a_link(asset: Asset, model: mujoco.MjModel) -> None:
    assert model.ntex == len(asset.articulation)
    assert [model.actuator(i).name for i in range(model.nu)] == ["door_motor", "drawer_motor", "knob_motor"]


def test_mjcf_collides_only_the_collision_pieces(model: mujoco.MjModel) -> None:
    assert [bool(model.geom(f"{name}.0").contype[0]) for name in ("body", "door", "drawer", "knob")] == [True] * 4
    assert int((model.geom_contype > 0).sum()) == 4


def test_usd_opens_and_has_the_joints(asset: Asset, tmp_path: Path) -> None:
    stage = open_usd(asset, tmp_path)
    kinds = {prim.GetName(): prim.GetTypeName() for prim in stage.Traverse() if prim.IsA(UsdPhysics.Joint)}
    assert kinds == {
        "body_joint": "PhysicsFixedJoint",
        "door_joint": "PhysicsRevoluteJoint",
        "drawer_joint": "PhysicsPrismaticJoint",
        "knob_joint": "PhysicsRevoluteJoint",
    }
    assert UsdGeom.GetStageUpAxis(stage) == "Z"


def test_usd_joint_axes_point_along_ours(asset: Asset, tmp_path: Path) -> None:
    stage = open_usd(asset, tmp_path)
    for link in asset.articulation:
        if link.joint.type.moves:
            turn = stage.GetPrimAtPath(f"/cabinet/Joints/{link.name}_joint").GetAttribute("physics:localRot1").Get()
            assert np.allclose(turn.Transform((1, 0, 0)), link.joint.axis, atol=1e-6)


def test_usd_limits_are_in_degrees_and_metres(asset: Asset, tmp_path: Path) -> None:
    stage = open_usd(asset, tmp_path)
    door = UsdPhysics.RevoluteJoint(stage.GetPrimAtPath("/cabinet/Joints/door_joint"))
    drawer = UsdPhysics.PrismaticJoint(stage.GetPrimAtPath("/cabinet/Joints/drawer_joint"))
    assert door.GetUpperLimitAttr().Get() == pytest.approx(np.degrees(1.5))
    assert drawer.GetUpperLimitAttr().Get() == pytest.approx(0.25)
    knob = UsdPhysics.RevoluteJoint(stage.GetPrimAtPath("/cabinet/Joints/knob_joint"))
    assert knob.GetUpperLimitAttr().Get() == np.inf


def test_usd_masses_and_principal_axes_rebuild_the_inertia(asset: Asset, tmp_path: Path) -> None:
    stage = open_usd(asset, tmp_path)
    for link, data in zip(asset.articulation, asset.bodies, strict=True):
        mass = UsdPhysics.MassAPI(stage.GetPrimAtPath(f"/cabinet/{link.name}"))
        turn = mass.GetPrincipalAxesAttr().Get()
        axes = np.array([turn.Transform(tuple(row)) for row in np.eye(3)]).T
        rebuilt = axes @ np.diag(mass.GetDiagonalInertiaAttr().Get()) @ axes.T
        assert mass.GetMassAttr().Get() == pytest.approx(data.inertial.mass)
        assert np.allclose(rebuilt, data.inertial.inertia, rtol=1e-5, atol=1e-7)


def test_usd_places_points_where_the_asset_has_them(asset: Asset, tmp_path: Path) -> None:
    stage = open_usd(asset, tmp_path)
    for link, data in zip(asset.articulation, asset.bodies, strict=True):
        prim = stage.GetPrimAtPath(f"/cabinet/{link.name}/visual")
        to_world = UsdGeom.Xformable(prim).ComputeLocalToWorldTransform(0)
        points = [to_world.Transform(point) for point in UsdGeom.Mesh(prim).GetPointsAttr().Get()]
        assert np.allclose(points, data.visual.vertices, atol=1e-6)


def open_usd(asset: Asset, folder: Path) -> Usd.Stage:
    path = folder / "asset.usda"
    path.write_bytes(write_usd(asset))
    return Usd.Stage.Open(str(path))


def test_glb_loads_with_its_geometry_in_gltf_axes(asset: Asset) -> None:
    scene = trimesh.load(io.BytesIO(write_glb(asset)), file_type="glb")
    points = np.concatenate([data.visual.vertices for data in asset.bodies]) @ MODEL_TO_URDF
    assert np.allclose(scene.bounds, [points.min(0), points.max(0)], atol=1e-6)
    assert len(scene.geometry) == len(asset.articulation)


def test_glb_textures_survive(asset: Asset) -> None:
    scene = trimesh.load(io.BytesIO(write_glb(asset)), file_type="glb")
    for name, mesh in scene.geometry.items():
        data = asset.bodies[[link.name for link in asset.articulation].index(name)]
        assert np.array_equal(np.asarray(mesh.visual.material.baseColorTexture.convert("RGB")), data.visual.texture)
        assert np.allclose(mesh.visual.uv, data.visual.uvs, atol=1e-6)


def test_glb_animation_ends_where_kinematics_says_open_is(asset: Asset) -> None:
    document, binary = parse_glb(write_glb(asset))
    (animation,) = document["animations"]
    tracks = {
        document["nodes"][channel["target"]["node"]]["name"]: read_accessor(
            document, binary, animation["samplers"][channel["sampler"]]["output"]
        )
        for channel in animation["channels"]
    }
    tree = asset.articulation
    poses = forward_kinematics(tree, np.array([1.5, 0.25, 0.0]))
    turn = tracks["door"][KEYFRAMES // 2]
    assert np.allclose(turn, [0, 0, np.sin(0.75), np.cos(0.75)], atol=1e-6)
    moved = transform_points(poses[2], tree.links[2].joint.origin[None])[0]
    assert np.allclose(tracks["drawer"][KEYFRAMES // 2], moved, atol=1e-6)
    assert np.allclose(tracks["drawer"][[0, -1]], tree.links[2].joint.origin, atol=1e-6)


def parse_glb(content: bytes) -> tuple[dict, bytes]:
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, length) == (b"glTF", 2, len(content))
    (size,) = struct.unpack_from("<I", content, 12)
    return json.loads(content[20 : 20 + size]), content[28 + size :]


def read_accessor(document: dict, binary: bytes, index: int) -> np.ndarray:
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
    values = np.frombuffer(binary, "<f4", accessor["count"] * width, view["byteOffset"])
    return values.reshape(-1, width)
