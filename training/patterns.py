"""Pictures of no object at all, endlessly varied: colours, noise, stripes, pages, overlapping shapes, creatures.

Every function returns (B, S, S, 3) sRGB in [0, 1] on the generator's device, and costs a number of kernels that does
not depend on B.
"""

from __future__ import annotations

from math import log

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

LEAVES = 40
"""Shapes that overlap in a picture of `leaves`; drawn at half resolution, since each is a whole plane."""
GLYPHS, GLYPH = 96, (9, 6)
"""Signs of a page's alphabet, and the rows and columns of one with its margin [pixel of the page]."""
PAGE = (40, 56)
"""Lines and signs of a page, of which a picture shows all or a piece."""
BALLS = 12
"""Balls that a creature is made of."""


def uniform(generator: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=generator, device=generator.device)


def log_uniform(generator: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    return uniform(generator, log(low), log(high), *shape).exp()


def flat(count: int, size: int, generator: torch.Generator) -> Tensor:
    """One colour, often white, black or grey, or a gradient between two."""
    x, _ = _turned(count, size, generator)
    first, second = _colors(generator, count, 2).unbind(1)
    grey = uniform(generator, 0, 1, count, 1)
    first = torch.where(grey < 0.6, (grey * 5 - 1).clamp(0, 1), first)
    second = torch.where(uniform(generator, 0, 1, count, 1) < 0.5, first, second)
    return torch.lerp(first[:, None, None], second[:, None, None], ((x + 1) / 2).clamp(0, 1)[..., None])


def clouds(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Coloured noise of any spectrum, from white noise to slow clouds; one over the frequency looks like nature."""
    plain = _noise(count, size, generator, 3, (0.0, 2.2))
    contrast = log_uniform(generator, 0.03, 0.4, count, 1, 1, 1)
    saturation = uniform(generator, 0, 1, count, 1, 1, 1) ** 2
    grey = plain[..., :1]
    return (_colors(generator, count, 1)[:, :, None] + contrast * torch.lerp(grey, plain, saturation)).clamp(0, 1)


def stripes(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Stripes, checks, rings and waves, soft or sharp."""
    x, y = _turned(count, size, generator)
    pace = log_uniform(generator, 2, 90, count, 1, 1)
    along, across = (x * pace).sin(), (y * pace * log_uniform(generator, 0.3, 3, count, 1, 1)).sin()
    rings = ((x**2 + y**2).sqrt() * pace).sin()
    kind = uniform(generator, 0, 3, count, 1, 1)
    wave = torch.where(kind < 1, along, torch.where(kind < 2, along * across, rings))
    mix = (wave * log_uniform(generator, 0.5, 40, count, 1, 1)).sigmoid()[..., None]
    first, second = _colors(generator, count, 2)[:, :, None, None].unbind(1)
    return torch.lerp(first, second, mix)


def page(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Rows of random signs on paper: words, lines of uneven length, paragraphs, at any scale and angle."""
    device, (lines, columns), (rows, width) = generator.device, PAGE, GLYPH
    bars = uniform(generator, 0, 1, GLYPHS, rows, 1) < 0.3
    posts = uniform(generator, 0, 1, GLYPHS, 1, width) < 0.35
    gaps = uniform(generator, 0, 1, GLYPHS, rows, width) < 0.75
    alphabet = ((bars | posts) & gaps).float()
    alphabet[:, :2], alphabet[:, :, -1:] = 0, 0
    sign = torch.randint(GLYPHS, (count, lines, columns), generator=generator, device=device)
    length = uniform(generator, 0.3, 1.3, count, lines, 1)
    blank = uniform(generator, 0, 1, count, lines, 1) < uniform(generator, 0, 0.4, count, 1, 1)
    space = uniform(generator, 0, 1, count, lines, columns) < 0.17
    written = ~blank & ~space & (torch.arange(columns, device=device) / columns < length)
    ink = (alphabet[sign] * written[..., None, None]).permute(0, 1, 3, 2, 4).reshape(count, 1, lines * rows, -1)
    zoom, angle = log_uniform(generator, 0.25, 1.1, count), uniform(generator, -1, 1, count) ** 5 * 1.5
    shift = uniform(generator, -0.5, 0.5, count, 2)
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    affine = torch.stack([cos, -sin, shift[:, 0], sin, cos, shift[:, 1]], -1).view(count, 2, 3)
    grid = affine_grid(affine, [count, 1, size, size], align_corners=False)
    mask = grid_sample(ink, grid, align_corners=False)[:, 0, :, :, None]
    first, second = _colors(generator, count, 2)[:, :, None, None].unbind(1)
    printed = uniform(generator, 0, 1, count, 1, 1, 1) < 0.7
    paper, black = torch.where(printed, 1 - first * 0.15, first), torch.where(printed, second * 0.25, second)
    return torch.lerp(paper, black, mask)


def leaves(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Ellipses and blocks of all sizes that hide each other, each with a texture: the statistics of photographs."""
    half = size // 2
    ticks = torch.linspace(-1, 1, half, device=generator.device)
    extent = log_uniform(generator, 0.04, 1.0, count, LEAVES, 1, 1)
    squeeze, angle = (
        log_uniform(generator, 0.3, 1, count, LEAVES, 1, 1),
        uniform(generator, 0, 3.15, count, LEAVES, 1, 1),
    )
    center = uniform(generator, -1.1, 1.1, 2, count, LEAVES, 1, 1)
    dx, dy = ticks - center[0], ticks[:, None] - center[1]
    u, v = (dx * angle.cos() + dy * angle.sin()) / extent, (dy * angle.cos() - dx * angle.sin()) / (extent * squeeze)
    round_ = uniform(generator, 0, 1, count, LEAVES, 1, 1) < 0.6
    inside = torch.where(round_, u**2 + v**2, torch.maximum(u.abs(), v.abs())) < 1
    inside[:, -1] = True
    index = inside.to(torch.uint8).argmax(1).flatten(1)

    def leaf(value: Tensor) -> Tensor:
        """(B, H, H, C) the value (B, LEAVES, C) of the leaf on top."""
        top: Tensor = value.take_along_dim(index[..., None], 1)
        return top.view(count, half, half, -1)

    shade = leaf(uniform(generator, -0.5, 0.5, count, LEAVES, 2))
    slope = (shade * torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), -1)).sum(-1, keepdim=True)
    texture = leaf(uniform(generator, 0, 1, count, LEAVES, 1) ** 2) * _noise(count, half, generator, 1, (0.3, 1.5))
    picture = leaf(_colors(generator, count, LEAVES)) * (1 + 0.6 * slope + 0.3 * texture)
    large: Tensor = interpolate(picture.movedim(-1, 1), size=(size, size), mode="bilinear", align_corners=False)
    return large.movedim(1, -1).clamp(0, 1)


def creature(count: int, size: int, generator: torch.Generator) -> Tensor:
    """A soft body of merging balls with fur or skin, shaded, sometimes with eyes, before leaves or clouds."""
    device = generator.device
    turn = uniform(generator, -0.9, 0.9, count, BALLS).cumsum(1) + uniform(generator, 0, 6.3, count, 1)
    step = torch.stack([turn.cos(), turn.sin()], -1) * uniform(generator, 0.1, 0.35, count, 1, 1)
    middle = step.cumsum(1)
    middle = middle - middle.mean(1, keepdim=True) + uniform(generator, -0.3, 0.3, count, 1, 2)
    radius = log_uniform(generator, 0.08, 0.4, count, BALLS)
    ticks = torch.linspace(-1, 1, size, device=device)
    apart = (ticks - middle[..., 0, None, None]) ** 2 + (ticks[:, None] - middle[..., 1, None, None]) ** 2
    field = (-apart / radius[..., None, None] ** 2).exp().sum(1)
    fur = _noise(count, size, generator, 3, (0.4, 1.8))
    edge = field - 0.45 + 0.05 * fur[..., 0]
    body = (edge * 30).sigmoid()[..., None]
    down, right = torch.gradient(field.clamp(max=2), dim=(1, 2))
    light = uniform(generator, -1, 1, 2, count, 1, 1)
    lit = 0.75 + 0.25 * torch.tanh((down * light[0] + right * light[1]) * size * 0.25)
    first, second = _colors(generator, count, 2)[:, :, None, None].unbind(1)
    patches = (fur[..., 1:2] * log_uniform(generator, 0.3, 6, count, 1, 1, 1)).sigmoid()
    coat = torch.lerp(first, second, patches) * (1 + uniform(generator, 0, 0.4, count, 1, 1, 1) * fur[..., 2:])
    head = middle[:, :1] + radius[:, :1, None] * uniform(generator, -0.5, 0.5, count, 2, 2)
    seen = torch.where(uniform(generator, 0, 1, count, 1) < 0.6, radius[:, :1] * 0.18, 0.0)[..., None, None]
    eyes = ((ticks - head[..., 0, None, None]) ** 2 + (ticks[:, None] - head[..., 1, None, None]) ** 2 < seen**2).any(1)
    animal = torch.where(eyes[..., None], 0.03, coat * lit[..., None])
    behind = torch.where(
        uniform(generator, 0, 1, count, 1, 1, 1) < 0.5,
        leaves(count, size, generator),
        clouds(count, size, generator),
    )
    return torch.lerp(behind, animal, body).clamp(0, 1)


def shuffled(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Squares of pictures (B, S, S, 3) in any order across the batch: surfaces of objects without objects."""
    count, size = pictures.shape[:2]
    across = 4 if size % 8 else 8
    side = size // across
    tiles = pictures.view(count, across, side, across, side, 3).transpose(2, 3).reshape(-1, side, side, 3)
    order = torch.randperm(len(tiles), generator=generator, device=generator.device)
    return tiles[order].view(count, across, across, side, side, 3).transpose(2, 3).reshape(pictures.shape)


def _noise(count: int, size: int, generator: torch.Generator, channels: int, slope: tuple[float, float]) -> Tensor:
    """(B, S, S, C) noise of mean 0 and variance 1 whose amplitude falls as a random power of the frequency.

    Frequencies are stretched along one direction, so that some noise is streaky.
    """
    device = generator.device
    white = torch.randn((count, channels, size, size), generator=generator, device=device)
    fy, fx = torch.fft.fftfreq(size, device=device)[:, None], torch.fft.rfftfreq(size, device=device)
    angle, stretch = uniform(generator, 0, 3.15, count, 1, 1), log_uniform(generator, 1, 5, count, 1, 1)
    along, across = fx * angle.cos() + fy * angle.sin(), fy * angle.cos() - fx * angle.sin()
    radius = ((along * stretch) ** 2 + (across / stretch) ** 2).sqrt().clamp(min=0.5 / size)
    gain: Tensor = radius ** -uniform(generator, *slope, count, 1, 1)
    gain[:, 0, 0] = 0
    x: Tensor = torch.fft.irfft2(torch.fft.rfft2(white) * gain[:, None], s=(size, size))
    return (x / x.std((2, 3), keepdim=True).clamp(min=1e-6)).movedim(1, -1)


def _turned(count: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(B, S, S) two coordinates, about -1 to 1, of axes at a random angle and place."""
    ticks = torch.linspace(-1, 1, size, device=generator.device)
    angle = uniform(generator, 0, 6.3, count, 1, 1)
    shift = uniform(generator, -0.7, 0.7, 2, count, 1, 1)
    x, y = ticks - shift[0], ticks[:, None] - shift[1]
    return x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()


def _colors(generator: torch.Generator, count: int, number: int) -> Tensor:
    """(B, N, 3) sRGB, grey more often than bright."""
    value = uniform(generator, 0.02, 0.98, count, number, 1)
    tint = uniform(generator, -1, 1, count, number, 3) * uniform(generator, 0, 1, count, number, 1) ** 2 * 0.5
    return (value + tint).clamp(0, 1)
