"""Objects made by hand, in model space: a box cabinet with a door and a drawer."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import trimesh

from articulation.asset import TexturedMesh
from articulation.camera import Camera
from articulation.joint import Joint, JointType
from articulation.plan import Box, Plan, PlannedPart

CAMERA = Camera(0.4, 0.3, 5.0, 0.6)


def textured(mesh: trimesh.Trimesh, color: tuple[int, int, int] = (160, 110, 60)) -> TexturedMesh:
    vertices = np.asarray(mesh.vertices)
    low, span = vertices.min(0), np.maximum(np.ptp(vertices, axis=0), 1e-9)
    texture = np.full((8, 8, 3), color, dtype=np.uint8)
    return TexturedMesh(vertices, np.asarray(mesh.faces), ((vertices - low) / span)[:, :2], texture)


def box(low: Sequence[float], high: Sequence[float]) -> trimesh.Trimesh:
    return trimesh.creation.box(bounds=[low, high])


def hollow(low: Sequence[float], high: Sequence[float], wall: float, open_axis: int) -> trimesh.Trimesh:
    """A box with walls, open at the high end of one axis."""
    inner_low, inner_high = np.array(low) + wall, np.array(high) - wall
    inner_high[open_axis] = high[open_axis] + wall
    return trimesh.boolean.difference([box(low, high), box(inner_low, inner_high)], engine="manifold")


def part(name: str, mesh: trimesh.Trimesh, parent: int = -1, joint: Joint | None = None) -> PlannedPart:
    low, high = mesh.bounds
    own = Box((low + high) / 2, np.maximum((high - low) / 2, 1e-3))
    return PlannedPart(name, name, parent, own, joint or Joint(JointType.FIXED), "wood")


def cabinet(solid_body: bool = False) -> tuple[Plan, list[TexturedMesh]]:
    """1 m high: an overlay door below, hinged on its left; an inset drawer above, which a solid body leaves no room."""
    low, high = [-0.6, -1.0, -0.5], [0.6, 1.0, 0.46]
    body = box(low, high) if solid_body else hollow(low, high, 0.05, 2)
    door = box([-0.6, -1.0, 0.46], [0.6, 0.4, 0.5])
    drawer = hollow([-0.54, 0.45, -0.4], [0.54, 0.9, 0.5], 0.03, 1)
    hinge = Joint(JointType.REVOLUTE, np.array([0.0, -1.0, 0.0]), np.array([-0.6, 0.0, 0.5]), 0.0, 2.0)
    rail = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, 1.0]), np.zeros(3), 0.0, 0.6)
    parts = (part("body", body), part("door", door, 0, hinge), part("drawer", drawer, 0, rail))
    return Plan("storage_furniture", 1.0, parts, CAMERA), [textured(mesh) for mesh in (body, door, drawer)]


def cupboard() -> tuple[Plan, list[TexturedMesh]]:
    """A drawer behind a door that is hinged on the left."""
    body = hollow([-0.6, -0.5, -0.5], [0.6, 0.5, 0.46], 0.05, 2)
    door = box([-0.6, -0.5, 0.46], [0.6, 0.5, 0.5])
    drawer = box([-0.4, -0.3, -0.3], [0.4, 0.3, 0.44])
    hinge = Joint(JointType.REVOLUTE, np.array([0.0, -1.0, 0.0]), np.array([-0.6, 0.0, 0.5]), 0.0, 2.5)
    rail = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, 1.0]), np.zeros(3), 0.0, 0.5)
    parts = (part("body", body), part("door", door, 0, hinge), part("drawer", drawer, 0, rail))
    return Plan("storage_furniture", 1.0, parts, CAMERA), [textured(mesh) for mesh in (body, door, drawer)]


def copy_with(folder: Path, target: Path, name: str, old: str, new: str) -> Path:
    """A copy of an asset folder in `target`, one of its documents changed."""
    for path in folder.rglob("*.*"):
        copied = target / path.relative_to(folder)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(path.read_bytes())
    text = (folder / name).read_text()
    assert old in text
    (target / name).write_text(text.replace(old, new))
    return target
