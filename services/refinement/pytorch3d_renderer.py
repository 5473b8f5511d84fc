"""A renderer on PyTorch3D, which finds the face at each pixel and carries gradients through barycentric weights.

Outlines are antialiased as in the default renderer. PyTorch3D's own soft blending would not do: what lies behind shines
through along every edge of a mesh, and gradients are wrong where more faces meet in a pixel than it keeps.

Importing this module needs PyTorch3D; `services.refinement.backends` says how to get it.
"""

from __future__ import annotations

import torch
from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
from pytorch3d.structures import Meshes
from torch import Tensor

from services.refinement.outlines import antialias
from services.refinement.proxies import Proxies
from services.refinement.rasteriser import NEAR, to_pixels
from services.refinement.renderer import Hits, Shader, shade

SEAM = 1e-10
"""Squared distance beyond a face's border that still counts as inside [half picture sides squared].

Without it a pixel centre exactly on the edge between two faces belongs to neither.
"""


class PyTorch3DRenderer:
    """`services.refinement.renderer.Renderer` on PyTorch3D: rasterised in float32, on the device of its inputs."""

    def render(self, proxies: Proxies, vertices: Tensor, cameras: Tensor, size: int, shader: Shader) -> Tensor:
        """See `Renderer.render`."""
        screen, depth = to_pixels(cameras, vertices, size)
        packed, nearest, weights, _ = rasterize_meshes(
            meshes(proxies, screen, depth, size),
            image_size=size,
            blur_radius=SEAM,
            faces_per_pixel=1,
            perspective_correct=True,
        )
        face = torch.where(packed < 0, packed, packed % len(proxies.faces))[..., 0]
        shown = weights[..., 0, :][face >= 0].to(vertices.dtype)
        values = shade(Hits.of(proxies, face, shown), face, shader)
        pixel_depth = nearest.detach()[..., 0].masked_fill(face < 0, torch.inf)
        return antialias(values, face, pixel_depth, screen, proxies)


def meshes(proxies: Proxies, screen: Tensor, depth: Tensor, size: int) -> Meshes:
    """B meshes in PyTorch3D's device coordinates: x to the left, y up, [-1, 1] from border to border, z the depth.

    Args:
        proxies: topology.
        screen: (B, V, 2) pixel coordinates.
        depth: (B, V).
        size: side S [px].
    """
    device = 1 - (screen + 0.5) * (2 / size)
    near = (depth[:, proxies.faces] <= NEAR).any(-1)
    # A face of one vertex three times draws nothing, and leaves the others their numbers.
    faces = proxies.faces.masked_fill(near[..., None], 0)
    return Meshes(torch.cat([device, depth[..., None]], -1).float(), faces)
