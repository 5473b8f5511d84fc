"""The renderer seam: what the losses need of a differentiable renderer, whichever library draws.

`services.refinement.rasteriser` is the default implementation (plain torch, CPU and CUDA),
`services.refinement.pytorch3d_renderer` the other one; `services.refinement.backends` makes the one that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor

from services.refinement.proxies import Proxies


@dataclass(frozen=True)
class Hits:
    """Visible surface points, one a covered pixel, over all B pictures.

    Attributes:
        batch: (N,) int64 picture.
        face: (N,) int64 face that the pixel shows.
        point: (N, 3) the surface point carried back to the closed state; differentiable.
        pixel: (N,) int64 index into (B * S * S) pixels.
    """

    batch: Tensor
    face: Tensor
    point: Tensor
    pixel: Tensor

    @classmethod
    def of(cls, proxies: Proxies, face: Tensor, weights: Tensor) -> Self:
        """The points that a picture shows.

        Args:
            proxies: topology and the closed state.
            face: (B, S, S) visible face, -1 where none.
            weights: (N, 3) perspective-correct barycentric weights of the N covered pixels, in the order of pixels.
        """
        pixel = (face.flatten() >= 0).nonzero()[:, 0]
        shown = face.flatten()[pixel]
        point = (weights[..., None] * proxies.vertices[proxies.faces[shown]]).sum(1)
        return cls(torch.div(pixel, face[0].numel(), rounding_mode="floor"), shown, point, pixel)


Shader = Callable[[Hits], Tensor]
"""Gives (N, C) values of visible points; background pixels are 0 in every channel."""


class Renderer(Protocol):
    """Draws a batch of poses of one object."""

    def render(self, proxies: Proxies, vertices: Tensor, cameras: Tensor, size: int, shader: Shader) -> Tensor:
        """Draw B pictures, differentiable in vertices, cameras and the shader's values, occluding contours included.

        Args:
            proxies: topology and the closed state.
            vertices: (B, V, 3) posed vertices, model space.
            cameras: (B, 6).
            size: side S [px].
            shader: gives the C channels of visible points.

        Returns:
            (B, S, S, C), row 0 on top.
        """
        ...


def shade(hits: Hits, face: Tensor, shader: Shader) -> Tensor:
    """(B, S, S) visible face -> (B, S, S, C) values of what each pixel centre shows, 0 where nothing."""
    values = shader(hits)
    flat = values.new_zeros(face.numel(), values.shape[-1]).index_copy(0, hits.pixel, values)
    return flat.view(*face.shape, -1)
