"""A picture of an asset: the input image, the asset closed, the asset open. PyBullet's software renderer, no screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pybullet
from PIL import Image

from articulation.frames import MODEL_TO_URDF
from articulation.typing import Array, ImageArray
from articulation.urdf import Urdf, read_urdf
from gateway.package.travel import open_coordinates

SIZE = 512
"""Side of one of the three pictures [pixel]."""
VIEW = np.array([0.55, 0.45, 1.0])
"""(3,) from the object to the camera, model space: in front, a little above and to the right."""
FIELD_OF_VIEW = 35.0
"""[degree]"""


def render_preview(urdf: Path, picture: ImageArray) -> ImageArray:
    """(SIZE, 3 * SIZE, 3) the picture, then the asset closed and open.

    Args:
        urdf: a document that `gateway.package.write` wrote, its meshes beside it.
        picture: (H, W, 3) the input image.
    """
    document = read_urdf(urdf.read_bytes())
    shown = np.asarray(Image.fromarray(picture).convert("RGB").resize((SIZE, SIZE)))
    client = pybullet.connect(pybullet.DIRECT)
    try:
        robot = pybullet.loadURDF(str(urdf), useFixedBase=True, physicsClientId=client)
        coordinates = open_coordinates(document.articulation)
        center, radius = _surroundings(document, robot, client, coordinates)
        views = [_render(document, robot, client, state, center, radius) for state in (0 * coordinates, coordinates)]
    finally:
        pybullet.disconnect(client)
    return np.concatenate([shown, *views], axis=1)


def _surroundings(document: Urdf, robot: int, client: int, coordinates: Array) -> tuple[Array, float]:
    """Centre (3,) and radius of a ball around the asset, closed and open [m]."""
    corners = []
    for state in (0 * coordinates, coordinates):
        _pose(document, robot, client, state)
        for link in range(-1, pybullet.getNumJoints(robot, physicsClientId=client)):
            corners += pybullet.getAABB(robot, link, physicsClientId=client)
    points = np.array(corners)
    low, high = points.min(0), points.max(0)
    return (low + high) / 2, float(np.linalg.norm(high - low) / 2)


def _pose(document: Urdf, robot: int, client: int, coordinates: Array) -> None:
    values = {f"{link.name}_joint": q for link, q in zip(document.articulation, coordinates, strict=True)}
    for joint in range(pybullet.getNumJoints(robot, physicsClientId=client)):
        name = pybullet.getJointInfo(robot, joint, physicsClientId=client)[1].decode()
        pybullet.resetJointState(robot, joint, float(values[name]), physicsClientId=client)


def _render(document: Urdf, robot: int, client: int, coordinates: Array, center: Array, radius: float) -> ImageArray:
    _pose(document, robot, client, coordinates)
    distance = radius / np.sin(np.radians(FIELD_OF_VIEW / 2))
    eye = center + distance * MODEL_TO_URDF @ VIEW / np.linalg.norm(VIEW)
    view = pybullet.computeViewMatrix(eye.tolist(), center.tolist(), [0, 0, 1])
    projection = pybullet.computeProjectionMatrixFOV(FIELD_OF_VIEW, 1.0, distance / 20, distance * 3)
    _, _, rgba, _, segments = pybullet.getCameraImage(
        SIZE,
        SIZE,
        view,
        projection,
        lightDirection=(center + (MODEL_TO_URDF @ (0.6, 1.2, 1.0)) * distance).tolist(),
        shadow=0,
        renderer=pybullet.ER_TINY_RENDERER,
        physicsClientId=client,
    )
    image = np.array(rgba, dtype=np.uint8).reshape(SIZE, SIZE, 4)[..., :3]
    image[np.array(segments).reshape(SIZE, SIZE) < 0] = 255
    return image
