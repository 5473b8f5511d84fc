"""The pinhole camera that renders, training data, guide prompts, texture and refinement share.

Model space: y up, +z out of the object's front. The camera looks at the origin with y up, then the picture is shifted.
Normalised image coordinates: u right, v down, both in [-1, 1] over a square image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from articulation.errors import InvalidArticulation
from articulation.typing import Array


@dataclass(frozen=True)
class Camera:
    """A square pinhole view of the origin.

    Attributes:
        azimuth: [rad] 0 in front of the object (on +z), positive moves the camera towards +x.
        elevation: [rad] positive looks down from above; within (-pi/2, pi/2).
        distance: from the origin, in model units.
        fov: full vertical angle of view, [rad].
        shift: (2,) picture offset (u, v) in normalised image coordinates.
    """

    azimuth: float
    elevation: float
    distance: float
    fov: float
    shift: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        values = (self.azimuth, self.elevation, self.distance, self.fov, *self.shift)
        if not np.isfinite(values).all():
            raise InvalidArticulation("camera", f"must be finite, got {values}")
        if abs(self.elevation) >= np.pi / 2:
            raise InvalidArticulation("camera.elevation", f"must lie in (-pi/2, pi/2), got {self.elevation}")
        if self.distance <= 0:
            raise InvalidArticulation("camera.distance", f"must be positive, got {self.distance}")
        if not 0 < self.fov < np.pi:
            raise InvalidArticulation("camera.fov", f"must lie in (0, pi), got {self.fov}")

    @property
    def focal(self) -> float:
        """Focal length in half image heights."""
        return float(1.0 / np.tan(self.fov / 2))

    @property
    def position(self) -> Array:
        """(3,) centre of projection in model space."""
        position: Array = self.distance * self.rotation[2]
        return position

    @property
    def rotation(self) -> Array:
        """(3, 3) rows: the camera's right, up and backward directions in model space."""
        sa, ca = np.sin(self.azimuth), np.cos(self.azimuth)
        se, ce = np.sin(self.elevation), np.cos(self.elevation)
        return np.array([[ca, 0.0, -sa], [-sa * se, ce, -ca * se], [sa * ce, se, ca * ce]])

    def project(self, points: Array) -> tuple[Array, Array]:
        """Project model-space points.

        Args:
            points: (..., 3).

        Returns:
            (..., 2) normalised image coordinates (u right, v down), and (...) depth along the view direction.
        """
        local = (np.asarray(points) - self.position) @ self.rotation.T
        depth = -local[..., 2]
        image = self.focal * local[..., :2] / depth[..., None]
        return image * (1.0, -1.0) + self.shift, depth

    def rays(self, size: int) -> tuple[Array, Array]:
        """Rays through pixel centres.

        Returns:
            origin (3,) and unit directions (size, size, 3), row 0 on top.
        """
        ticks = (np.arange(size) + 0.5) / size * 2 - 1
        u, v = np.meshgrid(ticks - self.shift[0], ticks - self.shift[1])
        local = np.stack([u / self.focal, -v / self.focal, -np.ones_like(u)], -1)
        local /= np.linalg.norm(local, axis=-1, keepdims=True)
        return self.position, local @ self.rotation

    def to_array(self) -> Array:
        """(6,) azimuth, elevation, distance, fov, shift u, shift v: the layout of every camera tensor."""
        return np.array([self.azimuth, self.elevation, self.distance, self.fov, *self.shift])

    @classmethod
    def from_array(cls, values: Array) -> Camera:
        azimuth, elevation, distance, fov, u, v = (float(x) for x in values)
        return cls(azimuth, elevation, distance, fov, (u, v))
