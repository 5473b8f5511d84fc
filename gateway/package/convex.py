"""Convex pieces of a solid.

Furniture is made of plates along three axes, so that a few cuts along its own flat faces leave convex pieces: fast and
exact. What such cuts cannot solve goes to CoACD, in a process that is stopped when its time is over.
"""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
from manifold3d import Manifold

from articulation.asset import Mesh
from articulation.typing import Array
from gateway.package.solids import extent, hull_of, mesh_of, split, vertices_of

CONVEX = 0.1
"""A solid whose hull is larger by less than this fraction of the hull's volume counts as convex."""
MAX_PIECES = 24
"""Pieces of one link."""
CANDIDATES = 8
"""Cuts tried along each axis, at the largest flat faces."""
LEAST_GAIN = 0.998
"""A cut must leave less than this fraction of the gap, the bonus for convex parts counted."""
FLAT = 0.98
"""Cosine between a face's normal and an axis above which the face is a plane of that axis."""


def convex_pieces(solids: list[Manifold], thinnest: float, seconds: float) -> list[Manifold]:
    """Convex hulls that together cover the solids closely.

    Args:
        solids: what to cover; each is also cut where it is not connected.
        thinnest: pieces thinner than this [m] are dropped.
        seconds: most that CoACD may take over all of them.
    """
    queue = [part for solid in solids for part in solid.decompose()]
    done: list[Manifold] = []
    stubborn: list[Manifold] = []
    while queue:
        queue.sort(key=_gap)
        worst = queue.pop()
        if _is_convex(worst) or len(queue) + len(done) + len(stubborn) >= MAX_PIECES:
            done.append(hull_of(vertices_of(worst)))
            continue
        parts = _best_cut(worst)
        if parts:
            queue += parts
        else:
            stubborn.append(worst)
    done += [hull for hull in _coacd(stubborn, MAX_PIECES - len(done), seconds)]
    return [hull for hull in done if not hull.is_empty() and extent(hull).min() >= thinnest]


def _gap(solid: Manifold) -> float:
    """Volume between a solid and its hull."""
    return float(hull_of(vertices_of(solid)).volume() - solid.volume())


def _is_convex(solid: Manifold) -> bool:
    hull = hull_of(vertices_of(solid)).volume()
    return bool(hull - solid.volume() <= CONVEX * hull)


def _best_cut(solid: Manifold) -> list[Manifold]:
    """The parts after the cut that leaves the least gap and takes off the largest convex part; none if no cut helps."""
    best: list[Manifold] = []
    least = _gap(solid) * LEAST_GAIN
    for normal, offset in _planes(mesh_of(solid)):
        above, below = split(solid, normal, offset)
        if above.is_empty() or below.is_empty():
            continue
        parts = [part for side in (above, below) for part in side.decompose()]
        gain = sum(part.volume() for part in parts if _is_convex(part))
        cost = sum(_gap(part) for part in parts) - 0.5 * gain
        if cost < least:
            best, least = parts, cost
    return best


def _planes(mesh: Mesh) -> list[tuple[Array, float]]:
    """Normal and offset of the planes, across the coordinate axes, that hold the largest flat areas."""
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=1)
    planes = []
    for axis in range(3):
        flat = np.abs(normals[:, axis]) > FLAT * areas
        low, high = mesh.vertices[:, axis].min(), mesh.vertices[:, axis].max()
        weights, edges = np.histogram(corners[flat, :, axis].mean(1), 64, (low, high), weights=areas[flat])
        for place in np.argsort(weights)[::-1][:CANDIDATES]:
            offset = corners[flat, :, axis].mean(1)
            mine = (offset >= edges[place]) & (offset <= edges[place + 1])
            if weights[place] > 0:
                planes.append((np.eye(3)[axis], float(np.average(offset[mine], weights=areas[flat][mine]))))
    return planes


def _coacd(solids: list[Manifold], pieces: int, seconds: float) -> list[Manifold]:
    """CoACD's hulls of the solids, or the solids' own hulls when it fails or its time is over."""
    if not solids:
        return []
    whole = [hull_of(vertices_of(solid)) for solid in solids]
    stream = io.BytesIO()
    meshes = [mesh_of(solid) for solid in solids]
    arrays = {f"vertices_{i}": mesh.vertices for i, mesh in enumerate(meshes)}
    np.savez(stream, pieces=max(pieces // len(solids), 2), **arrays, **{f"faces_{i}": m.faces for i, m in enumerate(meshes)})
    command = [sys.executable, "-m", "gateway.package.coacd_process"]
    try:
        answer = subprocess.run(command, input=stream.getvalue(), capture_output=True, timeout=seconds, check=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return whole
    with np.load(io.BytesIO(answer.stdout)) as hulls:
        return [hull_of(hulls[name]) for name in hulls.files] or whole
