"""MJCF and GLB of one small asset, read back with the formats' own libraries."""

import io
import json
import struct

import mujoco
import numpy as np
import pytest
import trimesh

from articulation.asset import Asset
from articulation.files import collision_files, visual_files
from articulation.frames import MODEL_TO_URDF
from articulation.glb import KEYFRAMES, write_glb
from articulation.kinematics import forward_kinematics, transform_points
from articulation.mjcf import write_mjcf


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
