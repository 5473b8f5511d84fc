"""Contact as evidence: a joint that drives its part into the rest of the object is less likely.

A drawer cannot turn in its slot, and a door cannot swing into the body. What a part touches or overlaps at the closed
state says nothing: generated meshes overlap, and a closed drawer fills its slot. So a point counts only where it meets
more matter than at the closed state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from services.refinement.kinematics import Screws, motions
from services.refinement.proxies import Proxies
from services.refinement.rasteriser import places

CELLS = 64
"""Side of the grid that tells where matter is."""

POINTS = 128
"""On the surface of each part."""

FRACTIONS = (0.5, 1.0)
"""Of an opening, at which contact is looked for."""

OFFSET = 0.4142
"""Where in a cell's face a ray passes: not through corners and edges of boxes."""


@dataclass(frozen=True)
class Contact:
    """What each part may run into.

    Attributes:
        points: (L, P, 3) on the surface of each part, closed state.
        matter: (L, 1, G, G, G) share of matter around each cell's centre, of all that the part does not carry; x last.
        resting: (L, P) matter at each point at the closed state.
        low: (3,) corner of the grid. side: (3,) its extent.
    """

    points: Tensor
    matter: Tensor
    resting: Tensor
    low: Tensor
    side: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, proxies: Proxies, parents: Sequence[int]) -> Contact:
        """Look at the closed state once."""
        low, high = proxies.bounds[:, 0].amin(0), proxies.bounds[:, 1].amax(0)
        side = (high - low).clamp(min=1e-3)
        solid = torch.stack([solid_cells(proxies, link, low, side) for link in range(proxies.links)])
        rest = [
            torch.stack(
                [solid[other] for other in range(proxies.links) if not carries(link, other, parents)] or [empty]
            )
            for link, empty in enumerate(torch.zeros_like(solid))
        ]
        matter = torch.stack([cells.amax(0) for cells in rest])[:, None]
        points = torch.stack([surface_points(proxies, link) for link in range(proxies.links)])
        still = cls(points, matter, points.new_zeros(points.shape[:2]), low, side)
        return cls(points, matter, still._at(points[None])[0], low, side)

    def overlap(self, screws: Screws, q: Tensor) -> Tensor:
        """Share of each part's surface that is driven into the rest on the way to an opening, the others closed.

        Args:
            screws: (B, L) joints.
            q: (B, L) openings, [rad] or model units.

        Returns:
            (B, L) in [0, 1], the most over the way; differentiable.
        """
        found = []
        for fraction in FRACTIONS:
            poses = motions(screws, q * fraction)
            moved = self.points @ poses[..., :3].transpose(-1, -2) + poses[..., None, :, 3]
            deeper = (self._at(moved) - self.resting).clamp(min=0)
            # The grid does not tell what is nearer than a cell: a button that is pressed touches nothing.
            away = (moved - self.points).norm(dim=-1) > self.side.amax() / CELLS
            found.append((deeper * away).mean(-1))
        return torch.stack(found).amax(0)

    def _at(self, points: Tensor) -> Tensor:
        """(B, L, P, 3) points -> (B, L, P) matter there, none outside of the grid."""
        grid = ((points - self.low) / self.side * 2 - 1).permute(1, 0, 2, 3)
        found = F.grid_sample(self.matter, grid[:, None], align_corners=False)
        return found[:, 0, 0].permute(1, 0, 2)


def carries(link: int, other: int, parents: Sequence[int]) -> bool:
    """Whether a link moves with another one: it is that, or hangs on it."""
    while other >= 0 and other != link:
        other = parents[other]
    return other == link


def solid_cells(proxies: Proxies, link: int, low: Tensor, side: Tensor) -> Tensor:
    """(G, G, G) 1 where two of three rays, along x, y and z, find a cell's centre inside of a link, else 0; x last."""
    faces = proxies.faces[proxies.face_link == link]
    corners = (proxies.vertices[faces] - low) / side * CELLS
    votes = sum(inside_along(corners, along) for along in range(3))
    return (torch.as_tensor(votes) >= 2).to(corners.dtype)


def inside_along(corners: Tensor, along: int) -> Tensor:
    """(F, 3, 3) corners in cells -> (G, G, G) int64 1 where a ray to the cell passes an odd number of faces; x last."""
    one, two = (axis for axis in range(3) if axis != along)
    flat = corners[..., [one, two]]
    first = (flat.amin(1) - OFFSET).ceil().clamp(min=0).long()
    last = (flat.amax(1) - OFFSET).floor().clamp(max=CELLS - 1).long()
    extent = (last - first + 1).clamp(min=0)
    face, within = places(extent.prod(1))
    ray = torch.stack([first[face, 0] + within // extent[face, 1], first[face, 1] + within % extent[face, 1]], 1)
    a, b, c = (flat[face] - (ray[:, None] + OFFSET)).unbind(1)
    weights = torch.stack([_cross(b, c), _cross(c, a), _cross(a, b)], 1)
    total = weights.sum(1)
    hit = ((weights > 0).all(1) | (weights < 0).all(1)) & (total != 0)
    depth = ((weights * corners[face][..., along]).sum(1) / total)[hit]
    # The first cell whose centre lies beyond the face.
    beyond = (depth - 0.5).ceil().clamp(0, CELLS).long()
    place = (ray[hit, 0] * CELLS + ray[hit, 1]) * (CELLS + 1) + beyond
    passed = torch.zeros(CELLS * CELLS * (CELLS + 1), dtype=torch.int64, device=face.device)
    passed = passed.index_add(0, place, torch.ones_like(place)).view(CELLS, CELLS, CELLS + 1)
    inside = passed[..., :CELLS].cumsum(-1) % 2
    order = {one: 0, two: 1, along: 2}
    return inside.permute(order[2], order[1], order[0])


def _cross(one: Tensor, other: Tensor) -> Tensor:
    return one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]


def surface_points(proxies: Proxies, link: int) -> Tensor:
    """(POINTS, 3) evenly spread over the surface of a link; the same ones each time."""
    corners = proxies.vertices[proxies.faces[proxies.face_link == link]]
    edges = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = torch.linalg.cross(*edges).norm(dim=-1).double().cumsum(0)
    count = torch.arange(POINTS, device=area.device)
    face = torch.searchsorted(area, (count + 0.5) / POINTS * area[-1]).clamp(max=len(corners) - 1)
    # A sequence of low discrepancy over the unit square, folded into the triangle.
    turn = np.sqrt(0.5), 0.7548776662466927
    u, v = (((count + 1) * step % 1).to(corners.dtype) for step in turn)
    outside = u + v > 1
    u, v = torch.where(outside, 1 - u, u), torch.where(outside, 1 - v, v)
    return corners[face, 0] + u[:, None] * edges[0][face] + v[:, None] * edges[1][face]
