"""Analytic antialiasing of outlines, by which a picture moves continuously with its geometry.

At an outline, the two pixels on both sides of the edge are blended by where the edge crosses the segment between their
centres, so that there is a gradient also where one part passes in front of another (Laine et al. 2020, "Modular
primitives for high-performance differentiable rendering"). It asks what each pixel centre shows, whoever found that.
"""

from __future__ import annotations

import torch
from torch import Tensor

from services.refinement.proxies import Proxies

TINY = 1e-9


def antialias(image: Tensor, face: Tensor, depth: Tensor, screen: Tensor, proxies: Proxies) -> Tensor:
    """Blend the pixels on both sides of every outline.

    Args:
        image: (B, S, S, C) values of what each pixel centre shows.
        face: (B, S, S) visible face, -1 where none.
        depth: (B, S, S), infinite where none.
        screen: (B, V, 2) pixel coordinates; the gradient goes to these.
        proxies: topology.

    Returns:
        (B, S, S, C).
    """
    outline = outline_edges(screen.detach(), proxies)
    size = face.shape[-1]
    values = image.flatten(0, 2)
    blended = values
    for stride, along in ((1, 0), (size, 1)):
        pixel, other, share = _crossings(face, depth, screen, outline, proxies, along, stride)
        blended = blended.index_add(0, pixel, share[:, None] * (values[other] - values[pixel]))
    return blended.view_as(image)


@torch.no_grad()
def outline_edges(screen: Tensor, proxies: Proxies) -> Tensor:
    """(B, F, 3) whether the edge from corner i to i + 1 ends the surface or turns away from the camera."""
    first, second, third = screen[:, proxies.faces].unbind(2)
    turn = second - first, third - first
    facing = turn[0][..., 0] * turn[1][..., 1] > turn[0][..., 1] * turn[1][..., 0]
    across = facing[:, proxies.neighbours.clamp(min=0)]
    return (proxies.neighbours < 0) | (across != facing[..., None])


def _crossings(
    face: Tensor, depth: Tensor, screen: Tensor, outline: Tensor, proxies: Proxies, along: int, stride: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Outlines that cross the segment between neighbouring pixel centres.

    Args:
        face: (B, S, S) visible face. depth: (B, S, S). screen: (B, V, 2). outline: (B, F, 3).
        along: 0 for pixels beside each other, 1 for pixels above each other.
        stride: distance of the two pixels in the flat picture.

    Returns:
        (N,) pixel that the edge cuts, (N,) its neighbour beyond the edge, (N,) share of the neighbour in [0, 1/2].
    """
    size = face.shape[-1]
    limit = size - 1
    one, two = (face[:, :, :limit], face[:, :, 1:]) if along == 0 else (face[:, :limit], face[:, 1:])
    batch, row, column = (one != two).nonzero(as_tuple=True)
    start = (batch * size + row) * size + column
    flat_face, flat_depth = face.flatten(), depth.flatten()
    nearer_pixel = torch.where(flat_depth[start] < flat_depth[start + stride], start, start + stride)
    nearer = flat_face[nearer_pixel]

    # The edge may belong to a face beside the visible one, on the same sheet, of which no pixel centre shows anything.
    beside = torch.where(outline[batch, nearer], nearer[:, None], proxies.neighbours[nearer])
    sheet = torch.cat([nearer[:, None], beside], 1)
    corner = screen[batch[:, None, None], proxies.faces[sheet]]
    begin, end = corner.flatten(1, 2), corner.roll(-1, 2).flatten(1, 2)
    across = 1 - along
    here, fixed = (column, row) if along == 0 else (row, column)
    rise, run = end[..., across] - begin[..., across], end[..., along] - begin[..., along]
    steep = rise.abs() >= run.abs()
    fraction = (fixed[:, None] - begin[..., across]) / torch.where(rise.abs() < TINY, torch.full_like(rise, TINY), rise)
    distance = begin[..., along] + fraction * run - here[:, None]
    met = steep & (fraction >= 0) & (fraction <= 1) & (distance >= 0) & (distance <= 1)
    crosses = met & outline[batch[:, None], sheet].flatten(1)

    found = crosses.any(1)
    edge = crosses.to(torch.uint8).argmax(1)
    start = start[found]
    distance = distance[found].gather(1, edge[found, None])[:, 0]
    # A pixel reaches 1/2 to both sides of its centre: the edge cuts the second pixel beyond 1/2, else the first.
    cuts_second = distance.detach() > 0.5
    pixel = torch.where(cuts_second, start + stride, start)
    other = torch.where(cuts_second, start, start + stride)
    return pixel, other, (distance - 0.5).abs()
