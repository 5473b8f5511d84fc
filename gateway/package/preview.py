"""Pictures of an asset: the preview is the input image, the asset closed, the asset open. No screen is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pybullet
from PIL import Image

from articulation.frames import MODEL_TO_URDF
from articulation.kinematics import coupled
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
    opened = open_coordinates(read_urdf(urdf.read_bytes()).articulation)
    shown = np.asarray(Image.fromarray(picture).convert("RGB").resize((SIZE, SIZE)))
    return np.concatenate([shown, *render_states(urdf, [0 * opened, opened], SIZE)], axis=1)


def render_states(urdf: Path, states: Sequence[Array], size: int) -> list[ImageArray]:
    """(size, size, 3) the asset at each of some coordinates (L,), from one camera that sees it closed and open."""
    document = read_urdf(urdf.read_bytes())
    client = pybullet.connect(pybullet.DIRECT)
    try:
        robot = pybullet.loadURDF(str(urdf), useFixedBase=True, physicsClientId=client)
        ball = _surroundings(document, robot, client, open_coordinates(document.articulation))
        return [_render(document, robot, client, state, ball, size) for state in states]
    finally:
        pybullet.disconnect(client)


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
    together = coupled(document.articulation, coordinates)
    values = {f"{link.name}_joint": q for link, q in zip(document.articulation, together, strict=True)}
    for joint in range(pybullet.getNumJoints(robot, physicsClientId=client)):
        name = pybullet.getJointInfo(robot, joint, physicsClientId=client)[1].decode()
        pybullet.resetJointState(robot, joint, float(values[name]), physicsClientId=client)


def _render(
    document: Urdf, robot: int, client: int, coordinates: Array, ball: tuple[Array, float], size: int
) -> ImageArray:
    """(size, size, 3) by PyBullet's software renderer; `ball` is the centre and radius of what must be seen."""
    center, radius = ball
    _pose(document, robot, client, coordinates)
    distance = radius / np.sin(np.radians(FIELD_OF_VIEW / 2))
    eye = center + distance * MODEL_TO_URDF @ VIEW / np.linalg.norm(VIEW)
    view = pybullet.computeViewMatrix(eye.tolist(), center.tolist(), [0, 0, 1])
    projection = pybullet.computeProjectionMatrixFOV(FIELD_OF_VIEW, 1.0, distance / 20, distance * 3)
    _, _, rgba, _, segments = pybullet.getCameraImage(
        size,
        size,
        view,
        projection,
        lightDirection=(center + (MODEL_TO_URDF @ (0.6, 1.2, 1.0)) * distance).tolist(),
        shadow=0,
        renderer=pybullet.ER_TINY_RENDERER,
        physicsClientId=client,
    )
    image = np.array(rgba, dtype=np.uint8).reshape(size, size, 4)[..., :3]
    image[np.array(segments).reshape(size, size) < 0] = 255
    return image
