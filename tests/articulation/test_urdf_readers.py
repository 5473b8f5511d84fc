"""Our URDF in readers of others: links lie where our forward kinematics puts them, in any pose."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pinocchio
import pytest
import urchin
import yourdfpy
from articulations import assets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from articulation.asset import Asset, link_origins
from articulation.files import collision_files, visual_files
from articulation.kinematics import forward_kinematics
from articulation.typing import Array
from articulation.urdf import asset_urdf, write_urdf

Coordinates = dict[str, float]
"""Of each moving joint, by its name."""


def by_yourdfpy(path: Path, coordinates: Coordinates) -> dict[str, Array]:
    robot = yourdfpy.URDF.load(str(path))
    robot.update_cfg(coordinates)
    return {name: robot.get_transform(name) for name in robot.link_map}


def by_urchin(path: Path, coordinates: Coordinates) -> dict[str, Array]:
    robot = urchin.URDF.load(str(path))
    return {link.name: pose for link, pose in robot.link_fk(coordinates).items()}


def by_pinocchio(path: Path, coordinates: Coordinates) -> dict[str, Array]:
    model = pinocchio.buildModelFromUrdf(str(path))
    velocity = np.zeros(model.nv)
    for name, value in coordinates.items():
        velocity[model.joints[model.getJointId(name)].idx_v] = value
    data = model.createData()
    # A continuous joint's coordinate is a point on the circle, hence the step from the neutral configuration.
    pinocchio.framesForwardKinematics(model, data, pinocchio.integrate(model, pinocchio.neutral(model), velocity))
    frames = {frame.name: pose.homogeneous for frame, pose in zip(model.frames, data.oMf, strict=True)}
    return {frame.name: frames[frame.name] for frame in model.frames if frame.type == pinocchio.FrameType.BODY}


@pytest.mark.parametrize("reader", [by_yourdfpy, by_urchin, by_pinocchio])
@given(assets(), st.integers(0, 2**32 - 1))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_links_lie_where_our_kinematics_puts_them(
    tmp_path: Path, reader: Callable[[Path, Coordinates], dict[str, Array]], asset: Asset, seed: int
) -> None:
    tree = asset.articulation
    q = np.random.default_rng(seed).uniform(-3, 3, len(tree.moving))
    coordinates = {
        f"{tree.links[index].name}_joint": value for index, value in zip(tree.moving, q.tolist(), strict=True)
    }
    found = reader(write_folder(asset, tmp_path), coordinates)
    assert found.keys() == {link.name for link in tree}
    for link, pose, origin in zip(tree, forward_kinematics(tree, q), link_origins(tree), strict=True):
        frame = np.eye(4)
        frame[:3, 3] = origin
        assert np.allclose(found[link.name], pose @ frame, atol=1e-6)


def test_pinocchio_reads_our_masses_and_inertias(asset: Asset, tmp_path: Path) -> None:
    model = pinocchio.buildModelFromUrdf(str(write_folder(asset, tmp_path)))
    origins = link_origins(asset.articulation)
    for index in asset.articulation.moving:
        own = asset.bodies[index].inertial
        read = model.inertias[model.getJointId(f"{asset.articulation.links[index].name}_joint")]
        assert read.mass == pytest.approx(own.mass)
        assert np.allclose(read.lever, own.center - origins[index], atol=1e-8)
        assert np.allclose(read.inertia, own.inertia, rtol=1e-6, atol=1e-9)


def test_pinocchio_loads_every_collision_piece(asset: Asset, tmp_path: Path) -> None:
    path = str(write_folder(asset, tmp_path))
    model = pinocchio.buildModelFromUrdf(path)
    shapes = pinocchio.buildGeomFromUrdf(model, path, pinocchio.GeometryType.COLLISION, package_dirs=[str(tmp_path)])
    assert shapes.ngeoms == sum(len(body.collision) for body in asset.bodies)


def test_yourdfpy_sees_every_link_where_it_is(asset: Asset, tmp_path: Path) -> None:
    scene = yourdfpy.URDF.load(str(write_folder(asset, tmp_path))).scene
    points = np.concatenate([body.visual.vertices for body in asset.bodies])
    assert len(scene.geometry) == len(asset.bodies)
    assert np.allclose(scene.bounds, [points.min(0), points.max(0)], atol=1e-6)


def test_urchin_reads_meshes_and_limits(asset: Asset, tmp_path: Path) -> None:
    robot = urchin.URDF.load(str(write_folder(asset, tmp_path)))
    for link, body, origin in zip(asset.articulation, asset.bodies, link_origins(asset.articulation), strict=True):
        read = robot.link_map[link.name]
        assert np.allclose(read.visuals[0].geometry.meshes[0].bounds[0], body.visual.vertices.min(0) - origin)
        assert len(read.collisions) == len(body.collision)
    limit = robot.joint_map["drawer_joint"].limit
    assert (limit.lower, limit.upper, limit.effort) == (0.0, 0.25, 50.0)


def write_folder(asset: Asset, folder: Path) -> Path:
    files = visual_files(asset) | collision_files(asset) | {"asset.urdf": write_urdf(asset_urdf(asset))}
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder / "asset.urdf"
