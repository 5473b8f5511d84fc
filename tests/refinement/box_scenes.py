"""Articulated objects of boxes, drawn by casting rays: pictures that owe nothing to the renderer under test."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import trimesh

from articulation.camera import Camera
from articulation.joint import Joint, JointType
from articulation.kinematics import link_poses
from articulation.plan import Box, Plan, PlannedPart
from articulation.typing import Array, ImageArray, IntArray

LIGHT = np.array([0.3, 0.7, 0.65])
CAMERA = Camera(azimuth=0.5, elevation=0.35, distance=4.2, fov=0.75)


@dataclass(frozen=True)
class Part:
    """A link made of boxes: lowest and highest corners, and a colour."""

    boxes: list[tuple[tuple[float, float, float], tuple[float, float, float]]]
    colour: tuple[float, float, float]
    joint: Joint = field(default_factory=lambda: Joint(JointType.FIXED))
    parent: int = 0


def plan(parts: list[Part], camera: Camera = CAMERA) -> Plan:
    """The exact plan of the parts, the first one being the root."""
    planned = []
    for index, part in enumerate(parts):
        corners = np.array(part.boxes)
        low, high = corners[:, 0].min(0), corners[:, 1].max(0)
        parent = part.parent if index else -1
        box = Box((low + high) / 2, (high - low) / 2)
        planned.append(PlannedPart(f"part_{index}", "part", parent, box, part.joint, "wood"))
    return Plan("cabinet", 0.6, tuple(planned), camera)


def meshes(parts: list[Part]) -> list[trimesh.Trimesh]:
    """One mesh a part, closed state."""
    return [trimesh.util.concatenate([trimesh.creation.box(bounds=box) for box in part.boxes]) for part in parts]


def picture(parts: list[Part], q: Array, camera: Camera = CAMERA, size: int = 192) -> ImageArray:
    """(size, size, 3) sRGB picture on white of the parts at their coordinates, one a part."""
    return cast(parts, q, camera, size)[0]


def visible_links(parts: list[Part], q: Array, camera: Camera, size: int) -> IntArray:
    """(size, size) index of the part that each pixel centre shows, -1 for none."""
    return cast(parts, q, camera, size)[1]


def cast(parts: list[Part], q: Array, camera: Camera, size: int) -> tuple[ImageArray, IntArray]:
    """Cast one ray a pixel: colours and links."""
    origin, directions = camera.rays(size)
    rays = directions.reshape(-1, 3)
    nearest, image = np.full(len(rays), np.inf), np.ones((len(rays), 3))
    links = np.full(len(rays), -1)
    light = LIGHT / np.linalg.norm(LIGHT)
    poses = link_poses(plan(parts).articulation(), q)
    for link, (part, pose) in enumerate(zip(parts, poses, strict=True)):
        rotation, shift = pose[:3, :3], pose[:3, 3]
        start, way = (origin - shift) @ rotation, rays @ rotation
        for low, high in part.boxes:
            with np.errstate(divide="ignore", invalid="ignore"):
                one, two = (np.array(low) - start) / way, (np.array(high) - start) / way
            entries, leaves = np.minimum(one, two), np.maximum(one, two).min(1)
            side, entry = entries.argmax(1), entries.max(1)
            hit = (entry < leaves) & (entry > 0) & (entry < nearest)
            normal = -np.sign(way[np.arange(len(way)), side])[:, None] * np.eye(3)[side] @ rotation.T
            shade = 0.55 + 0.45 * np.clip(normal @ light, 0, 1)
            point = start + entry[:, None] * way
            local = (point - np.array(low)) / (np.array(high) - np.array(low))
            rim = (np.sort(np.minimum(local, 1 - local), axis=1)[:, 1] < 0.04)[:, None]
            colour = np.array(part.colour) * np.where(rim, 0.75, 1.0) * shade[:, None]
            image = np.where(hit[:, None], colour, image)
            nearest, links = np.where(hit, entry, nearest), np.where(hit, link, links)
    return np.round(image.reshape(size, size, 3) * 255).astype(np.uint8), links.reshape(size, size)


def cabinet() -> list[Part]:
    """A hollow body with a door hinged on its left in the upper half and a drawer in the lower half."""
    wall = 0.06
    body = [
        ((-0.8, -1.0, -0.7), (0.8, -1.0 + wall, 0.6)),
        ((-0.8, 1.0 - wall, -0.7), (0.8, 1.0, 0.6)),
        ((-0.8, -0.1, -0.7), (0.8, -0.1 + wall, 0.6)),
        ((-0.8, -1.0, -0.7), (-0.8 + wall, 1.0, 0.6)),
        ((0.8 - wall, -1.0, -0.7), (0.8, 1.0, 0.6)),
        ((-0.8, -1.0, -0.7), (0.8, 1.0, -0.7 + wall)),
    ]
    door = Joint(JointType.REVOLUTE, np.array([0.0, -1.0, 0.0]), np.array([-0.8, 0.0, 0.67]), 0.0, 1.8)
    drawer = Joint(JointType.PRISMATIC, np.array([0.0, 0.0, 1.0]), np.zeros(3), 0.0, 0.9)
    tray = [
        ((-0.74, -0.92, 0.6), (0.74, -0.12, 0.68)),
        ((-0.7, -0.9, -0.5), (-0.66, -0.3, 0.6)),
        ((0.66, -0.9, -0.5), (0.7, -0.3, 0.6)),
        ((-0.7, -0.9, -0.5), (0.7, -0.86, 0.6)),
        ((-0.7, -0.9, -0.5), (0.7, -0.3, -0.46)),
    ]
    return [
        Part(body, (0.75, 0.6, 0.45)),
        Part([((-0.8, -0.08, 0.6), (0.8, 1.0, 0.67))], (0.35, 0.5, 0.75), door),
        Part(tray, (0.8, 0.35, 0.3), drawer),
    ]


def perturbed(exact: Plan, degrees: float, offset: float, seed: int) -> Plan:
    """The plan with every moving joint's axis turned and its origin shifted by the given amounts."""
    rng = np.random.default_rng(seed)
    parts = []
    for part in exact.parts:
        joint = part.joint
        if joint.type.moves:
            across = np.cross(joint.axis, rng.normal(size=3))
            across /= np.linalg.norm(across)
            axis = np.cos(np.radians(degrees)) * joint.axis + np.sin(np.radians(degrees)) * across
            shift = rng.normal(size=3)
            shift -= (shift @ axis) * axis
            joint = replace(joint, axis=axis, origin=joint.origin + offset * shift / np.linalg.norm(shift))
        parts.append(replace(part, joint=joint))
    return replace(exact, parts=tuple(parts))
