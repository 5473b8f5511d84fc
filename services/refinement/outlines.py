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

MOST_FACES = 256
"""Faces between neighbouring pixel centres, of which outlines are found."""


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
    forward = flat_depth[start] < flat_depth[start + stride]
    here, fixed = (column, row) if along == 0 else (row, column)
    origin = torch.stack([here + (~forward).long(), fixed], -1)
    nearer = flat_face[torch.where(forward, start, start + stride)]

    # Screen coordinates along the segment and across it.
    turned = screen if along == 0 else screen.flip(-1)
    pair, edge = _sheet_ends(turned, outline, proxies, batch, nearer, origin, forward)
    begin, end = turned[batch[pair, None], edge].unbind(1)
    run, rise = (end - begin).unbind(-1)
    steep = rise.abs() >= run.abs()
    pair, begin, run, rise = pair[steep], begin[steep], run[steep], rise[steep]
    fraction = (fixed[pair] - begin[:, 1]) / torch.where(rise.abs() < TINY, torch.full_like(rise, TINY), rise)
    distance = begin[:, 0] + fraction * run - here[pair]
    start = start[pair]
    # A pixel reaches 1/2 to both sides of its centre: the edge cuts the second pixel beyond 1/2, else the first.
    cuts_second = distance.detach() > 0.5
    pixel = torch.where(cuts_second, start + stride, start)
    other = torch.where(cuts_second, start, start + stride)
    return pixel, other, (distance - 0.5).abs()


@torch.no_grad()
def _sheet_ends(
    screen: Tensor, outline: Tensor, proxies: Proxies, batch: Tensor, face: Tensor, origin: Tensor, forward: Tensor
) -> tuple[Tensor, Tensor]:
    """Walk from face to face, from a pixel centre to the one beside it, until the surface ends or turns away.

    Faces may be much smaller than a pixel: the outline then belongs to none that a pixel shows.

    Args:
        screen: (B, V, 2) coordinates along the walk and across it. outline: (B, F, 3).
        batch: (N,) picture. face: (N,) where the walk begins. origin: (N, 2) pixel where it begins.
        forward: (N,) bool whether coordinates grow along the walk.

    Returns:
        (M,) which of the N walks met an outline, and (M, 2) the vertices of that edge.
    """
    walk = torch.arange(len(face), device=face.device)
    before = torch.full_like(face, -2)
    walks, edges = [walk[:0]], [proxies.faces[:0, :2]]
    for _ in range(MOST_FACES):
        begin = proxies.faces[face]
        end = begin.roll(-1, 1)
        first = screen[batch[walk, None], begin] - origin[walk, None]
        second = first.roll(-1, 1)
        height, next_height = first[..., 1], second[..., 1]
        # Half-open, so that faces on both sides of an edge or round a vertex agree.
        crossed = ((height <= 0) != (next_height <= 0)) & (proxies.neighbours[face] != before[:, None])
        place = first[..., 0] + height / (height - next_height) * (second[..., 0] - first[..., 0])
        reach = torch.where(crossed, torch.where(forward[walk, None], place, -place), -torch.inf)
        reach, exit_edge = reach.max(1)
        within = reach.isfinite() & (reach <= 1)
        ends = within & outline[batch[walk], face, exit_edge]
        walks.append(walk[ends])
        edges.append(torch.stack([begin[ends, exit_edge[ends]], end[ends, exit_edge[ends]]], -1))
        goes_on = within & ~ends
        before, face = face[goes_on], proxies.neighbours[face, exit_edge][goes_on]
        walk = walk[goes_on]
        if not len(walk):
            break
    return torch.cat(walks), torch.cat(edges)
