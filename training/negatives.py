"""Pictures that the plan model must refuse, each with the reason; endlessly varied, drawn on the library's device.

- no_object: patterns, pages, creatures, empty rooms, heaps of solids, furniture cut into shuffled squares;
- several_objects: two whole objects in one scene, or two photographs in one picture;
- cut_off: a photograph that shows at most `SHOWN` of the object's box;
- unclear: line drawings, and photographs blurred beyond recognition.

A photograph that a caller may well send is none of these: an object that touches the frame, clutter behind it, noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d

from articulation.typing import AnyArray, Array
from services.vlm.plan_format import REFUSALS
from training import patterns, photo
from training.camera import sample_cameras
from training.draw import Split
from training.letterbox import letterbox
from training.library import LINK_FIELDS, SOLID_FIELDS, Library
from training.patterns import log_uniform, uniform
from training.pose import rotation_about
from training.render import Background, Render, render
from training.scene import Scene

SHOWN = (0.2, 0.62)
"""How much of the bounding rectangle of an object's box a cut-off picture shows."""
GAP = (0.1, 0.7)
"""Between two objects of one scene [model units]."""
PLAIN = 0.15
"""Share of renders on white; like the rays a pixel, as in the pictures of objects, or it would give these away."""
SMOOTH = 0.25
"""Share of renders, here and of good pictures, whose pixels average two by two rays; the others cost a third."""

NO_OBJECT, SEVERAL_OBJECTS, CUT_OFF, UNCLEAR = range(len(REFUSALS))


def draw(library: Library, count: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random pictures in random order. The cost is mostly launches, so many at a time are cheap.

    Args:
        library: objects of which some pictures are made.
        count: B.
        size: S [px], a multiple of 8.
        generator: on the library's device.

    Returns:
        (B, S, S, 3) sRGB in [0, 1], and (B,) int64 index into `services.vlm.plan_format.REFUSALS`, on that device.
    """
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    studio = _Studio(library, size, generator, np.random.default_rng(seed))
    shares = np.array([share for share, _, _ in _KINDS])
    # Evenly spaced points over the shares: every kind appears as often as it should, whatever the number of pictures.
    points = (np.arange(count) + studio.rng.random()) / count * shares.sum()
    numbers = np.bincount(np.searchsorted(shares.cumsum()[:-1], points, side="right"), minlength=len(_KINDS))
    drawn = [(picture(studio, int(n)), reason, n) for (_, reason, picture), n in zip(_KINDS, numbers, strict=True) if n]
    pictures = torch.cat([pixels for pixels, _, _ in drawn])
    reasons = torch.tensor(np.repeat([reason for _, reason, _ in drawn], [n for _, _, n in drawn]))
    order = torch.randperm(count, generator=generator, device=generator.device)
    anywhere = torch.ones(pictures.shape[:3], dtype=torch.bool, device=pictures.device)
    return letterbox(pictures[order], anywhere, generator), reasons.to(generator.device)[order]


class _Studio:
    """Takes the pictures of one call of `draw`."""

    def __init__(self, library: Library, size: int, generator: torch.Generator, rng: np.random.Generator) -> None:
        self.library = library
        self.size = size
        self.generator = generator
        self.rng = rng
        self._host = torch.Generator().manual_seed(int(rng.integers(2**62)))

    def pick(self, count: int) -> tuple[Scene, Array]:
        """Random objects, and the half extents (B, 3) of their boxes."""
        rows = self.library.similar(count, self._host)
        return self.library.scene(rows), _host(self.library.half_extent[rows.to(self.library.device)])

    def cameras(self, half_extents: Array) -> Array:
        """(B, 6) views as in training, which frame boxes about the origin."""
        return sample_cameras(self.rng, Split.TRAIN, half_extents)

    def shoot(
        self, scene: Scene, cameras: Array, background: Background | None = None, *, empty: bool = False
    ) -> Render:
        """Closed objects, or their surroundings without them; in any surroundings, or now and then on white."""
        around = background or (Background.WHITE if self.rng.random() < PLAIN else Background.RANDOM)
        q = torch.zeros(scene.link_valid.shape, device=scene.device)
        views = torch.tensor(cameras, dtype=torch.float32, device=scene.device)
        visible = torch.zeros_like(scene.link_valid) if empty else scene.link_valid
        samples = 2 if self.rng.random() < SMOOTH else 1
        return render(scene, views, q, visible, self.size, around, self.generator, samples=samples)

    def photograph(self, count: int) -> Tensor:
        scene, half = self.pick(count)
        return self.shoot(scene, self.cameras(half)).rgb

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return uniform(self.generator, low, high, *shape)


def _developed(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """As a camera that focuses on all of it would show (B, S, S, 3)."""
    table = torch.rand(len(pictures), photo.DRAWS, generator=generator, device=pictures.device)
    grain = torch.randn(pictures.shape, generator=generator, device=pictures.device)
    return photo.developed(pictures, torch.ones_like(pictures[..., 0]), table, grain)


def _pattern(make: Callable[[int, int, torch.Generator], Tensor]) -> Callable[[_Studio, int], Tensor]:
    """Some of the pictures as a camera would take them."""

    def picture(studio: _Studio, count: int) -> Tensor:
        plain = make(count, studio.size, studio.generator)
        taken = _developed(plain, studio.generator)
        return torch.where(studio.uniform(0, 1, count, 1, 1, 1) < 0.6, taken, plain)

    return picture


def _empty_room(studio: _Studio, count: int) -> Tensor:
    scene, half = studio.pick(count)
    return studio.shoot(scene, studio.cameras(half), empty=True).rgb


def _heap(studio: _Studio, count: int) -> Tensor:
    """One to seven solids of other sizes, places and directions: things, but none with parts that move."""
    scene, _ = studio.pick(count)
    generator, shape = studio.generator, scene.owner.shape
    axis = torch.nn.functional.normalize(studio.uniform(-1, 1, *shape, 3), dim=-1)
    odd = torch.where(studio.uniform(0, 1, *shape) < 0.7, studio.uniform(-3, 3, *shape), 0.0)
    rank = torch.where(scene.owner >= 0, studio.uniform(0, 1, *shape), 2.0).argsort(1).argsort(1)
    kept = (scene.owner >= 0) & (rank < studio.uniform(1, 8, count, 1))
    extent = log_uniform(generator, 0.08, 0.7, *shape, 3)
    extent[:, scene.num_boxes :, 2] *= studio.uniform(0, 1, count, 1).round() * 0.3  # inner radius of a ring
    heap = replace(
        scene,
        owner=torch.where(kept, 0, -1),
        center=studio.uniform(-0.7, 0.7, *shape, 3),
        rotation=rotation_about(axis, odd),
        extent=extent,
    )
    return studio.shoot(heap, studio.cameras(studio.rng.uniform(0.5, 1, (count, 1)).repeat(3, 1))).rgb


def _jumble(studio: _Studio, count: int) -> Tensor:
    return patterns.shuffled(studio.photograph(count), studio.generator)


def _pair(studio: _Studio, count: int) -> Tensor:
    scene, half = studio.pick(2 * count)
    both, extent = side_by_side(scene[:count], scene[count:], half[:count], half[count:], studio.rng)
    return studio.shoot(both, studio.cameras(extent)).rgb


def _diptych(studio: _Studio, count: int) -> Tensor:
    """Two photographs of an object each, beside or above each other, on a plain ground."""
    small = avg_pool2d(studio.photograph(2 * count).movedim(-1, 1), 2).movedim(1, -1)
    first, second = small[:count], small[count:]
    margin = studio.size // 4
    ground = patterns.flat(count, studio.size, studio.generator)
    beside, above = ground.clone(), ground
    beside[:, margin : margin + first.shape[1]] = torch.cat([first, second], 2)
    above[:, :, margin : margin + first.shape[1]] = torch.cat([first, second], 1)
    return torch.where(studio.uniform(0, 1, count, 1, 1, 1) < 0.7, beside, above)


def _cut(studio: _Studio, count: int) -> Tensor:
    scene, half = studio.pick(count)
    return studio.shoot(scene, cut_off(studio.cameras(half), half, studio.rng)).rgb


def _drawing(studio: _Studio, count: int) -> Tensor:
    """Outlines of parts and solids in ink of some width, by a more or less steady hand; now and then tinted."""
    scene, half = studio.pick(count)
    seen = studio.shoot(scene, studio.cameras(half), Background.WHITE)
    plane = torch.where(seen.link >= 0, (seen.normal * seen.position).sum(-1), 9.0)
    values = torch.cat([seen.link[..., None] * 2.0, plane[..., None] * 15, seen.normal, seen.albedo * 4], -1)
    across, down = torch.zeros_like(plane), torch.zeros_like(plane)
    across[:, :, 1:] = (values[:, :, 1:] - values[:, :, :-1]).abs().amax(-1)
    down[:, 1:] = (values[:, 1:] - values[:, :-1]).abs().amax(-1)
    ink = (torch.maximum(across, down) > 0.5).float()[:, None]
    wide = max_pool2d(ink, 3, 1, 1)
    ink = torch.where(studio.uniform(0, 1, count, 1, 1, 1) < 0.6, ink, wide)
    shaky = patterns.clouds(count, studio.size, studio.generator).movedim(-1, 1)
    identity = torch.eye(2, 3, device=ink.device).expand(count, 2, 3)
    grid = torch.nn.functional.affine_grid(identity, list(ink.shape), align_corners=False)
    wobble = (shaky[:, :2] - shaky[:, :2].mean((2, 3), keepdim=True)).movedim(1, -1)
    grid = grid + 0.05 * studio.uniform(0, 1, count, 1, 1, 1) ** 2 * wobble
    line = torch.nn.functional.grid_sample(ink, grid, align_corners=False)[:, 0, :, :, None]
    paper = 1 - studio.uniform(0, 0.2, count, 1, 1, 3) * studio.uniform(0, 1, count, 1, 1, 1).round()
    tint = torch.lerp(paper, seen.albedo, studio.uniform(-1, 0.3, count, 1, 1, 1).clamp(min=0))
    drawn = torch.lerp(tint, studio.uniform(0, 0.45, count, 1, 1, 3), line)
    return torch.where(studio.uniform(0, 1, count, 1, 1, 1) < 0.1, 1 - drawn, drawn)  # a blueprint


def _smear(studio: _Studio, count: int) -> Tensor:
    """A photograph out of focus so far that some five to eleven spots across are left."""
    sharp = studio.photograph(count).movedim(-1, 1)
    few = int(studio.rng.integers(5, 12))
    spots = interpolate(sharp, size=(few, few), mode="area")
    blurred = interpolate(spots, size=(studio.size, studio.size), mode="bicubic", align_corners=False)
    return _developed(blurred.movedim(1, -1).clamp(0, 1), studio.generator)


_KINDS: tuple[tuple[float, int, Callable[[_Studio, int], Tensor]], ...] = (
    (4, NO_OBJECT, _pattern(patterns.flat)),
    (7, NO_OBJECT, _pattern(patterns.clouds)),
    (4, NO_OBJECT, _pattern(patterns.stripes)),
    (7, NO_OBJECT, _pattern(patterns.page)),
    (8, NO_OBJECT, _pattern(patterns.leaves)),
    (9, NO_OBJECT, _pattern(patterns.creature)),
    (8, NO_OBJECT, _empty_room),
    (7, NO_OBJECT, _heap),
    (4, NO_OBJECT, _jumble),
    (11, SEVERAL_OBJECTS, _pair),
    (4, SEVERAL_OBJECTS, _diptych),
    (14, CUT_OFF, _cut),
    (10, UNCLEAR, _drawing),
    (3, UNCLEAR, _smear),
)
"""Share, reason, and how such pictures are made."""


def side_by_side(
    left: Scene, right: Scene, left_half: Array, right_half: Array, rng: np.random.Generator
) -> tuple[Scene, Array]:
    """Two objects an image on one floor, of a size and with a gap between them, as a single scene about the origin.

    Args:
        left, right: B objects each, padded alike.
        left_half, right_half: (B, 3) half extents.

    Returns:
        the scene, and the half extents (B, 3) of what holds both.
    """
    count = len(left_half)
    scale = rng.uniform(0.8, 1.25, count)
    right_half = right_half * scale[:, None]
    gap, depth = rng.uniform(*GAP, count), rng.uniform(-0.2, 0.2, count)
    width = left_half[:, 0] + right_half[:, 0] + gap / 2
    top = np.maximum(left_half[:, 1], right_half[:, 1])
    shift_left = np.stack([left_half[:, 0] - width, left_half[:, 1] - top, 0 * depth], -1)
    shift_right = np.stack([width - right_half[:, 0], right_half[:, 1] - top, depth], -1)
    reach = np.maximum(left_half[:, 2], right_half[:, 2] + np.abs(depth))
    first, second = _placed(left, np.ones(count), shift_left), _placed(right, scale, shift_right)
    links, boxes = left.link_valid.shape[1], left.num_boxes

    def joined(name: str) -> Tensor:
        a, b = getattr(first, name), getattr(second, name)
        if name in SOLID_FIELDS:
            return torch.cat([a[:, :boxes], b[:, :boxes], a[:, boxes:], b[:, boxes:]], 1)
        return torch.cat([a, b], 1)

    second = replace(
        second,
        parent=torch.where(second.parent >= 0, second.parent + links, -1),
        owner=torch.where(second.owner >= 0, second.owner + links, -1),
    )
    fields = {name: joined(name) for name in ("link_valid", *LINK_FIELDS, *SOLID_FIELDS)}
    return replace(first, **fields, num_boxes=2 * boxes), np.stack([width, top, reach], -1)


def _placed(scene: Scene, scale: Array, shift: Array) -> Scene:
    """The closed objects scaled by (B,) and then moved by (B, 3)."""
    factor = torch.tensor(scale, dtype=torch.float32, device=scene.device)[:, None, None]
    move = torch.tensor(shift, dtype=torch.float32, device=scene.device)[:, None]
    return replace(
        scene,
        center=scene.center * factor + move,
        extent=scene.extent * factor,
        boxes=scene.boxes * factor + torch.cat([move, torch.zeros_like(move)], -1),
        joint_origin=scene.joint_origin * factor + move,
    )


def cut_off(cameras: Array, half_extents: Array, rng: np.random.Generator) -> Array:
    """The same views (B, 6), zoomed and shifted until they show only `SHOWN` of the rectangle around the object's box.

    One side, a corner or all sides are cut. A zoom here is a crop: the perspective stays.
    """
    count = len(cameras)
    low, high = _rectangle(cameras, half_extents)
    middle, width = (low + high) / 2, high - low
    shown = rng.uniform(*SHOWN, count)
    share = rng.random(count) * (rng.random(count) < 0.6)
    share = np.where(rng.random(count) < 0.5, share, 1 - share)
    fraction = np.stack([shown**share, shown ** (1 - share)], -1)
    most = (2 / (fraction * width)).min(-1)
    zoom = rng.uniform(np.minimum(0.8, most), np.minimum(most, 3))
    edge = rng.choice([-1.0, 1.0], (count, 2)) * (1 + width * zoom[:, None] * (0.5 - fraction))
    close = rng.random(count) < 0.25
    inside = np.sqrt(4 / (shown * width.prod(-1)))
    zoom = np.where(close, inside, zoom)
    slack = np.maximum(width * inside[:, None] / 2 - 1, 0)
    centre = np.where(close[:, None], rng.uniform(-1, 1, (count, 2)) * slack, edge)
    tangent = np.tan(cameras[:, 3] / 2) / zoom
    shift: Array = centre - zoom[:, None] * (middle - cameras[:, 4:])
    return np.concatenate([cameras[:, :3], 2 * np.arctan(tangent)[:, None], shift], -1)


def _rectangle(cameras: Array, half_extents: Array) -> tuple[Array, Array]:
    """(B, 2) lowest and highest image coordinates (u, v) of the corners of boxes about the origin."""
    azimuth, elevation, distance, fov = cameras[:, :4].T
    corners = half_extents[:, None] * np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    sa, ca, se, ce = np.sin(azimuth), np.cos(azimuth), np.sin(elevation), np.cos(elevation)
    x, y, z = corners.transpose(2, 0, 1)
    right = ca[:, None] * x - sa[:, None] * z
    up = (-sa * se)[:, None] * x + ce[:, None] * y - (ca * se)[:, None] * z
    back = (sa * ce)[:, None] * x + se[:, None] * y + (ca * ce)[:, None] * z
    image = np.stack([right, -up], -1) / ((distance[:, None] - back) * np.tan(fov / 2)[:, None])[..., None]
    return image.min(1) + cameras[:, 4:], image.max(1) + cameras[:, 4:]


def _host(values: Tensor) -> Array:
    numbers: AnyArray = values.double().cpu().numpy()
    return numbers
