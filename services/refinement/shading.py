"""Colour of the posed object out of the closed image: RGB evidence where outlines give none.

A surface point that the closed image shows keeps its colour when its part moves, up to one brightness factor for each
side of a part, since light falls differently on a turned part. What the closed image does not show (interiors, drawer
sides) takes one colour for each side of a part, the mean of the target there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from services.refinement.camera import project
from services.refinement.proxies import Proxies
from services.refinement.rasteriser import to_pixels, visible_faces
from services.refinement.renderer import Hits
from services.refinement.targets import Target

DEPTH_TOLERANCE = 0.04
"""A point this far behind the nearest surface still counts as seen [model units]."""

GAIN_RANGE = (0.6, 1.5)
SIDES = 6


@dataclass(frozen=True)
class ClosedView:
    """What the closed image shows of each surface point.

    Attributes:
        camera: (6,) of the closed image.
        rgb: (1, 3, S, S) the image.
        depth: (1, 1, S, S) of the nearest surface, 0 where there is none.
    """

    camera: Tensor
    rgb: Tensor
    depth: Tensor

    @classmethod
    def of(cls, proxies: Proxies, camera: Tensor, closed: Target, size: int) -> ClosedView:
        """Render the depth of the closed state once; `camera` is (6,)."""
        camera = camera.detach()
        screen, depth = to_pixels(camera[None], proxies.vertices[None], size)
        _, nearest = visible_faces(screen, depth, proxies.faces, size)
        nearest = torch.where(nearest.isfinite(), nearest, torch.zeros_like(nearest))
        return cls(camera, closed.at(size)[None, ..., :3].permute(0, 3, 1, 2), nearest[:, None])

    def look_up(self, point: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3) closed-state points -> (N, 3) colour, differentiable, and (N,) bool whether the image shows them."""
        image, depth = project(self.camera[None], point[None])
        grid = image[:, None]
        colour = F.grid_sample(self.rgb, grid, align_corners=False, padding_mode="border")[0, :, 0].T
        nearest = F.grid_sample(self.depth, grid.detach(), mode="nearest", align_corners=False)[0, 0, 0]
        return colour, (depth[0] - nearest).detach().abs() < DEPTH_TOLERANCE


@dataclass(frozen=True)
class ProjectedColour:
    """A `Shader` with channels red, green, blue, coverage, and one for each part that is told apart.

    Attributes:
        view: the closed image.
        target: (S, S, 4 + M) the picture to explain; gives brightness factors and hidden colours, without gradient.
        masked: M parts that are told apart.
        proxies: the parts.
        batch: number of pictures B.
    """

    view: ClosedView
    target: Tensor
    masked: tuple[int, ...]
    proxies: Proxies
    batch: int

    def __call__(self, hits: Hits) -> Tensor:
        colour, seen = self.view.look_up(hits.point)
        wanted = self.target.flatten(0, 1)[hits.pixel % (self.target.shape[0] * self.target.shape[1])]
        link = self.proxies.face_link[hits.face]
        side = link * SIDES + self.proxies.face_side[hits.face]
        group = hits.batch * (self.proxies.links * SIDES) + side
        shown = colour.detach()
        weight = wanted[:, 3] * seen
        overlap = self._sum(group, weight * (shown * wanted[:, :3]).sum(-1))
        energy = self._sum(group, weight * shown.square().sum(-1))
        gain = ((overlap + 1) / (energy + 1)).clamp(*GAIN_RANGE)
        unseen = wanted[:, 3] * ~seen
        hidden = self._sum(group, unseen[:, None] * wanted[:, :3]) / self._sum(group, unseen)[:, None].clamp(min=1)
        rgb = torch.where(seen[:, None], colour * gain[group, None], hidden[group])
        parts = [link == part for part in self.masked]
        return torch.cat([rgb, torch.stack([torch.ones_like(link), *parts], -1).to(rgb.dtype)], -1)

    def _sum(self, group: Tensor, values: Tensor) -> Tensor:
        return values.new_zeros(self.batch * self.proxies.links * SIDES, *values.shape[1:]).index_add(0, group, values)


@dataclass(frozen=True)
class Depths:
    """A `Shader` with channels depth [model units], differentiable, and coverage.

    Attributes:
        camera: (6,).
        proxies: the parts that are drawn.
        poses: (B, L, 3, 4) of the links.
    """

    camera: Tensor
    proxies: Proxies
    poses: Tensor

    def __call__(self, hits: Hits) -> Tensor:
        pose = self.poses[hits.batch, self.proxies.face_link[hits.face]]
        posed = (pose[..., :3] @ hits.point[..., None])[..., 0] + pose[..., 3]
        _, depth = project(self.camera[None], posed[None])
        return torch.stack([depth[0], torch.ones_like(depth[0])], -1)
