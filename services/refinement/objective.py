"""The number that refinement minimises, for a batch of hypotheses about one object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from articulation.typing import Array
from services.refinement.camera import zoom
from services.refinement.contact import Contact
from services.refinement.kinematics import Follower, Screws, link_poses, tied, transform
from services.refinement.losses import Weights, order_loss, picture_loss
from services.refinement.prior import energy
from services.refinement.proxies import Proxies
from services.refinement.rasteriser import TorchRenderer
from services.refinement.renderer import Hits, Renderer
from services.refinement.shading import ClosedView, Depths, ProjectedColour
from services.refinement.targets import Target, Window

VIEW_SIZE = 256


@dataclass(frozen=True)
class Objective:
    """Pictures of one object, closed and opened, and the ways to explain them.

    Attributes:
        proxies: the parts.
        parents: parent of every link, -1 for the root.
        active: (K, L) bool, joints that each open picture can show; the others are closed in it.
        closed: the object at q = 0.
        opened: K pictures of the object at the coordinates that are sought, which each has of its own.
        window: the part of the view that all show.
        followers: joints without an opening of their own; a coordinate that is given for one is ignored.
        renderer: who draws.
        weights: terms of the picture distance.
        prior_weight: of the joint energies.
    """

    proxies: Proxies
    parents: tuple[int, ...]
    active: Tensor
    closed: Target
    opened: tuple[Target, ...]
    window: Window
    followers: tuple[Follower, ...] = ()
    renderer: Renderer = field(default_factory=TorchRenderer)
    weights: Weights = field(default_factory=Weights)
    prior_weight: float = 0.01

    @cached_property
    def contact(self) -> Contact:
        """What each part may run into."""
        return Contact.of(self.proxies, self.parents)

    @cached_property
    def bounds(self) -> Array:
        """(L, 2, 3) lowest and highest corner of every part."""
        return self.proxies.bounds.cpu().numpy().astype(np.float64)

    def points(self, link: int) -> Array:
        """(N, 3) vertices of a part."""
        mine = self.proxies.vertices[self.proxies.vertex_link == link]
        return np.asarray(mine.double().cpu().numpy())

    @cached_property
    def moving(self) -> tuple[int, ...]:
        """The parts whose joints an open picture can show."""
        return tuple(int(i) for i in self.active.any(0).nonzero()[:, 0])

    def openers(self, links: Iterable[int]) -> tuple[int, ...]:
        """The links whose coordinates open some links: themselves, unless they follow others."""
        leaders = {one.link: one.leader for one in self.followers}
        return tuple(sorted({leaders.get(link, link) for link in links}))

    def view(self, camera: Tensor) -> ClosedView:
        """(6,) camera -> what the closed image shows from there."""
        return ClosedView.of(self.proxies, self._zoomed(camera), self.closed, VIEW_SIZE)

    def closed_loss(self, cameras: Tensor, size: int) -> Tensor:
        """(B, 6) cameras -> (B,) distance of the closed silhouette, differentiable."""
        vertices = self.proxies.vertices.expand(len(cameras), -1, -1)
        picture = self.renderer.render(self.proxies, vertices, self._zoomed(cameras), size, coverage)
        silhouette = Weights(silhouette=self.weights.silhouette, colour=0.0, edges=0.0)
        return picture_loss(picture, self.closed.at(size), silhouette)

    def open_losses(self, view: ClosedView, screws: Screws, q: Tensor, size: int) -> Tensor:
        """Distance of each open picture and its share of the joint energies.

        Pictures are independent evidence, so what counts is the sum.

        Args:
            view: the closed image.
            screws: (B, L) joints.
            q: (B, K, L) coordinates in each picture, [rad] or model units.
            size: picture side S [px].

        Returns:
            (B, K), differentiable.
        """
        share, moves = self.prior_weight / len(self.opened), self.active.any(0)
        losses = []
        for target, coordinates in zip(self.opened, tied(q, self.followers).unbind(1), strict=True):
            prior = energy(screws, coordinates, self.proxies.bounds, self.contact, moves)
            poses = link_poses(screws, self.parents, coordinates)
            losses.append(self._distance(view, target, poses, size) + share * prior)
        return torch.stack(losses, 1)

    def _distance(self, view: ClosedView, target: Target, poses: Tensor, size: int) -> Tensor:
        """(B, L, 3, 4) poses -> (B,) distance of one open picture."""
        vertices = transform(poses, self.proxies.vertex_link, self.proxies.vertices)
        cameras, wanted = view.camera.expand(len(poses), 6), target.at(size)
        shader = ProjectedColour(view, wanted, tuple(target.masks), self.proxies, len(poses))
        picture = self.renderer.render(self.proxies, vertices, cameras, size, shader)
        loss = picture_loss(picture, wanted, self.weights)
        for pair in target.order:
            nearer, farther = (
                self.renderer.render(part, vertices, cameras, size, Depths(view.camera, part, poses))
                for part in map(self.proxies.only, pair)
            )
            loss = loss + self.weights.order * order_loss(nearer, farther, wanted)
        return loss

    def _zoomed(self, camera: Tensor) -> Tensor:
        return zoom(camera, self.window.center, self.window.half)


def coverage(hits: Hits) -> Tensor:
    """A `Shader` of black objects: colour 0, coverage 1."""
    value = torch.zeros(len(hits.pixel), 4, device=hits.point.device, dtype=hits.point.dtype)
    value[:, 3] = 1
    return value
