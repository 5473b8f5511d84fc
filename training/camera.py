"""Random views that frame an object, in bands of angle that belong either to training or to the test split."""

from __future__ import annotations

import numpy as np

from articulation.camera import Camera
from articulation.typing import AnyArray, Array, IntArray
from training.draw import Split

AZIMUTH = (np.radians(-50.0), np.radians(50.0))
ELEVATION = (np.radians(-5.0), np.radians(35.0))
FOV = (np.radians(25.0), np.radians(50.0))
FILL = (0.55, 0.85)
"""Larger side of the closed object's picture, as a fraction of the frame."""
BANDS = 20
"""Each angle's range is cut into this many bands; every fourth one belongs to the test split alone."""
ROUNDS = 5
"""Corrections of the distance, each of which leaves about a fifth of the error."""
_UNIT_BOX = np.ones(3)
_CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)


def sample_camera(rng: np.random.Generator, split: Split, half_extent: Array | None = None) -> Camera:
    """One view; `half_extent` (3,) of the object to frame, the unit cube when it is not known."""
    half = _UNIT_BOX if half_extent is None else half_extent
    return Camera.from_array(sample_cameras(rng, split, half[None])[0])


def sample_cameras(rng: np.random.Generator, split: Split, half_extents: Array) -> Array:
    """(B, 6) views, in `Camera.to_array` order, that frame objects with half sides (B, 3)."""
    count = len(half_extents)
    azimuth = _banded(rng, split, *AZIMUTH, count)
    elevation = _banded(rng, split, *ELEVATION, count)
    fov = rng.uniform(*FOV, count)
    fill = rng.uniform(*FILL, count)
    x, y, z = _in_view(azimuth, elevation, half_extents)
    image, focal, ahead = np.stack([x, -y]), 1 / np.tan(fov / 2), z.max(0)
    pivot, nearest = 0.6 * ahead, 1.2 * ahead
    distance: Array = np.full(count, 6.0)
    for _ in range(ROUNDS):
        low, high = _frame(image, z, focal, distance)
        # What is at the pivot's depth shrinks exactly as the distance to it grows.
        distance = np.maximum(pivot + (distance - pivot) * (high - low).max(0) / (2 * fill), nearest)
    low, high = _frame(image, z, focal, distance)
    slack = 1 - (high - low) / 2
    shift = -(low + high) / 2 + rng.uniform(-0.4, 0.4, (2, count)) * slack
    return np.stack([azimuth, elevation, distance, fov, *shift], -1)


def band(value: Array, low: float, high: float) -> IntArray:
    """Index of the band that holds each angle."""
    index: IntArray = np.floor((value - low) / (high - low) * BANDS).clip(0, BANDS - 1).astype(np.int64)
    return index


def is_held_out(bands: IntArray) -> AnyArray:
    """Which bands training never draws from."""
    return np.equal(bands % 4, 2)


def _banded(rng: np.random.Generator, split: Split, low: float, high: float, count: int) -> Array:
    open_bands = np.flatnonzero(is_held_out(np.arange(BANDS)) == (split is Split.TEST))
    chosen = open_bands[rng.integers(0, len(open_bands), count)]
    angle: Array = low + (chosen + rng.uniform(0.001, 0.999, count)) / BANDS * (high - low)
    return angle


def _in_view(azimuth: Array, elevation: Array, half_extents: Array) -> Array:
    """(3, 8, B) box corners along the cameras' right, up and backward directions."""
    sa, ca, se, ce = np.sin(azimuth), np.cos(azimuth), np.sin(elevation), np.cos(elevation)
    x, y, z = half_extents.T[:, None] * _CORNERS.T[:, :, None]
    away = x * sa + z * ca
    return np.stack([x * ca - z * sa, y * ce - away * se, y * se + away * ce])


def _frame(image: Array, depth: Array, focal: Array, distance: Array) -> tuple[Array, Array]:
    """(2, B) lowest and highest image coordinate (u, v), before any shift, of corners (2, 8, B) at depths (8, B)."""
    seen = image * (focal / (distance - depth))
    return seen.min(1), seen.max(1)
