"""Ray-cast pictures of a scene: colour, link mask, depth, closed-state position, normal and base colour."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from training import backdrop, photo
from training.clutter import Props
from training.lights import Lights, developed, environment, studio
from training.noise import mixed, uniform_of
from training.pose import link_poses
from training.primitives import Pattern
from training.raycast import FAR, Solids, nearest
from training.scene import Scene
from training.shading import Surface, pick, shine, surfaces, table_of, through_glass, to_world
from training.texture import among

OFFSET = 2e-3
"""How far [model units] above its face a second ray starts."""
NEARBY = 0.7
"""Solids within this distance [model units] keep the environment's light off."""
HIDDEN = 0.8
"""Share of that light which a solid at no distance keeps off."""
RAYS_PER_CHUNK = {"cpu": 1 << 15, "cuda": 1 << 24}


T = TypeVar("T", "_Stage", Lights, "_Tables")
F = TypeVar("F", bound=Callable[..., Any])


class Background(StrEnum):
    """WHITE: the object alone under studio light. RANDOM: a photograph of it, on a sheet or in a room."""

    WHITE = "white"
    RANDOM = "random"


@dataclass(frozen=True, eq=False)
class Render:
    """Pictures of B objects, S x S, row 0 on top.

    One sees through glass in `rgb`; all other outputs show the pane itself, opaque.

    Attributes:
        rgb: (B, S, S, 3) sRGB in [0, 1].
        link: (B, S, S) int64 link index, -1 on the background.
        depth: (B, S, S) along the view direction, model units; infinite on the background.
        position: (B, S, S, 3) of the hit in the closed-state object frame; 0 on the background.
        normal: (B, S, S, 3) unit, in the closed-state object frame; 0 on the background.
        albedo: (B, S, S, 3) sRGB base colour without light; 1 on the background.
    """

    rgb: Tensor
    link: Tensor
    depth: Tensor
    position: Tensor
    normal: Tensor
    albedo: Tensor


def render(
    scene: Scene,
    cameras: Tensor,
    q: Tensor,
    visible: Tensor,
    size: int,
    background: Background = Background.WHITE,
    generator: torch.Generator | None = None,
    *,
    samples: int = 1,
    fused: bool = True,
) -> Render:
    """Picture every object of the scene.

    Args:
        cameras: (B, 6) as `articulation.camera.Camera.to_array`.
        q: (B, L) joint coordinates, [rad] or model units.
        visible: (B, L) bool, links that exist in the picture.
        size: side S [pixel].
        background: see `Background`.
        generator: on the scene's device, source of backgrounds, lights and noise; unused for WHITE.
        samples: rays along a pixel's edge that `rgb` averages; the other outputs always take the pixel's centre.
        fused: cast rays by one Triton kernel and shade by compiled code, where there is a GPU.
    """
    if background is Background.RANDOM:
        tables = _draw(len(scene), size, scene.device, generator)
        low = torch.where(scene.link_valid[..., None], scene.boxes[..., :3] - scene.boxes[..., 3:], 9.0).amin(1)
        lights, boxes, tubes = backdrop.surroundings(low, cameras.float(), tables.backdrop)
        num_boxes = scene.num_boxes + boxes.shown.shape[1]
        stage = _with_props(_staged(scene, q.float(), visible), boxes, tubes)
    else:
        tables, lights = None, studio(len(scene), scene.device)
        num_boxes, stage = scene.num_boxes, _staged(scene, q.float(), visible)
    parts = []
    chunk = max(1, RAYS_PER_CHUNK[scene.device.type] // (size * samples) ** 2)
    for start in range(0, len(scene), chunk):
        rows = slice(start, start + chunk)
        draws = tables and _rows(tables, rows)
        taken = _rows(stage, rows), _rows(lights, rows), num_boxes, cameras[rows].float(), draws
        parts.append(_render_chunk(*taken, size, samples, fused and cameras.is_cuda))
    if len(parts) == 1:
        return parts[0]
    return Render(*(torch.cat([getattr(part, x.name) for part in parts]) for x in fields(Render)))


def _rows(values: T, rows: slice) -> T:
    """Some images of a named tuple of tensors."""
    return type(values)(*(value[rows] for value in values))


class _Tables(NamedTuple):
    """Random numbers of one chunk: surroundings, development, sensor noise, and a seed for each image's rays."""

    backdrop: Tensor
    photo: Tensor
    grain: Tensor
    seed: Tensor


def _draw(count: int, size: int, device: torch.device, generator: torch.Generator | None) -> _Tables:
    uniform = torch.rand(count, backdrop.DRAWS + photo.DRAWS + 1, generator=generator, device=device)
    grain = torch.randn(count, size, size, 3, generator=generator, device=device)
    first, second, seed = uniform.split([backdrop.DRAWS, photo.DRAWS, 1], 1)
    return _Tables(first, second, grain, (seed * (1 << 24)).to(torch.int32))


def _render_chunk(
    stage: _Stage,
    lights: Lights,
    num_boxes: int,
    cameras: Tensor,
    tables: _Tables | None,
    size: int,
    samples: int,
    fused: bool,
) -> Render:
    solids = Solids(stage.rotation, stage.center, stage.extent, num_boxes)
    side = size * samples
    # Compiled code would be compiled once more for a single image.
    quick = _compiled if fused and len(cameras) > 1 else _as_written

    def primary(width: int) -> _Hits:
        origin, direction, cosine = camera_rays(cameras, width)
        opaque = nearest(solids, stage.opaque, origin, direction, width=width, fused=fused)
        panes = nearest(solids, stage.panes, origin, direction, width=width, fused=fused)
        return _Hits(origin, direction, cosine, *opaque, *panes)

    fine = primary(side)
    seed = cameras.new_zeros((len(cameras), 1), dtype=torch.int32) if tables is None else tables.seed
    start, sun, around = quick(_second_rays)(stage, lights, fine, seed, *_sampling(size, samples, cameras.device))
    blocked, _ = nearest(solids, stage.casts, start, sun, width=side, fused=fused)
    near = torch.full_like(blocked, FAR)
    if tables is not None:
        near, _ = nearest(solids, stage.opaque, start, around, NEARBY, width=side, fused=fused)
    color, mine = quick(_color)(stage, lights, fine, blocked, near)
    shape = (size, samples, size, samples)
    rgb, coverage = color.unflatten(1, shape).mean((2, 4)), mine.unflatten(1, shape).mean((2, 4))
    if tables is not None:
        rgb = photo.developed(rgb, coverage, tables.photo, tables.grain)
    geometry = quick(_geometry)(stage, fine if samples == 1 else primary(size))
    return Render(rgb, *(x.unflatten(1, (size, size)) for x in geometry))


def _as_written(function: F) -> F:
    return function


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a stage and more tensors in few kernels, compiled once for all numbers of images and rays."""
    compiled = torch.compile(function, fullgraph=True)

    def called(stage: _Stage, *rest: Any) -> Any:
        for values, axes in _varying(stage, *rest):
            for value in values:
                for axis in axes:
                    torch._dynamo.maybe_mark_dynamic(value, axis)
        return compiled(stage, *rest)

    return called


def _varying(stage: _Stage, *rest: Any) -> Iterator[tuple[Iterable[Tensor], tuple[int, ...]]]:
    """Tensors, and which of their axes differ from call to call."""
    yield stage, (0, 1)
    for value in rest:
        if isinstance(value, Lights):
            yield value, (0,)
        elif isinstance(value, _Hits):
            yield value[:1], (0,)
            yield value[1:], (0, 1)
        else:
            yield [value], (0, 1) if value.dim() > 1 and value.shape[1] > 1 else (0,)


class _Stage(NamedTuple):
    """All primitives of a batch in the world: props first, with what shading needs of them.

    Attributes:
        rotation, center, extent: (B, P, ...) as in `training.raycast.Solids`.
        opaque, panes, casts: (B, P) bool: seen and solid, seen and of glass, throwing shadows.
        table: (B, P, C) of `training.shading.table_of`.
        model: (B, P, 13) rotation (9) and centre in the closed-state object frame, and link, -1 of props.
    """

    rotation: Tensor
    center: Tensor
    extent: Tensor
    opaque: Tensor
    panes: Tensor
    casts: Tensor
    table: Tensor
    model: Tensor


class _Hits(NamedTuple):
    """R rays an image: origin (B, 1, 3), direction (B, R, 3), cosine (B, R) to the view direction, and what each meets.

    `distance` and `slot` (B, R) are those of the nearest solid, `pane_distance` and `pane` of the nearest glass.
    """

    origin: Tensor
    direction: Tensor
    cosine: Tensor
    distance: Tensor
    slot: Tensor
    pane_distance: Tensor
    pane: Tensor


def _staged(scene: Scene, q: Tensor, visible: Tensor) -> _Stage:
    rotation, shift = link_poses(scene, q)
    owner = scene.owner.clamp(min=0)
    shown = (scene.owner >= 0) & (visible & scene.link_valid).take_along_dim(owner, 1)
    pose = rotation.take_along_dim(owner[..., None, None], 1)
    moved = (pose @ scene.center[..., None])[..., 0] + shift.take_along_dim(owner[..., None], 1)
    turned = pose @ scene.rotation
    is_box = (torch.arange(owner.shape[1], device=owner.device) < scene.num_boxes).expand_as(owner)
    glass = among(scene.look[..., 6], Pattern.GLASS)
    opaque = shown & ~glass
    table = table_of(turned, moved, scene.extent, is_box, scene.look)
    model = torch.cat([scene.rotation.flatten(2), scene.center, owner[..., None].float()], -1)
    return _Stage(turned, moved, scene.extent, opaque, shown & glass, opaque, table, model)


def _with_props(stage: _Stage, boxes: Props, tubes: Props) -> _Stage:
    before, after = (
        _Stage(
            x.rotation, x.center, x.extent, x.shown, torch.zeros_like(x.shown), x.casts,
            table_of(x.rotation, x.center, x.extent, torch.full_like(x.shown, is_box), x.look),
            torch.full_like(x.center[..., :1], -1.0).expand(-1, -1, stage.model.shape[-1]),
        )
        for x, is_box in ((boxes, True), (tubes, False))
    )  # fmt: skip
    return _Stage(*(torch.cat(parts, 1) for parts in zip(before, stage, after, strict=True)))


def camera_rays(cameras: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rays through pixel centres, as `articulation.camera.Camera.rays`.

    Returns:
        origin (B, 1, 3), unit directions (B, S * S, 3), and the cosine (B, S * S) to the view direction.
    """
    azimuth, elevation, distance, fov, shift_u, shift_v = cameras.unbind(-1)
    sa, ca, se, ce = azimuth.sin(), azimuth.cos(), elevation.sin(), elevation.cos()
    right = torch.stack([ca, torch.zeros_like(ca), -sa], -1)
    up = torch.stack([-sa * se, ce, -ca * se], -1)
    back = torch.stack([sa * ce, se, ca * ce], -1)
    ticks = (torch.arange(size, device=cameras.device) + 0.5) / size * 2 - 1
    tangent = (fov / 2).tan()
    u = ((ticks - shift_u[:, None]) * tangent[:, None])[:, None, :, None]
    v = ((ticks - shift_v[:, None]) * tangent[:, None])[:, :, None, None]
    direction = u * right[:, None, None] - v * up[:, None, None] - back[:, None, None]
    length = direction.norm(dim=-1, keepdim=True)
    return (distance[:, None] * back)[:, None], (direction / length).flatten(1, 2), (1 / length).flatten(1)


def _met(stage: _Stage, hits: _Hits, slot: Tensor, distance: Tensor) -> tuple[Tensor, Surface]:
    """World points (B, R, 3) and surfaces that rays meet at a distance (B, R) on the primitives `slot` (B, R)."""
    point = hits.origin + distance.clamp(max=1e3)[..., None] * hits.direction
    return point, surfaces(stage.table, slot, point)


def _sampling(size: int, samples: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """For each of R rays the index (R,) int32 of its pixel, and (R,) which of the pixel's rays it is."""
    ray = torch.arange((size * samples) ** 2, device=device, dtype=torch.int32)
    x, y = ray % (size * samples), ray // (size * samples)
    return y // samples * size + x // samples, ((y % samples) * samples + x % samples).float()


def _second_rays(
    stage: _Stage, lights: Lights, hits: _Hits, seed: Tensor, pixel: Tensor, turn: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Origin, direction to the key light and a random direction away from what each ray meets, (B, R, 3) each.

    The light has a size and the random direction any: both differ from ray to ray, evenly within a pixel.

    Args:
        seed: (B, 1) int32.
        pixel, turn: see `_sampling`.
    """
    point, surface = _met(stage, hits, hits.slot, hits.distance)
    normal = to_world(surface, surface.face)
    start = point + OFFSET * normal
    pixels = mixed(seed) + 4 * pixel
    # Steps of the plastic number spread the rays of one pixel evenly.
    u, v, w, h = ((uniform_of(pixels + i) + turn * (0.7548777 if i % 2 == 0 else 0.5698403)) % 1 for i in range(4))
    radius = u.sqrt() * lights.spread[:, None]
    angle = 2 * math.pi * v
    sun = lights.direction[:, None]
    aside = normalize(torch.linalg.cross(sun, sun.new_tensor([0.31, 0.17, -0.93]).expand_as(sun)), dim=-1)
    upward = torch.linalg.cross(sun, aside)
    toward = sun + (radius * angle.cos())[..., None] * aside + (radius * angle.sin())[..., None] * upward
    height, turned = 2 * w - 1, 2 * math.pi * h
    rim = (1 - height * height).clamp(min=0).sqrt()
    ball = torch.stack([rim * turned.cos(), height, rim * turned.sin()], -1)
    return start, toward, normalize(normal * 1.001 + ball, dim=-1)


def _color(stage: _Stage, lights: Lights, hits: _Hits, blocked: Tensor, near: Tensor) -> tuple[Tensor, Tensor]:
    """(B, R, 3) sRGB in [0, 1], and (B, R) 1 where a ray meets the object.

    Args:
        blocked, near: (B, R) distance at which the key light, and the light of the surroundings, is kept off.
    """
    found = hits.slot >= 0
    _, surface = _met(stage, hits, hits.slot, hits.distance)
    lit = torch.where(blocked < FAR, lights.shade[:, None], 1.0)
    open_sky = 1 - HIDDEN * (1 - (near / NEARBY).clamp(max=1))
    radiance = shine(surface, hits.direction, lit, open_sky, lights)
    paper = (~found | ((hits.slot == backdrop.FLOOR) & (stage.model[:, :1, -1] < 0))) & (lights.seamless[:, None] > 0)
    sheet = lights.wallpaper[:, None] * torch.where(found, 0.5 + 0.25 * lit + 0.25 * open_sky, 1.0)[..., None]
    behind = torch.where(found[..., None], radiance, environment(lights, hits.direction, torch.full_like(lit, 0.02)))
    behind = torch.where(paper[..., None], sheet**2.2 / lights.exposure[:, None, None], behind)

    pane = (hits.pane >= 0) & (hits.pane_distance < hits.distance)
    glazed = _glazed(stage, lights, hits, behind)
    color = developed(lights, torch.where(pane[..., None], glazed, behind))
    color = torch.where((paper & ~pane)[..., None], sheet, color)
    mine = pane | (found & (pick(stage.model[..., -1:], hits.slot)[..., 0] >= 0))
    return color, mine.float()


def _glazed(stage: _Stage, lights: Lights, hits: _Hits, behind: Tensor) -> Tensor:
    """Radiance (B, R, 3) of the nearest panes, through which `behind` is seen."""
    _, surface = _met(stage, hits, hits.pane, hits.pane_distance)
    return through_glass(surface.look[..., 0:3], to_world(surface, surface.round), hits.direction, behind, lights)


def _geometry(stage: _Stage, hits: _Hits) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Link, depth, position, normal and albedo as in `Render`, of R rays an image."""
    glass = hits.pane_distance < hits.distance
    slot, distance = torch.where(glass, hits.pane, hits.slot), torch.minimum(hits.distance, hits.pane_distance)
    _, surface = _met(stage, hits, slot, distance)
    turn, center, owner = pick(stage.model, slot).split([9, 3, 1], -1)
    mine = (slot >= 0) & (owner[..., 0] >= 0)
    seen = mine[..., None]
    turn = turn.unflatten(-1, (3, 3))
    position = (turn * surface.local[..., None, :]).sum(-1) + center
    normal = (turn * surface.face[..., None, :]).sum(-1)
    return (
        torch.where(mine, owner[..., 0].long(), -1),
        torch.where(mine, distance * hits.cosine, torch.inf),
        torch.where(seen, position, 0.0),
        torch.where(seen, normal, 0.0),
        torch.where(seen, surface.albedo(), 1.0),
    )
