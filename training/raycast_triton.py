"""`training.raycast.nearest` as one Triton kernel: a program casts a tile of rays at all primitives of its image."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from training.raycast import FAR, Solids

TILE_WIDTH, TILE_HEIGHT = 16, 8
TABLE = 20
"""Numbers a primitive: rotation by columns, centre, extent, squared bounding radius (-1 if hidden), and padding."""


def nearest_fused(
    solids: Solids, shown: Tensor, origin: Tensor, direction: Tensor, limit: float, width: int
) -> tuple[Tensor, Tensor]:
    """See `training.raycast.nearest`."""
    count, rays = len(origin), max(origin.shape[1], direction.shape[1])
    width = width or rays
    distance = torch.empty((count, rays), device=origin.device)
    slot = torch.empty((count, rays), device=origin.device, dtype=torch.int32)
    across, down = triton.cdiv(width, TILE_WIDTH), triton.cdiv(rays // width, TILE_HEIGHT)
    table = primitive_table(solids, shown)
    origin, direction = (x.expand(count, rays, 3) for x in (origin, direction))
    _nearest[(across * down, count)](
        table, origin, direction, distance, slot, solids.num_boxes, table.shape[1], rays, width, across, limit,
        *origin.stride(), *direction.stride(), TILE_WIDTH, TILE_HEIGHT, TABLE, FAR,
        num_warps=1,
    )  # fmt: skip
    return distance, slot


def primitive_table(solids: Solids, shown: Tensor) -> Tensor:
    """(B, P, `TABLE`) float32: what the kernel reads of each primitive."""
    extent = solids.extent
    box = extent.square().sum(-1)
    tube = extent[..., :2].square().sum(-1)
    radius = torch.where(torch.arange(extent.shape[1], device=extent.device) < solids.num_boxes, box, tube)
    columns = solids.rotation.transpose(-1, -2).flatten(2)
    parts = [columns, solids.center, extent, torch.where(shown, radius * 1.0001 + 1e-9, -1.0)[..., None]]
    return torch.nn.functional.pad(torch.cat(parts, -1), (0, TABLE - 16)).contiguous()


def _kernel(  # type: ignore[no-untyped-def]
    table, origin, direction, distance, slot,
    num_boxes, slots, rays, width, across, limit,
    origin_image, origin_ray, origin_axis, direction_image, direction_ray, direction_axis,
    tile_width: tl.constexpr, tile_height: tl.constexpr, stride: tl.constexpr, far: tl.constexpr,
):  # fmt: skip
    """A tile of one image: axis 0 of the grid counts tiles, axis 1 images. Pointers are to contiguous float32."""
    tile, image = tl.program_id(0), tl.program_id(1).to(tl.int64)
    lane = tl.arange(0, tile_width * tile_height)
    column = (tile % across) * tile_width + lane % tile_width
    row = (tile // across) * tile_height + lane // tile_width
    ray = row * width + column
    inside = (column < width) & (ray < rays)
    start = origin + image * origin_image + ray * origin_ray
    ox = tl.load(start, mask=inside, other=0.0)
    oy = tl.load(start + origin_axis, mask=inside, other=0.0)
    oz = tl.load(start + 2 * origin_axis, mask=inside, other=0.0)
    toward = direction + image * direction_image + ray * direction_ray
    dx = tl.load(toward, mask=inside, other=0.0)
    dy = tl.load(toward + direction_axis, mask=inside, other=0.0)
    dz = tl.load(toward + 2 * direction_axis, mask=inside, other=1.0)
    inverse_square = 1.0 / (dx * dx + dy * dy + dz * dz)
    best = tl.where(inside, limit + 0.0, -1.0) + 0.0 * dx
    found = tl.full([tile_width * tile_height], -1, tl.int32)
    for index in range(slots):
        entry = table + (image * slots + index) * stride
        radius = tl.load(entry + 15)
        if radius >= 0.0:
            px = ox - tl.load(entry + 9)
            py = oy - tl.load(entry + 10)
            pz = oz - tl.load(entry + 11)
            # The foot of the perpendicular from the primitive's centre onto the ray.
            foot = -(px * dx + py * dy + pz * dz) * inverse_square
            ux, uy, uz = px + foot * dx, py + foot * dy, pz + foot * dz
            apart = ux * ux + uy * uy + uz * uz
            ahead = (foot > 0.0) | (px * px + py * py + pz * pz < radius)
            if tl.max(((apart < radius) & ahead).to(tl.int32), 0) > 0:
                r0, r1, r2 = tl.load(entry), tl.load(entry + 1), tl.load(entry + 2)
                r3, r4, r5 = tl.load(entry + 3), tl.load(entry + 4), tl.load(entry + 5)
                r6, r7, r8 = tl.load(entry + 6), tl.load(entry + 7), tl.load(entry + 8)
                e0, e1, e2 = tl.load(entry + 12), tl.load(entry + 13), tl.load(entry + 14)
                x, vx = px * r0 + py * r1 + pz * r2, dx * r0 + dy * r1 + dz * r2
                y, vy = px * r3 + py * r4 + pz * r5, dx * r3 + dy * r4 + dz * r5
                z, vz = px * r6 + py * r7 + pz * r8, dx * r6 + dy * r7 + dz * r8
                if index < num_boxes:
                    ix = 1.0 / tl.where(tl.abs(vx) < 1e-9, 1e-9, vx)
                    iy = 1.0 / tl.where(tl.abs(vy) < 1e-9, 1e-9, vy)
                    iz = 1.0 / tl.where(tl.abs(vz) < 1e-9, 1e-9, vz)
                    sx, sy, sz = e0 * tl.abs(ix), e1 * tl.abs(iy), e2 * tl.abs(iz)
                    near = tl.maximum(tl.maximum(-x * ix - sx, -y * iy - sy), -z * iz - sz)
                    exit_ = tl.minimum(tl.minimum(-x * ix + sx, -y * iy + sy), -z * iz + sz)
                    closer = (near < exit_) & (near > 0.0) & (near < best)
                    best = tl.where(closer, near, best)
                    found = tl.where(closer, index, found)
                else:
                    a = tl.maximum(vx * vx + vz * vz, 1e-12)
                    b = (x * vx + z * vz) / a
                    c = (x * x + z * z) / a
                    outer, inner = b * b - c + e0 * e0 / a, b * b - c + e2 * e2 / a
                    t = -b - tl.sqrt(tl.maximum(outer, 0.0))
                    closer = (outer > 0.0) & (tl.abs(y + t * vy) <= e1) & (t > 0.0) & (t < best)
                    best = tl.where(closer, t, best)
                    found = tl.where(closer, index, found)
                    t = -b + tl.sqrt(tl.maximum(inner, 0.0))
                    closer = (inner * e2 > 0.0) & (tl.abs(y + t * vy) <= e1) & (t > 0.0) & (t < best)
                    best = tl.where(closer, t, best)
                    found = tl.where(closer, index, found)
                    safe = tl.where(tl.abs(vy) < 1e-9, 1e-9, vy)
                    t = (tl.where(safe > 0.0, -e1, e1) - y) / safe
                    square = (x + t * vx) * (x + t * vx) + (z + t * vz) * (z + t * vz)
                    closer = (square <= e0 * e0) & (square >= e2 * e2) & (t > 0.0) & (t < best)
                    best = tl.where(closer, t, best)
                    found = tl.where(closer, index, found)
    place = image * rays + ray
    tl.store(distance + place, tl.where(found < 0, far, best), mask=inside)
    tl.store(slot + place, found, mask=inside)


_nearest: Any = triton.jit(_kernel, do_not_specialize=["num_boxes", "slots", "rays", "width", "across", "limit"])
