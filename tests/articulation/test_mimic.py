"""A joint that follows another, in our kinematics and in every document, as readers of others understand it."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import mujoco
import newton_usd_schemas  # noqa: F401 (registers the schema)
import numpy as np
import pytest
import urchin
import urdf_usd_converter
import usd_validation
import yourdfpy
from pxr import Usd

from articulation.asset import Asset, link_origins
from articulation.errors import InvalidArticulation, InvalidDocument
from articulation.files import collision_files, visual_files
from articulation.frames import UrdfFrame
from articulation.glb import KEYFRAMES, write_glb
from articulation.joint import Joint, JointType, Mimic
from articulation.kinematics import link_poses, with_led_limits
from articulation.mjcf import write_mjcf
from articulation.tree import Articulation, Link
from articulation.urdf import asset_urdf, read_urdf, write_urdf
from articulation.usd import write_usd

FOLLOWS = Mimic("door", -0.5, 0.1)


def with_mimic(asset: Asset, mimic: Mimic, follower: int = 3) -> Asset:
    links = list(asset.articulation.links)
    links[follower] = replace(links[follower], joint=replace(links[follower].joint, mimic=mimic))
    return replace(asset, articulation=Articulation(tuple(links)))


@pytest.fixture
def coupled(asset: Asset) -> Asset:
    """The cabinet; its knob turns half as far as the door, the other way, from 0.1 rad on."""
    return with_mimic(asset, FOLLOWS)


def folder_of(asset: Asset, folder: Path) -> Path:
    documents = {"asset.urdf": write_urdf(asset_urdf(asset)), "asset.usdc": write_usd(asset)}
    for path, content in (visual_files(asset) | collision_files(asset) | documents).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def test_a_follower_goes_where_its_leader_says_whatever_its_own_coordinate(asset: Asset, coupled: Asset) -> None:
    expected = link_poses(asset.articulation, np.array([0.0, 0.8, 0.1, -0.3]))
    assert link_poses(coupled.articulation, np.array([0.0, 0.8, 0.1, 2.0])) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("mimic", "follower"),
    [(Mimic("nothing"), 3), (Mimic("body"), 3), (Mimic("knob"), 3), (Mimic("drawer"), 3), (Mimic("drawer"), 0)],
    ids=["no link", "a fixed one", "itself", "a slide", "a fixed follower"],
)
def test_what_cannot_be_followed_is_refused(asset: Asset, mimic: Mimic, follower: int) -> None:
    with pytest.raises(InvalidArticulation, match=rf"parts\[{follower}\]\.joint\.mimic"):
        with_mimic(asset, mimic, follower)


@pytest.mark.parametrize("multiplier", [np.inf, 0.0])
def test_a_factor_that_moves_nothing_or_too_much_is_refused(multiplier: float) -> None:
    with pytest.raises(InvalidArticulation, match="mimic"):
        Mimic("door", multiplier)


def test_a_follower_moves_together_with_its_leader(coupled: Asset) -> None:
    tree = coupled.articulation
    assert [tree.leader(index) for index in range(4)] == [0, 1, 2, 1]
    assert tree.coupled_with(1) == tree.coupled_with(3) == (1, 3)
    assert tree.independent == (1, 2)


def test_the_limits_of_a_follower_are_where_its_leaders_take_it(coupled: Asset) -> None:
    joint = with_led_limits(coupled.articulation).links[3].joint
    assert joint.type is JointType.REVOLUTE
    assert (joint.lower, joint.upper) == pytest.approx((0.1 - 0.5 * 1.5, 0.1))


def test_what_follows_a_wheel_turns_without_end(asset: Asset) -> None:
    door = with_mimic(asset, Mimic("knob"), follower=1).articulation
    assert with_led_limits(door).links[1].joint.type is JointType.CONTINUOUS


def test_only_the_offset_of_a_slide_has_a_length() -> None:
    slide = Joint(JointType.PRISMATIC, np.array([0.0, 0, 1]), upper=1.0, mimic=Mimic("drawer", 2.0, 0.5))
    assert UrdfFrame(0.25).joint(slide).mimic == Mimic("drawer", 2.0, 0.125)
    turn = replace(slide, type=JointType.REVOLUTE)
    assert UrdfFrame(0.25).joint(turn).mimic == turn.mimic


def test_urdf_is_read_back_the_same(coupled: Asset) -> None:
    again = read_urdf(write_urdf(asset_urdf(coupled))).articulation
    assert [link.joint.mimic for link in again] == [None, None, None, FOLLOWS]


def test_a_urdf_that_follows_no_joint_is_refused(coupled: Asset) -> None:
    document = write_urdf(asset_urdf(coupled)).replace(b'<mimic joint="door_joint"', b'<mimic joint="gone"')
    with pytest.raises(InvalidDocument, match="gone"):
        read_urdf(document)


@pytest.mark.parametrize("reader", ["yourdfpy", "urchin"])
def test_urdf_readers_move_the_follower_as_we_do(coupled: Asset, tmp_path: Path, reader: str) -> None:
    path = str(folder_of(coupled, tmp_path) / "asset.urdf")
    coordinates = {"door_joint": 0.8, "drawer_joint": 0.1}
    if reader == "yourdfpy":
        robot = yourdfpy.URDF.load(path)
        robot.update_cfg(coordinates)
        found = robot.get_transform("knob")
    else:
        found = urchin.URDF.load(path).link_fk(coordinates, link="knob")
    frame = np.eye(4)
    frame[:3, 3] = link_origins(coupled.articulation)[3]
    assert found == pytest.approx(link_poses(coupled.articulation, np.array([0.0, 0.8, 0.1, 0.0]))[3] @ frame, abs=1e-6)


def test_in_mujoco_the_follower_follows_a_leader_that_moves(coupled: Asset) -> None:
    model = mujoco.MjModel.from_xml_string(write_mjcf(coupled, visuals=False).decode(), collision_files(coupled))
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONTACT | mujoco.mjtDisableBit.mjDSBL_GRAVITY
    data = mujoco.MjData(model)
    data.joint("knob_joint").qpos = FOLLOWS.offset
    door = steps = 0
    while door < 1.2 and steps < 1000:
        data.joint("door_joint").qfrc_applied = 1.0
        mujoco.mj_step(model, data)
        door, knob = (float(data.joint(f"{name}_joint").qpos[0]) for name in ("door", "knob"))
        assert knob == pytest.approx(FOLLOWS.multiplier * door + FOLLOWS.offset, abs=2e-3)
        steps += 1
    assert door >= 1.2


def test_a_follower_has_no_motor_of_its_own(asset: Asset, coupled: Asset) -> None:
    assert b"knob_motor" in write_mjcf(asset)
    assert b"knob_motor" not in write_mjcf(coupled)


def test_usd_says_the_same_as_an_outside_converter_of_our_urdf(coupled: Asset, tmp_path: Path) -> None:
    folder = folder_of(coupled, tmp_path)
    urdf_usd_converter.Converter().convert(str(folder / "asset.urdf"), str(tmp_path / "converted"))
    stages = [
        Usd.Stage.Open(str(path)) for path in (folder / "asset.usdc", next((tmp_path / "converted").glob("*.usd*")))
    ]
    said = []
    for stage in stages:
        prim = next(prim for prim in stage.Traverse() if prim.GetName() == "knob_joint")
        assert prim.HasAPI("NewtonMimicAPI")
        (leader,) = prim.GetRelationship("newton:mimicJoint").GetTargets()
        said.append((leader.name, *(prim.GetAttribute(f"newton:mimicCoef{i}").Get() for i in (0, 1))))
    assert said[0] == pytest.approx(("door_joint", np.degrees(0.1), -0.5))
    assert said[0] == pytest.approx(said[1])


def test_the_usd_validator_finds_nothing(coupled: Asset, tmp_path: Path) -> None:
    path = folder_of(coupled, tmp_path) / "asset.usdc"
    assert usd_validation.problems(path) | usd_validation.warnings(path) == set()


def test_the_glb_track_of_a_follower_is_its_leaders(coupled: Asset) -> None:
    angles = {name: np.array(track) for name, track in rotations(write_glb(coupled)).items()}
    joint = coupled.articulation.links[3].joint
    assert angles["knob"] @ joint.axis == pytest.approx(
        np.sin((FOLLOWS.multiplier * 1.5 * opening() + FOLLOWS.offset) / 2), abs=1e-6
    )


def opening() -> np.ndarray:
    return (1 - np.cos(np.linspace(0, 2 * np.pi, KEYFRAMES))) / 2


def rotations(glb: bytes) -> dict[str, np.ndarray]:
    """(KEYFRAMES, 3) vector part of the quaternions of each link that turns, by its name."""
    length = struct.unpack_from("<I", glb, 12)[0]
    document, binary = json.loads(glb[20 : 20 + length]), glb[28 + length :]
    animation = document["animations"][0]
    tracks = {}
    for channel in animation["channels"]:
        accessor = document["accessors"][animation["samplers"][channel["sampler"]]["output"]]
        if channel["target"]["path"] == "rotation":
            start = document["bufferViews"][accessor["bufferView"]]["byteOffset"]
            values = np.frombuffer(binary, "<f4", accessor["count"] * 4, start).reshape(-1, 4)
            tracks[document["nodes"][channel["target"]["node"]]["name"]] = values[:, :3]
    return tracks


def test_a_follower_of_a_follower_is_refused(coupled: Asset) -> None:
    wheel = Link("wheel", 0, replace(coupled.articulation.links[3].joint, mimic=Mimic("knob")))
    with pytest.raises(InvalidArticulation, match="follows another"):
        Articulation((*coupled.articulation.links, wheel))
