"""The importer of MJCF: it moves what MuJoCo moves, where MuJoCo moves it."""

import mujoco
import numpy as np
import pytest
import trimesh

from articulation.joint import JointType
from articulation.kinematics import link_poses, transform_points
from training.outside.mjcf import TO_MODEL, Imported, UnsupportedModel, read

LABELS = {"hinge": "door", "rail": "drawer", "axle": "knob"}

CUPBOARD = """
<mujoco>
  <compiler angle="radian"/>
  <asset><mesh name="wedge" vertex="0 0 0  0.4 0 0  0 0.1 0  0 0 0.5"/></asset>
  <worldbody>
    <geom type="plane" size="5 5 1"/>
    <body name="body" pos="0.1 0.2 0.5" euler="0 0 0.3">
      <geom type="box" size="0.4 0.3 0.5"/>
      <geom type="box" size="0.9 0.9 0.9" group="4"/>
      <body pos="-0.4 -0.3 0">
        <joint name="hinge" axis="0 0 1" range="-1.8 0.2"/>
        <geom type="mesh" mesh="wedge" pos="0 -0.1 -0.2"/>
        <body pos="0.3 -0.15 0.1">
          <joint name="axle" axis="0 1 0"/>
          <geom type="cylinder" size="0.03 0.02" euler="1.57 0 0"/>
          <body><geom type="sphere" size="0.01" pos="0.03 0 0"/></body>
        </body>
      </body>
      <body pos="0.2 -0.3 0.3">
        <joint name="rail" type="slide" axis="0 -1 0" range="0 0.3" ref="0"/>
        <geom type="capsule" size="0.02 0.1"/>
        <geom type="ellipsoid" size="0.1 0.05 0.08" pos="0 -0.05 0"/>
      </body>
    </body>
  </worldbody>
</mujoco>
"""


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(CUPBOARD)


@pytest.fixture(scope="module")
def imported(model: mujoco.MjModel) -> Imported:
    return read(model, LABELS, "wood")


def test_the_tree_is_that_of_the_labelled_joints(imported: Imported) -> None:
    assert [(part.name, part.parent) for part in imported.parts] == [
        ("body", -1), ("door_1", 0), ("drawer_2", 0), ("knob_3", 1)
    ]  # fmt: skip
    types = [part.joint.type for part in imported.parts[1:]]
    assert types == [JointType.REVOLUTE, JointType.PRISMATIC, JointType.CONTINUOUS]


def test_the_longer_way_opens(imported: Imported) -> None:
    door, drawer = imported.parts[1].joint, imported.parts[2].joint
    assert (door.lower, door.upper) == pytest.approx((-0.2, 1.8))
    assert door.axis == pytest.approx([0, -1, 0])
    assert (drawer.lower, drawer.upper * imported.size / 2) == pytest.approx((0, 0.3))


def test_the_object_fills_model_space_and_leaves_the_floor_and_collision_shapes_out(imported: Imported) -> None:
    points = np.concatenate([mesh.vertices for mesh in imported.meshes])
    assert np.ptp(points, axis=0).max() == pytest.approx(2)
    assert points.min(0) + points.max(0) == pytest.approx(0, abs=1e-9)
    assert imported.size < 1.5


def test_boxes_are_those_of_the_meshes(imported: Imported) -> None:
    for part, mesh in zip(imported.parts, imported.meshes, strict=True):
        assert part.box.center - part.box.half_extent == pytest.approx(mesh.vertices.min(0))
        assert part.box.center + part.box.half_extent == pytest.approx(mesh.vertices.max(0))


def test_parts_move_as_mujoco_moves_them(model: mujoco.MjModel, imported: Imported) -> None:
    coordinates = np.array([0.0, 1.1, 0.2, 2.5])
    data = mujoco.MjData(model)
    data.qpos[:] = imported.qpos(model, coordinates)
    mujoco.mj_forward(model, data)
    poses = link_poses(imported.articulation(), coordinates)
    rest = mujoco.MjData(model)
    mujoco.mj_forward(model, rest)
    for name, index in (("hinge", 1), ("rail", 2), ("axle", 3)):
        body = int(model.joint(name).bodyid[0])
        closed, moved = (
            TO_MODEL @ (state.xpos[body] - imported.center) * 2 / imported.size
            + TO_MODEL @ state.xmat[body].reshape(3, 3) @ np.array([0.2, 0.3, -0.1])
            for state in (rest, data)
        )
        assert transform_points(poses[index], closed[None])[0] == pytest.approx(moved, abs=1e-9)


def test_meshes_are_where_mujoco_has_the_geometry(model: mujoco.MjModel, imported: Imported) -> None:
    """MuJoCo's rays from outside hit its geometry where they hit our triangles."""
    mesh = imported.meshes[2]
    ours = trimesh.Trimesh(mesh.vertices, mesh.faces)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    rng = np.random.default_rng(0)
    drawer = int(model.joint("rail").bodyid[0])
    geoms = [geom for geom in range(model.ngeom) if model.geom_bodyid[geom] == drawer]
    center = data.xpos[drawer]
    compared = 0
    for direction in rng.normal(size=(20, 3)):
        direction /= np.linalg.norm(direction)
        start = center + direction
        distances = [ray_to(model, data, geom, start, -direction) for geom in geoms]
        hit = min((distance for distance in distances if distance >= 0), default=None)
        begin = TO_MODEL @ (start - imported.center) * 2 / imported.size
        places, _, _ = ours.ray.intersects_location([begin], [-(TO_MODEL @ direction)])
        if hit is not None and len(places):
            compared += 1
            nearest = np.linalg.norm(places - begin, axis=1).min() * imported.size / 2
            assert nearest == pytest.approx(hit, abs=2e-3)
    assert compared > 10


def ray_to(model: mujoco.MjModel, data: mujoco.MjData, geom: int, start: np.ndarray, way: np.ndarray) -> float:
    """Distance along a ray to one geometry alone, -1 if it misses."""
    return float(
        mujoco.mju_rayGeom(
            data.geom_xpos[geom], data.geom_xmat[geom], model.geom_size[geom], start, way, model.geom_type[geom], None
        )
    )


@pytest.mark.parametrize(
    ("joint", "problem"),
    [
        ('<joint name="hinge" type="ball"/>', "neither"),
        ('<joint name="hinge" type="slide"/>', "without end"),
        ('<joint name="hinge"/><joint name="rail" type="slide" range="0 1"/>', "two"),
    ],
)
def test_what_our_articulation_cannot_say_is_refused(joint: str, problem: str) -> None:
    document = f"""
      <mujoco><worldbody>
        <geom type="box" size="1 1 1"/>
        <body>{joint}<geom type="box" size="1 1 1" pos="0 -1 0"/></body>
      </worldbody></mujoco>"""
    labels = {name: "door" for name in ("hinge", "rail") if f'"{name}"' in document}
    with pytest.raises(UnsupportedModel, match=problem):
        read(mujoco.MjModel.from_xml_string(document), labels, "wood")


def test_a_part_that_shows_nothing_is_refused() -> None:
    document = """
      <mujoco><worldbody>
        <geom type="box" size="1 1 1"/>
        <body><joint name="hinge"/><geom type="box" size="1 1 1" group="4"/></body>
      </worldbody></mujoco>"""
    with pytest.raises(UnsupportedModel, match="no geometry"):
        read(mujoco.MjModel.from_xml_string(document), {"hinge": "door"}, "wood")
