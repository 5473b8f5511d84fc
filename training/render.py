"""Ray-cast pictures of a scene: colour, link mask, depth, closed-state position, normal and base colour."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

import torch
from torch import Tensor
from torch.nn.functional import normalize

from training import backdrop, photo
from training.backdrop import Lights
from training.pose import link_poses
from training.raycast import FAR, Solids, nearest
from training.scene import Scene
from training.texture import albedo

BEVEL = 0.012
"""Width [model units] over which shading rounds a box's edges."""
SHADOW_OFFSET = 2e-3
"""How far [model units] above its face a shadow ray starts."""
RAYS_PER_CHUNK = {"cpu": 1 << 15, "cuda": 1 << 22}


class Background(StrEnum):
    """WHITE: the object alone under studio light. RANDOM: a photograph with floor, clutter, any light and noise."""

    WHITE = "white"
    RANDOM = "random"


@dataclass(frozen=True, eq=False)
class Render:
    """Pictures of B objects, S x S, row 0 on top.

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
    compiled: bool = False,
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
        compiled: compile the inner loops with torch.compile.
    """
    chunk = max(1, RAYS_PER_CHUNK[scene.device.type] // (size * samples) ** 2)
    parts = []
    for start in range(0, len(scene), chunk):
        rows = slice(start, start + chunk)
        parts.append(
            _render_chunk(
                scene[rows],
                cameras[rows].float(),
                q[rows].float(),
                visible[rows],
                size,
                background,
                generator,
                samples,
                compiled,
            )
        )
    return Render(*(torch.cat([getattr(part, x.name) for part in parts]) for x in fields(Render)))


def _render_chunk(
    scene: Scene,
    cameras: Tensor,
    q: Tensor,
    visible: Tensor,
    size: int,
    background: Background,
    generator: torch.Generator | None,
    samples: int,
    compiled: bool,
) -> Render:
    placed = _Placed.of(scene, q, visible)
    if background is Background.RANDOM:
        lights, props = backdrop.random(scene, cameras, generator)
        placed = placed.with_props(props)
    else:
        lights = backdrop.studio(len(scene), scene.device)
    hits = _cast(placed, cameras, size, compiled)
    if samples > 1:
        fine = _cast(placed, cameras, size * samples, compiled)
        rgb = _color(fine, placed, lights, compiled).unflatten(1, (size, samples, size, samples)).mean((2, 4))
    else:
        rgb = _color(hits, placed, lights, compiled).unflatten(1, (size, size))
    if background is Background.RANDOM:
        rgb = photo.develop(rgb, generator)
    return _geometry(hits, placed, rgb)


@dataclass(frozen=True, eq=False)
class _Placed:
    """Primitives of a batch in the world, the shown ones first, with what shading needs of them.

    `closed_rotation` and `closed_center` place the primitive in the closed-state object frame.
    """

    solids: Solids
    owner: Tensor
    look: Tensor
    closed_rotation: Tensor
    closed_center: Tensor
    casts: Tensor

    @classmethod
    def of(cls, scene: Scene, q: Tensor, visible: Tensor) -> _Placed:
        rotation, shift = link_poses(scene, q)
        owner = scene.owner.clamp(min=0)
        shown = (scene.owner >= 0) & (visible & scene.link_valid).take_along_dim(owner, 1)
        order, num_boxes = _compact(shown, scene.num_boxes)

        def take(value: Tensor) -> Tensor:
            return value.take_along_dim(order.view(*order.shape, *(1,) * (value.dim() - 2)), 1)

        shown, owner, center, turn = take(shown), take(owner), take(scene.center), take(scene.rotation)
        pose = rotation.take_along_dim(owner[..., None, None], 1)
        moved = (pose @ center[..., None])[..., 0] + shift.take_along_dim(owner[..., None], 1)
        solids = Solids(pose @ turn, moved, take(scene.extent), shown, num_boxes)
        return cls(solids, owner, take(scene.look), turn, center, shown)

    def with_props(self, props: backdrop.Props) -> _Placed:
        """Put box-shaped props, which belong to no link, before the primitives."""
        count = props.center.shape[1]

        def join(first: Tensor, second: Tensor) -> Tensor:
            return torch.cat([first, second], 1)

        solids = Solids(
            join(props.rotation, self.solids.rotation),
            join(props.center, self.solids.center),
            join(props.extent, self.solids.extent),
            join(props.shown, self.solids.shown),
            self.solids.num_boxes + count,
        )
        return _Placed(
            solids,
            join(torch.full_like(props.shown, -1, dtype=torch.int64), self.owner),
            join(props.look, self.look),
            join(props.rotation, self.closed_rotation),
            join(props.center, self.closed_center),
            join(props.casts, self.casts),
        )


def _compact(shown: Tensor, num_boxes: int) -> tuple[Tensor, int]:
    """(B, P') slots that hold every shown primitive, boxes first, and the new number of box slots."""
    boxes, cylinders = shown[:, :num_boxes], shown[:, num_boxes:]
    counts = torch.stack(
        [x.sum(1).max() if x.shape[1] else shown.new_zeros((), dtype=torch.int64) for x in (boxes, cylinders)]
    )
    used_boxes, used_cylinders = (max(1, x) for x in counts.tolist())
    order = torch.cat(
        [
            (~boxes).to(torch.uint8).argsort(dim=1, stable=True)[:, :used_boxes],
            (~cylinders).to(torch.uint8).argsort(dim=1, stable=True)[:, :used_cylinders] + num_boxes,
        ],
        1,
    )
    return order, min(used_boxes, num_boxes)


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


@dataclass(frozen=True, eq=False)
class _Hits:
    """What each of R rays an image hits; values of a ray that misses mean nothing.

    `local` and the normals are in the frame of the primitive, whose axes in the world are the columns of `turn`.
    """

    direction: Tensor
    cosine: Tensor
    distance: Tensor
    found: Tensor
    slot: Tensor
    point: Tensor
    turn: Tensor
    local: Tensor
    face_normal: Tensor
    round_normal: Tensor
    gloss: Tensor
    albedo: Tensor


def _pick(value: Tensor, slot: Tensor) -> Tensor:
    """(B, R, ...) the rows of `value` (B, P, ...) at `slot` (B, R)."""
    flat = value.reshape(*value.shape[:2], -1)
    picked = flat.gather(1, slot[..., None].expand(-1, -1, flat.shape[-1]))
    return picked.reshape(*slot.shape, *value.shape[2:])


def _cast(placed: _Placed, cameras: Tensor, size: int, compiled: bool) -> _Hits:
    solids = placed.solids
    origin, direction, cosine = camera_rays(cameras, size)
    distance, slot = nearest(solids, origin, direction, compiled)
    found, slot = slot >= 0, slot.clamp(min=0)
    point = origin + distance.clamp(max=1e3)[..., None] * direction
    turn, extent, look = _pick(solids.rotation, slot), _pick(solids.extent, slot), _pick(placed.look, slot)
    local = ((point - _pick(solids.center, slot))[..., None, :] @ turn)[..., 0, :]
    face_normal, round_normal = _normals(local, extent, slot < solids.num_boxes)
    return _Hits(
        direction, cosine, distance, found, slot, point, turn, local, face_normal, round_normal, look[..., 10],
        albedo(look, local, extent),
    )  # fmt: skip


def _color(hits: _Hits, placed: _Placed, lights: Lights, compiled: bool) -> Tensor:
    """(B, R, 3) sRGB in [0, 1]; one more ray a hit finds what lies in shadow."""
    normal, facing = ((hits.turn @ x[..., None])[..., 0] for x in (hits.round_normal, hits.face_normal))
    solids = placed.solids
    caster = Solids(solids.rotation, solids.center, solids.extent, placed.casts, solids.num_boxes)
    blocked, _ = nearest(caster, hits.point + SHADOW_OFFSET * facing, lights.direction[:, None], compiled)
    lit = torch.where(blocked < FAR, lights.shade[:, None], 1.0)
    color = lights.shine(hits.albedo, normal, facing, hits.direction, lit, hits.gloss)
    return torch.where(hits.found[..., None], color, lights.sky(hits.direction))


def _geometry(hits: _Hits, placed: _Placed, rgb: Tensor) -> Render:
    square = rgb.shape[1:3]
    owner = _pick(placed.owner, hits.slot)
    mine = hits.found & (owner >= 0)
    seen = mine[..., None]
    closed = _pick(placed.closed_rotation, hits.slot)
    position = (closed @ hits.local[..., None])[..., 0] + _pick(placed.closed_center, hits.slot)
    normal = (closed @ hits.face_normal[..., None])[..., 0]
    return Render(
        rgb=rgb,
        link=torch.where(mine, owner, -1).unflatten(1, square),
        depth=torch.where(mine, hits.distance * hits.cosine, torch.inf).unflatten(1, square),
        position=torch.where(seen, position, 0.0).unflatten(1, square),
        normal=torch.where(seen, normal, 0.0).unflatten(1, square),
        albedo=torch.where(seen, hits.albedo, 1.0).unflatten(1, square),
    )


def _normals(local: Tensor, extent: Tensor, is_box: Tensor) -> tuple[Tensor, Tensor]:
    """Local normals (..., 3) of surface points: the face's own, and one rounded near a box's edges for shading."""
    depth = local.abs() - extent
    nearest_face = depth.argmax(-1, keepdim=True)
    flat = torch.zeros_like(local).scatter(-1, nearest_face, 1.0) * local.sign()
    width = torch.minimum(extent * 0.5, extent.new_tensor(BEVEL))
    rounded = normalize(((depth / width + 1).clamp(min=0) ** 2 + 1e-6) * local.sign(), dim=-1)

    x, y, z = local.unbind(-1)
    outer, height, inner = extent.unbind(-1)
    radius = (x * x + z * z).sqrt().clamp(min=1e-9)
    side, hole, cap = (radius - outer).abs(), (radius - inner).abs() + (inner <= 0) * FAR, (y.abs() - height).abs()
    on_cap = (cap < side) & (cap < hole)
    inward = torch.where(hole < side, -1.0, 1.0)
    radial = torch.stack([x / radius, torch.zeros_like(x), z / radius], -1) * inward[..., None]
    axial = torch.stack([torch.zeros_like(x), y.sign(), torch.zeros_like(x)], -1)
    tube = torch.where(on_cap[..., None], axial, radial)
    box = is_box[..., None]
    return torch.where(box, flat, tube), torch.where(box, rounded, tube)
