import mujoco
import numpy as np
import pytest
from articulations import articulations, assets, joints
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from articulation.asset import Asset, link_origins
from articulation.files import collision_files
from articulation.joint import Joint, JointType
from articulation.kinematics import forward_kinematics, joint_motion, limits, link_poses, spread, transform_points
from articulation.mjcf import write_mjcf
from articulation.tree import Articulation, Link

HINGE_ON_THE_LEFT = Joint(JointType.REVOLUTE, np.array([0.0, -1.0, 0.0]), np.array([-1.0, 0.0, 1.0]), 0.0, 2.0)


@given(assets(), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_poses_agree_with_mujoco(asset: Asset, seed: int) -> None:
    model = mujoco.MjModel.from_xml_string(write_mjcf(asset, visuals=False).decode(), collision_files(asset))
    data = mujoco.MjData(model)
    q = np.random.default_rng(seed).uniform(-3, 3, len(asset.articulation.moving))
    for index, value in zip(asset.articulation.moving, q, strict=True):
        data.joint(f"{asset.articulation.links[index].name}_joint").qpos[0] = value
    mujoco.mj_kinematics(model, data)
    poses = forward_kinematics(asset.articulation, q)
    for link, pose, origin in zip(asset.articulation, poses, link_origins(asset.articulation), strict=True):
        body = data.body(link.name)
        assert np.allclose(body.xmat.reshape(3, 3), pose[:3, :3], atol=1e-6)
        assert np.allclose(body.xpos, transform_points(pose, origin[None])[0], atol=1e-6)


@given(joints(), st.floats(-3, 3, allow_subnormal=False))
def test_motion_is_the_exponential_of_the_screw(joint: Joint, q: float) -> None:
    twist = np.zeros((4, 4))
    if joint.type.rotates:
        x, y, z = joint.axis
        twist[:3, :3] = [[0, -z, y], [z, 0, -x], [-y, x, 0]]
        twist[:3, 3] = np.cross(joint.origin, joint.axis)
    elif joint.type is JointType.PRISMATIC:
        twist[:3, 3] = joint.axis
    assert np.allclose(joint_motion(joint, q), expm(q * twist), atol=1e-9)


@given(articulations(), st.integers(0, 2**31))
def test_a_batch_equals_its_rows(articulation: Articulation, seed: int) -> None:
    q = np.random.default_rng(seed).uniform(-2, 2, (3, 2, len(articulation.moving)))
    batch = forward_kinematics(articulation, q)
    assert batch.shape == (3, 2, len(articulation), 4, 4)
    assert np.array_equal(batch[2, 1], forward_kinematics(articulation, q[2, 1]))


@given(articulations())
def test_closed_state_is_the_identity(articulation: Articulation) -> None:
    assert np.array_equal(link_poses(articulation, np.zeros(len(articulation)))[-1], np.eye(4))


def test_a_left_hinged_door_opens_to_the_front() -> None:
    free_edge = np.array([[1.0, 0.0, 1.0]])
    opened = transform_points(joint_motion(HINGE_ON_THE_LEFT, np.pi / 2), free_edge)
    assert np.allclose(opened, [[-1.0, 0.0, 3.0]])


def test_a_grandchild_follows_its_parent() -> None:
    slide = Joint(JointType.PRISMATIC, np.array([1.0, 0.0, 0.0]), upper=1.0)
    tree = Articulation(
        (Link("body", -1, Joint(JointType.FIXED)), Link("door", 0, HINGE_ON_THE_LEFT), Link("latch", 1, slide))
    )
    moved = transform_points(forward_kinematics(tree, np.array([np.pi / 2, 0.5]))[2], np.array([[1.0, 0.0, 1.0]]))
    assert np.allclose(moved, [[-1.0, 0.0, 3.5]])


def test_limits_of_a_continuous_joint_are_one_turn() -> None:
    turn = Joint(JointType.CONTINUOUS)
    tree = Articulation(
        (Link("body", -1, Joint(JointType.FIXED)), Link("knob", 0, turn), Link("door", 0, HINGE_ON_THE_LEFT))
    )
    lower, upper = limits(tree)
    assert lower == pytest.approx([0, 0])
    assert upper == pytest.approx([2 * np.pi, 2.0])


def test_fixed_links_get_no_coordinate() -> None:
    tree = Articulation((Link("body", -1, Joint(JointType.FIXED)), Link("door", 0, HINGE_ON_THE_LEFT)))
    assert np.array_equal(spread(tree, np.array([[0.5], [0.7]])), [[0.0, 0.5], [0.0, 0.7]])
