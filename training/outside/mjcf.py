"""An object of an MJCF model as our articulation, with meshes.

Bodies belong to the part of the nearest joint above them that has a label; what no such joint moves is the root. Visual
geometry of any kind becomes triangles. Joints are those of the model at its initial coordinates, which are the closed
state, with their axes turned so that the longer way is positive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np
import trimesh

from articulation.asset import Mesh
from articulation.joint import Joint, JointType
from articulation.plan import Box, PlannedPart
from articulation.tree import Articulation, Link
from articulation.typing import Array

TO_MODEL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""The MJCF's frame, x right, y away from the viewer, z up, to model space."""
VISIBLE_GROUPS = 3
"""Geometries of lower groups are drawn; the others are for collisions."""
SCENERY = (mujoco.mjtGeom.mjGEOM_PLANE, mujoco.mjtGeom.mjGEOM_HFIELD)
"""Has no inside and belongs to no object."""
SEGMENTS = 32
"""Of a circle."""


class UnsupportedModel(ValueError):
    """The model has what our articulation cannot say."""


@dataclass(frozen=True, eq=False)
class Imported:
    """One object.

    Attributes:
        size: longest side [m].
        center: (3,) of its box in the MJCF's frame [m].
        parts: root first, then one for each labelled joint, in model space.
        meshes: one a part, in model space at the closed state.
        joints: MuJoCo's number of each part's joint; -1 for the root.
    """

    size: float
    center: Array
    parts: tuple[PlannedPart, ...]
    meshes: tuple[Mesh, ...]
    joints: tuple[int, ...]

    def articulation(self) -> Articulation:
        """The kinematic tree, in model space."""
        return Articulation(tuple(Link(p.name, p.parent, p.joint, p.label, p.material) for p in self.parts))

    def qpos(self, model: mujoco.MjModel, coordinates: Array) -> Array:
        """MuJoCo's coordinates from one coordinate a part (L,), in model space; joints without label stay closed."""
        qpos: Array = model.qpos0.copy()
        for part, joint, value in zip(self.parts, self.joints, coordinates, strict=True):
            if joint >= 0:
                unit = self.size / 2 if part.joint.type is JointType.PRISMATIC else 1.0
                qpos[model.jnt_qposadr[joint]] += _sign(model, joint) * unit * value
        return qpos


def read(model: mujoco.MjModel, labels: Mapping[str, str], material: str) -> Imported:
    """Import an object.

    Args:
        model: compiled; everything in it belongs to the object, but planes and height fields.
        labels: joint name to label of what it moves; other joints are left out.
        material: of all parts, a name in `articulation.materials`.

    Raises:
        UnsupportedModel: a labelled joint is neither hinge nor slide, or slides without end; two of them move one body;
            a part shows nothing.
        KeyError: the model has no joint of that name.
    """
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    joints = [model.joint(name) for name in labels]
    owners = {int(joint.bodyid[0]): number for number, joint in enumerate(joints, 1)}
    if len(owners) < len(joints):
        raise UnsupportedModel("two labelled joints move one body")
    shapes: list[list[Mesh]] = [[] for _ in range(len(joints) + 1)]
    for geom in np.flatnonzero((model.geom_group < VISIBLE_GROUPS) & (model.geom_rgba[:, 3] > 0)):
        if mujoco.mjtGeom(int(model.geom_type[geom])) not in SCENERY:
            shapes[_owner(model, int(model.geom_bodyid[geom]), owners)].append(_geom_mesh(model, data, int(geom)))
    if not all(shapes):
        raise UnsupportedModel("a part has no geometry that is drawn")
    points = np.concatenate([mesh.vertices for own in shapes for mesh in own])
    low, high = points.min(0), points.max(0)
    size, center = float((high - low).max()), (low + high) / 2

    def placed(own: list[Mesh]) -> Mesh:
        vertices = np.concatenate([mesh.vertices for mesh in own])
        starts = np.cumsum([0, *(len(mesh.vertices) for mesh in own[:-1])])
        faces = np.concatenate([mesh.faces + start for mesh, start in zip(own, starts, strict=True)])
        return Mesh((vertices - center) @ TO_MODEL.T * 2 / size, faces)

    meshes = tuple(map(placed, shapes))
    parts = [PlannedPart("body", "body", -1, _box(meshes[0]), Joint(JointType.FIXED), material=material)]
    for number, joint in enumerate(joints, 1):
        label = labels[joint.name]
        parent = _owner(model, int(model.body_parentid[joint.bodyid[0]]), owners)
        motion = _motion(model, data, joint.id, size, center)
        parts.append(PlannedPart(f"{label}_{number}", label, parent, _box(meshes[number]), motion, material=material))
    return Imported(size, center, tuple(parts), meshes, (-1, *(int(joint.id) for joint in joints)))


def _motion(model: mujoco.MjModel, data: mujoco.MjData, joint: int, size: float, center: Array) -> Joint:
    """A MuJoCo joint in model space."""
    slides = model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE
    if not slides and model.jnt_type[joint] != mujoco.mjtJoint.mjJNT_HINGE:
        raise UnsupportedModel(f"{model.joint(joint).name} is neither a hinge nor a slide")
    axis = _sign(model, joint) * (TO_MODEL @ data.xaxis[joint])
    origin = TO_MODEL @ (data.xanchor[joint] - center) * 2 / size
    if not model.jnt_limited[joint]:
        if slides:
            raise UnsupportedModel(f"{model.joint(joint).name} slides without end")
        return Joint(JointType.CONTINUOUS, axis, origin)
    back, forth = np.sort(np.abs(_reach(model, joint))) * (2 / size if slides else 1.0)
    return Joint(JointType.PRISMATIC if slides else JointType.REVOLUTE, axis, origin, 0.0 - float(back), float(forth))


def _reach(model: mujoco.MjModel, joint: int) -> Array:
    """(2,) how far a joint goes down and up from the initial coordinates [rad or m]: not positive, not negative."""
    reach = model.jnt_range[joint] - model.qpos0[model.jnt_qposadr[joint]]
    return np.array([min(reach[0], 0.0), max(reach[1], 0.0)])


def _sign(model: mujoco.MjModel, joint: int) -> float:
    """Of the coordinates on the longer way."""
    down, up = _reach(model, joint)
    return -1.0 if -down > up else 1.0


def _owner(model: mujoco.MjModel, body: int, owners: Mapping[int, int]) -> int:
    """Part of a body: its own, or that of the nearest body above it that has one."""
    while body and body not in owners:
        body = int(model.body_parentid[body])
    return owners.get(body, 0)


def _box(mesh: Mesh) -> Box:
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    return Box((low + high) / 2, (high - low) / 2)


def _geom_mesh(model: mujoco.MjModel, data: mujoco.MjData, geom: int) -> Mesh:
    """The triangles of a geometry, MJCF's frame [m].

    Raises:
        UnsupportedModel: of a kind that has none.
    """
    kind, size = mujoco.mjtGeom(int(model.geom_type[geom])), model.geom_size[geom]
    if kind == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = model.mesh(int(model.geom_dataid[geom]))
        first, count = int(mesh.vertadr[0]), int(mesh.vertnum[0])
        start, faces = int(mesh.faceadr[0]), int(mesh.facenum[0])
        vertices, triangles = model.mesh_vert[first : first + count], model.mesh_face[start : start + faces]
    else:
        shape = _primitive(kind, size)
        vertices, triangles = np.asarray(shape.vertices), np.asarray(shape.faces)
    turn = data.geom_xmat[geom].reshape(3, 3)
    return Mesh(vertices @ turn.T + data.geom_xpos[geom], triangles)


def _primitive(kind: mujoco.mjtGeom, size: Array) -> trimesh.Trimesh:
    """About the origin, along z; `size` (3,) as MuJoCo has it, half lengths and radii [m]."""
    shape: trimesh.Trimesh
    match kind:
        case mujoco.mjtGeom.mjGEOM_BOX:
            shape = trimesh.creation.box(2 * size)
        case mujoco.mjtGeom.mjGEOM_CYLINDER:
            shape = trimesh.creation.cylinder(size[0], 2 * size[1], sections=SEGMENTS)
        case mujoco.mjtGeom.mjGEOM_CAPSULE:
            shape = trimesh.creation.capsule(2 * size[1], size[0], count=(SEGMENTS, SEGMENTS))
            shape.apply_translation(-shape.bounds.mean(0))
        case mujoco.mjtGeom.mjGEOM_SPHERE:
            shape = trimesh.creation.icosphere(3, size[0])
        case mujoco.mjtGeom.mjGEOM_ELLIPSOID:
            ball = trimesh.creation.icosphere(3)
            shape = trimesh.Trimesh(ball.vertices * size, ball.faces)
        case _:
            raise UnsupportedModel(f"geometry of kind {kind.name} has no triangles")
    return shape
