"""The renderer seam: what the losses need of a differentiable renderer, whichever library draws.

`services.refinement.rasteriser` is the default implementation (plain torch, CPU and CUDA). Another one, e.g. on
PyTorch3D, implements `Renderer` with the same camera and pixel conventions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

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
