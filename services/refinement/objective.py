"""The number that refinement minimises, for a batch of hypotheses about one object."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from articulation.typing import Array
from services.refinement.camera import zoom
from services.refinement.contact import Contact
from services.refinement.kinematics import Screws, link_poses, transform
from services.refinement.losses import Weights, picture_loss
from services.refinement.prior import energy
from services.refinement.proxies import Proxies
from services.refinement.rasteriser import TorchRenderer
from services.refinement.renderer import Hits, Renderer
from services.refinement.shading import ClosedView, ProjectedColour
from services.refinement.targets import Target, Window

VIEW_SIZE = 256


@dataclass(frozen=True)
class Objective:
    """Two pictures of one object and the ways to explain them.

    Attributes:
        proxies: the parts.
        parents: parent of every link, -1 for the root.
        active: (L,) bool, joints that the open picture can show.
        closed: the object at q = 0.
        opened: the object at the coordinates that are sought.
        window: the part of the picture that both show.
        renderer: who draws.
        weights: terms of the picture distance.
        prior_weight: of the joint energies.
    """

    proxies: Proxies
    parents: tuple[int, ...]
    active: Tensor
    closed: Target
    opened: Target
    window: Window
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

    @cached_property
    def moving(self) -> tuple[int, ...]:
        """The parts whose joints the open picture can show."""
        return tuple(int(i) for i in self.active.nonzero()[:, 0])

    def view(self, camera: Tensor) -> ClosedView:
        """(6,) camera -> what the closed image shows from there."""
        return ClosedView.of(self.proxies, self._zoomed(camera), self.closed, VIEW_SIZE)

    def closed_loss(self, cameras: Tensor, size: int) -> Tensor:
        """(B, 6) cameras -> (B,) distance of the closed silhouette, differentiable."""
        vertices = self.proxies.vertices.expand(len(cameras), -1, -1)
        rgba = self.renderer.render(self.proxies, vertices, self._zoomed(cameras), size, coverage)
        silhouette = Weights(silhouette=self.weights.silhouette, colour=0.0, edges=0.0)
        return picture_loss(rgba, self.closed.at(size), silhouette)

    def open_loss(self, view: ClosedView, screws: Screws, q: Tensor, size: int) -> Tensor:
        """(B, L) joints and coordinates -> (B,) distance of the open picture plus joint energies, differentiable."""
        vertices = self.posed(screws, q)
        prior = energy(screws, q, self.proxies.bounds, self.contact, self.active)
        rgba = self.draw(view, vertices, size)
        return picture_loss(rgba, self.opened.at(size), self.weights) + self.prior_weight * prior

    def posed(self, screws: Screws, q: Tensor) -> Tensor:
        """(B, L) joints and coordinates -> (B, V, 3) vertices."""
        return transform(link_poses(screws, self.parents, q), self.proxies.vertex_link, self.proxies.vertices)

    def draw(self, view: ClosedView, vertices: Tensor, size: int) -> Tensor:
        """(B, V, 3) posed vertices -> (B, S, S, 4) pictures: colour times coverage, and coverage."""
        batch = len(vertices)
        shader = ProjectedColour(view, self.opened.at(size), self.proxies, batch)
        return self.renderer.render(self.proxies, vertices, view.camera.expand(batch, 6), size, shader)

    def _zoomed(self, camera: Tensor) -> Tensor:
        return zoom(camera, self.window.center, self.window.half)


def coverage(hits: Hits) -> Tensor:
    """A `Shader` of black objects: colour 0, coverage 1."""
    value = torch.zeros(len(hits.pixel), 4, device=hits.point.device, dtype=hits.point.dtype)
    value[:, 3] = 1
    return value
