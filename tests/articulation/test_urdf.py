import dataclasses
from pathlib import Path

import mujoco
import numpy as np
import pybullet
import pytest
from articulations import assets, vectors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from articulation.asset import Asset, Inertial, JointDynamics, link_origins
from articulation.errors import ArticulationError, InvalidArticulation, InvalidDocument
from articulation.files import collision_files, visual_files
from articulation.joint import JointType
from articulation.kinematics import forward_kinematics, transform_points
from articulation.tree import Articulation
from articulation.urdf import (
    BoxShape,
    CylinderShape,
    Geometry,
    MeshShape,
    SphereShape,
    Urdf,
    UrdfLink,
    asset_urdf,
    read_urdf,
    write_urdf,
)

shapes = st.sampled_from(
    [MeshShape("a/b.obj", (1.0, 2.0, 0.5)), BoxShape((1.0, 2.0, 3.0)), CylinderShape(0.5, 2.0), SphereShape(0.25)]
)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(draw(vectors())).as_matrix()
    pose[:3, 3] = draw(vectors())
    return Geometry(draw(shapes), pose)


@st.composite
def documents(draw: st.DrawFn) -> Urdf:
    asset = draw(assets())
    links = []
    for link, body in zip(asset.articulation, asset.bodies, strict=True):
        links.append(
            UrdfLink(
                visuals=tuple(draw(st.lists(geometries(), min_size=1, max_size=2))),
                collisions=tuple(draw(st.lists(geometries(), max_size=3))),
                inertial=draw(st.sampled_from([None, body.inertial])),
                dynamics=JointDynamics(0.1, 0.2, 3.0, 4.0) if link.joint.type.moves else JointDynamics(),
            )
        )
    return Urdf(asset.name, asset.articulation, tuple(links))


def assert_same(first: Urdf, second: Urdf) -> None:
    assert first.name == second.name
    for a, b in zip(first.articulation, second.articulation, strict=True):
        assert (a.name, a.parent, a.label, a.material, a.joint.type) == (
            b.name,
            b.parent,
            b.label,
            b.material,
            b.joint.type,
        )
        if a.joint.type.moves:
            assert np.allclose(a.joint.axis, b.joint.axis, atol=1e-8)
            assert np.allclose([a.joint.lower, a.joint.upper], [b.joint.lower, b.joint.upper], atol=1e-8)
        if a.parent >= 0:
            assert np.allclose(a.joint.origin, b.joint.origin, atol=1e-8)
    for a, b in zip(first.links, second.links, strict=True):
        assert a.dynamics == b.dynamics
        assert_same_inertial(a.inertial, b.inertial)
        for one, other in zip(a.visuals + a.collisions, b.visuals + b.collisions, strict=True):
            assert one.shape == other.shape
            assert np.allclose(one.pose, other.pose, atol=1e-7)


def assert_same_inertial(a: Inertial | None, b: Inertial | None) -> None:
    assert (a is None) == (b is None)
    if a is not None and b is not None:
        assert a.mass == pytest.approx(b.mass)
        assert np.allclose(a.center, b.center, atol=1e-8)
        assert np.allclose(a.inertia, b.inertia, rtol=1e-8, atol=1e-9)


@given(documents())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_written_and_read_again_is_the_same(urdf: Urdf) -> None:
    assert_same(urdf, read_urdf(write_urdf(urdf)))


@given(st.binary() | st.text().map(str.encode) | st.just(b"<robot name='a'><link/></robot>"))
def test_garbage_is_refused_with_a_typed_error(document: bytes) -> None:
    with pytest.raises(ArticulationError):
        read_urdf(document)


def write_folder(asset: Asset, folder: Path) -> Path:
    for path, content in (
        visual_files(asset) | collision_files(asset) | {"a.urdf": write_urdf(asset_urdf(asset))}
    ).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder / "a.urdf"


@given(assets())
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_mujoco_and_pybullet_place_links_as_we_do(tmp_path: Path, asset: Asset) -> None:
    path = write_folder(asset, tmp_path)
    tree = asset.articulation
    q = np.linspace(0.1, 0.4, len(tree.moving))
    expected = [
        transform_points(pose, origin[None])[0]
        for pose, origin in zip(forward_kinematics(tree, q), link_origins(tree), strict=True)
    ]
    model = mujoco.MjModel.from_xml_path(str(path))
    data = mujoco.MjData(model)
    values = dict(zip([f"{tree.links[i].name}_joint" for i in tree.moving], q, strict=True))
    for name, value in values.items():
        data.joint(name).qpos[0] = value
    mujoco.mj_kinematics(model, data)
    client = pybullet.connect(pybullet.DIRECT)
    robot = pybullet.loadURDF(str(path), useFixedBase=True, physicsClientId=client)
    index = {tree.links[tree.root].name: -1}
    for joint in range(pybullet.getNumJoints(robot, physicsClientId=client)):
        info = pybullet.getJointInfo(robot, joint, physicsClientId=client)
        index[info[12].decode()] = joint
        if info[1].decode() in values:
            pybullet.resetJointState(robot, joint, values[info[1].decode()], physicsClientId=client)
    for link, position in zip(tree, expected, strict=True):
        if link.parent >= 0:
            assert np.allclose(data.body(link.name).xpos, position, atol=1e-6)
            state = pybullet.getLinkState(
                robot, index[link.name], computeForwardKinematics=True, physicsClientId=client
            )
            assert np.allclose(state[4], position, atol=1e-5)
    pybullet.disconnect(client)


TILTED = b"""<?xml version="1.0"?>
<robot name="tilted">
  <link name="base"/>
  <link name="lid"><visual><origin xyz="0 0 1"/><geometry><box size="1 1 1"/></geometry></visual></link>
  <joint name="j" type="revolute">
    <origin xyz="0 0 2" rpy="0 0 1.5707963267948966"/>
    <parent link="base"/><child link="lid"/><axis xyz="2 0 0"/><limit lower="0" upper="1" effort="1" velocity="1"/>
  </joint>
</robot>"""


def test_rotated_joint_frames_become_screws_in_the_object_frame() -> None:
    lid = read_urdf(TILTED).articulation.links[1]
    assert np.allclose(lid.joint.axis, [0, 1, 0])
    assert np.allclose(lid.joint.origin, [0, 0, 2])


def test_visuals_are_placed_in_the_object_frame() -> None:
    assert np.allclose(read_urdf(TILTED).links[1].visuals[0].pose[:3, 3], [0, 0, 3])


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b'axis xyz="2 0 0"', b'axis xyz="0 0 0"', "axis is zero"),
        (b'axis xyz="2 0 0"', b'axis xyz="1 nan 0"', "finite"),
        (b'axis xyz="2 0 0"', b'axis xyz="1 x 0"', "not numbers"),
        (b'child link="lid"', b'child link="hat"', "names no link"),
        (b'type="revolute"', b'type="floating"', "not supported"),
        (b'<limit lower="0" upper="1" effort="1" velocity="1"/>', b"", "no <limit>"),
        (b'<box size="1 1 1"/>', b'<torus size="1"/>', "not supported"),
        (b'<box size="1 1 1"/>', b"", "is empty"),
        (b"<robot", b"<machine", "is not XML"),
    ],
)
def test_a_bad_element_is_named(old: bytes, new: bytes, problem: str) -> None:
    with pytest.raises(InvalidDocument, match=problem):
        read_urdf(TILTED.replace(old, new))


def test_a_cycle_is_refused() -> None:
    loop = b"""<joint name="k" type="fixed"><parent link="lid"/><child link="base"/></joint></robot>"""
    with pytest.raises(InvalidArticulation):
        read_urdf(TILTED.replace(b"</robot>", loop))


def test_two_parents_are_refused() -> None:
    second = b"""<joint name="k" type="fixed"><parent link="base"/><child link="lid"/></joint></robot>"""
    with pytest.raises(InvalidDocument, match="two parents"):
        read_urdf(TILTED.replace(b"</robot>", second))


def test_external_entities_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("lid")
    document = (
        f'<!DOCTYPE robot [<!ENTITY x SYSTEM "{secret.as_uri()}">]><robot name="a"><link name="b">&x;</link></robot>'
    )
    assert read_urdf(document.encode()).name == "a"


def test_the_limits_of_continuous_joints_are_not_written() -> None:
    urdf = read_urdf(TILTED.replace(b"revolute", b"continuous"))
    turned = dataclasses.replace(urdf.articulation.links[1].joint, lower=-1.0, upper=1.0)
    links = (urdf.articulation.links[0], dataclasses.replace(urdf.articulation.links[1], joint=turned))
    again = (
        read_urdf(write_urdf(dataclasses.replace(urdf, articulation=Articulation(links)))).articulation.links[1].joint
    )
    assert (again.type, again.lower, again.upper) == (JointType.CONTINUOUS, 0.0, 0.0)
