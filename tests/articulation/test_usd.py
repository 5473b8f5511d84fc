"""USD, read back with its own library, and checked by a validator that is not ours."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import mujoco
import numpy as np
import pytest
import usd_validation
from articulations import assets, box_mesh, textured
from hypothesis import HealthCheck, given, settings
from pxr import Sdf, Usd, UsdGeom, UsdPhysics, UsdSemantics

from articulation.asset import Asset, Body, TexturedMesh
from articulation.files import collision_files, visual_files
from articulation.inertia import mesh_inertial
from articulation.joint import Joint, JointType
from articulation.mjcf import write_mjcf
from articulation.tree import Articulation, Link
from articulation.typing import Array
from articulation.usd import write_usd


def open_usd(asset: Asset, folder: Path) -> Usd.Stage:
    path = folder / "asset.usdc"
    path.write_bytes(write_usd(asset))
    return Usd.Stage.Open(str(path))


@given(assets())
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_the_validator_finds_nothing_at_all(tmp_path: Path, asset: Asset) -> None:
    path = tmp_path / "asset.usdc"
    for name, content in (visual_files(asset) | {path.name: write_usd(asset)}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert usd_validation.problems(path) | usd_validation.warnings(path) == set()


def test_the_same_asset_gives_the_same_bytes(asset: Asset) -> None:
    assert write_usd(asset) == write_usd(asset)


def test_opens_and_has_the_joints(asset: Asset, tmp_path: Path) -> None:
    stage = open_usd(asset, tmp_path)
    kinds = {prim.GetName(): prim.GetTypeName() for prim in stage.Traverse() if prim.IsA(UsdPhysics.Joint)}
    assert kinds == {
        "body_joint": "PhysicsFixedJoint",
        "door_joint": "PhysicsRevoluteJoint",
        "drawer_joint": "PhysicsPrismaticJoint",
        "knob_joint": "PhysicsRevoluteJoint",
    }
    assert UsdGeom.GetStageUpAxis(stage) == "Z"


def test_joint_axes_point_along_ours(asset: Asset, tmp_path: Path) -> None:
    stage = open_usd(asset, tmp_path)
    for link in asset.articulation:
        if link.joint.type.moves:
            turn = stage.GetPrimAtPath(f"/cabinet/Joints/{link.name}_joint").GetAttribute("physics:localRot1").Get()
            assert np.allclose(turn.Transform((1, 0, 0)), link.joint.axis, atol=1e-6)


def test_limits_are_in_degrees_and_metres(asset: Asset, tmp_path: Path) -> None:
    stage = open_usd(asset, tmp_path)
    door = UsdPhysics.RevoluteJoint(stage.GetPrimAtPath("/cabinet/Joints/door_joint"))
    drawer = UsdPhysics.PrismaticJoint(stage.GetPrimAtPath("/cabinet/Joints/drawer_joint"))
    assert door.GetUpperLimitAttr().Get() == pytest.approx(np.degrees(1.5))
    assert drawer.GetUpperLimitAttr().Get() == pytest.approx(0.25)
    knob = UsdPhysics.RevoluteJoint(stage.GetPrimAtPath("/cabinet/Joints/knob_joint"))
    assert knob.GetUpperLimitAttr().Get() == np.inf


def test_masses_and_principal_axes_rebuild_the_inertia(asset: Asset, tmp_path: Path) -> None:
    stage = open_usd(asset, tmp_path)
    for link, data in zip(asset.articulation, asset.bodies, strict=True):
        mass = UsdPhysics.MassAPI(stage.GetPrimAtPath(f"/cabinet/{link.name}"))
        turn = mass.GetPrincipalAxesAttr().Get()
        axes = np.array([turn.Transform(tuple(row)) for row in np.eye(3)]).T
        rebuilt = axes @ np.diag(mass.GetDiagonalInertiaAttr().Get()) @ axes.T
        assert mass.GetMassAttr().Get() == pytest.approx(data.inertial.mass)
        assert np.allclose(rebuilt, data.inertial.inertia, rtol=1e-5, atol=1e-7)


def test_places_faces_where_the_asset_has_them(asset: Asset, tmp_path: Path) -> None:
    stage = open_usd(asset, tmp_path)
    for link, data in zip(asset.articulation, asset.bodies, strict=True):
        mesh = UsdGeom.Mesh(stage.GetPrimAtPath(f"/cabinet/{link.name}/visual"))
        to_world = mesh.ComputeLocalToWorldTransform(0)
        points = np.array([to_world.Transform(point) for point in mesh.GetPointsAttr().Get()])
        assert np.allclose(points[corners(mesh)], data.visual.vertices[data.visual.faces], atol=1e-6)


def test_keeps_texture_coordinates_on_both_sides_of_a_seam(asset: Asset, tmp_path: Path) -> None:
    box = asset.bodies[0].visual
    faces = np.arange(3 * len(box.faces)).reshape(-1, 3)
    uvs = np.random.default_rng(0).uniform(size=(faces.size, 2))
    torn = TexturedMesh(box.vertices[box.faces.reshape(-1)], faces, uvs, box.texture)
    seamed = replace(asset, bodies=(replace(asset.bodies[0], visual=torn), *asset.bodies[1:]))
    stage = open_usd(seamed, tmp_path)
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/cabinet/body/visual"))
    assert len(mesh.GetPointsAttr().Get()) == 8
    assert np.allclose(UsdGeom.PrimvarsAPI(mesh).GetPrimvar("st").ComputeFlattened(), uvs)


def test_leaves_out_faces_without_area(asset: Asset, tmp_path: Path) -> None:
    box = asset.bodies[0].visual
    torn = replace(box, faces=np.concatenate([box.faces, [[0, 1, 0]]]))
    asset = replace(asset, bodies=(replace(asset.bodies[0], visual=torn), *asset.bodies[1:]))
    stage = open_usd(asset, tmp_path)
    assert len(corners(UsdGeom.Mesh(stage.GetPrimAtPath("/cabinet/body/visual")))) == len(box.faces)


def test_says_what_a_link_is_and_is_made_of(asset: Asset, tmp_path: Path) -> None:
    stage = open_usd(asset, tmp_path)
    assert labels(stage, "/cabinet/knob", "class") == ["knob"]
    assert labels(stage, "/cabinet/knob/material", "material") == ["metal"]


def labels(stage: Usd.Stage, path: str, taxonomy: str) -> list[str]:
    return list(UsdSemantics.LabelsAPI(stage.GetPrimAtPath(path), taxonomy).GetLabelsAttr().Get())


def corners(mesh: UsdGeom.Mesh) -> Array:
    """(F, 3) point indices."""
    return np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)


def test_lets_the_same_links_collide_as_mjcf(tmp_path: Path) -> None:
    """A drawer, a door with a handle and a turning knob, a body with two feet, all in one place."""
    turn = Joint(JointType.REVOLUTE, np.array([0.0, 0.0, 1.0]), upper=1.0)
    slide = Joint(JointType.PRISMATIC, np.array([1.0, 0.0, 0.0]), upper=1.0)
    tree = Articulation(
        (
            Link("body", -1, Joint(JointType.FIXED)),
            Link("foot", 0, Joint(JointType.FIXED)),
            Link("drawer", 0, slide),
            Link("door", 0, turn),
            Link("handle", 3, Joint(JointType.FIXED)),
            Link("knob", 3, turn),
            Link("button", 0, slide),
            Link("foot_2", 0, Joint(JointType.FIXED)),
        )
    )
    boxes = [box_mesh(np.full(3, 0.01 * index), [0.2, 0.3, 0.4]) for index in range(len(tree))]
    bodies = tuple(Body(textured(box), (box,), mesh_inertial(box, 100.0)) for box in boxes)
    asset = Asset("heap", tree, bodies, excluded=((0, 3), (2, 5)))
    found = usd_collisions(open_usd(asset, tmp_path))
    assert found == mujoco_collisions(asset)
    assert {("body", "drawer"), ("door", "knob"), ("button", "drawer")} <= found


def usd_collisions(stage: Usd.Stage) -> set[tuple[str, ...]]:
    """Pairs of links that UsdPhysics lets collide."""
    links = [prim for prim in stage.Traverse() if prim.HasAPI(UsdPhysics.RigidBodyAPI)]
    apart: set[frozenset[Sdf.Path]] = set()
    for prim in stage.Traverse():
        joint, filtered = UsdPhysics.Joint(prim), UsdPhysics.FilteredPairsAPI(prim)
        if joint and not joint.GetCollisionEnabledAttr().Get():
            apart.add(frozenset([*joint.GetBody0Rel().GetTargets(), *joint.GetBody1Rel().GetTargets()]))
        if prim.HasAPI(UsdPhysics.FilteredPairsAPI):
            apart |= {frozenset([prim.GetPath(), path]) for path in filtered.GetFilteredPairsRel().GetTargets()}
    pairs = combinations([link.GetPath() for link in links], 2)
    return {tuple(sorted(path.name for path in pair)) for pair in pairs if frozenset(pair) not in apart}


def mujoco_collisions(asset: Asset) -> set[tuple[str, ...]]:
    """Pairs of links, all of which overlap, that touch in MuJoCo."""
    model = mujoco.MjModel.from_xml_string(write_mjcf(asset, visuals=False).decode(), collision_files(asset))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    bodies = [[model.geom_bodyid[geom] for geom in contact.geom] for contact in data.contact]
    return {tuple(sorted(model.body(body).name for body in pair)) for pair in bodies}
