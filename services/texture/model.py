"""The texture network: base colour of a surface point from the photograph, a picture of the object and one of its part.

Three sources meet at a point: features of the pictures at its pixel, a few latents that sum up which colours the part
shows where (read from a sample of its surface and from the pictures), and the point's own place and visibility. The
answer is a recipe: a mixture of the colours that the pictures hold for this point and of a palette gathered by the
latents, with a gain and an offset that take the light out. A recipe changes slowly over a surface and the pictures do
not, so that baking asks for recipes coarsely, looks colours up for every texel, and stays as sharp as the photograph.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as fn
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from services.texture.observation import (
    CUE_CHANNELS,
    MAP_CHANNELS,
    SOURCES,
    Observation,
    View,
    look_up,
    maps,
    observe,
    sample,
    window,
)
from services.texture.projection import project

FREQUENCIES = 4
"""Octaves of the part-relative position given to the network."""

RECIPE_CHANNELS = SOURCES + 9
"""Weights of the sources, the palette's share of the mixture, gain, offset."""

WHOLE = (0.0, 0.0, 1.0)
"""The window that is the whole picture."""


@dataclass(frozen=True)
class Condition:
    """What a view says about a part, computed once for all its points.

    Attributes:
        windows: (B, 3) square of the picture that the features cover.
        features: (B, C, S, S) pixel-aligned features of the pictures.
        latents: (B, L, W) summary of the part as seen.
        palette: (B, L, 3) a colour per latent, each a mean of colours seen.
    """

    windows: Tensor
    features: Tensor
    latents: Tensor
    palette: Tensor


class TextureModel(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Surface colour network.

    Args:
        image_size: side of the depth maps, and of pictures before the encoder reads them.
        channels: widths of the image encoder, one a level, each level half the side of the one before.
        feature_channels: width of the pixel-aligned features.
        width: width of the point network.
        num_latents: latents, and so palette colours, a part.
        num_heads: attention heads.
        num_mixers: layers in which the latents look at one another.
        num_blocks: residual layers of the point network.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        image_size: int = 128,
        channels: tuple[int, ...] = (32, 64, 128, 192),
        feature_channels: int = 32,
        width: int = 128,
        num_latents: int = 16,
        num_heads: int = 4,
        num_mixers: int = 2,
        num_blocks: int = 1,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.image_size = image_size
        self.encoder = Pyramid(MAP_CHANNELS, tuple(channels), feature_channels)
        point_channels = feature_channels + 3 * SOURCES + CUE_CHANNELS + 6 * FREQUENCIES
        self.point_in = nn.Linear(point_channels, width)
        self.cell_in = nn.ModuleList(nn.Linear(channels[-1], width) for _ in ("window", "whole"))
        self.latent_tokens = nn.Parameter(torch.randn(num_latents, width) * 0.5)
        self.gather = CrossAttention(width, num_heads)
        self.mixers = nn.ModuleList(CrossAttention(width, num_heads) for _ in range(num_mixers))
        self.palette_query = nn.Linear(width, width)
        self.palette_key = nn.Linear(width, SOURCES * width)
        self.read = CrossAttention(width, num_heads)
        self.blocks = nn.ModuleList(FeedForward(width) for _ in range(num_blocks))
        self.norm_out = nn.LayerNorm(width)
        self.weigh = nn.Linear(width, SOURCES)
        self.weigh_palette = nn.Linear(width, width)
        self.correct = nn.Linear(width, 6)
        nn.init.zeros_(self.correct.weight)
        nn.init.zeros_(self.correct.bias)

    def forward(
        self, view: View, points: Tensor, normals: Tensor, context_points: Tensor, context_normals: Tensor
    ) -> Tensor:
        """Base colour, sRGB, (B, N, 3), of (B, N, 3) points; not clamped, so that gradients survive at black and white.

        Args:
            view: B parts.
            points: (B, N, 3) on the parts' surfaces.
            normals: (B, N, 3) outward, unit.
            context_points: (B, M, 3) a random sample of each part's surface.
            context_normals: (B, M, 3).
        """
        seen = observe(view, points, normals)
        return compose(self._recipes(self.condition(view, context_points, context_normals), seen), seen.colors)

    def condition(self, view: View, points: Tensor, normals: Tensor) -> Condition:
        """Read the pictures and a random sample (B, M, 3) of each part's surface."""
        batch = len(points)
        windows = window(view)
        both = maps(view, torch.stack([windows, windows.new_tensor(WHOLE).expand(batch, 3)], 1))
        features, cells = self.encoder(both.transpose(0, 1).flatten(0, 1))
        seen = observe(view, points, normals)
        tokens = self.point_in(self._inputs(seen, features[:batch], windows))
        cells = [layer(own) for layer, own in zip(self.cell_in, cells.split(batch), strict=True)]
        latents: Tensor = self.gather(self.latent_tokens.expand(batch, -1, -1), torch.cat([tokens, *cells], 1))
        for mixer in self.mixers:
            latents = mixer(latents, latents)
        keys = self.palette_key(tokens).unflatten(-1, (SOURCES, -1)).flatten(1, 2)
        weights = self.palette_query(latents) @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5
        palette = weights.float().softmax(-1) @ seen.colors.flatten(1, 2)
        return Condition(windows, features[:batch], latents, palette)

    def recipes(self, view: View, condition: Condition, points: Tensor, normals: Tensor) -> Tensor:
        """(B, N, RECIPE_CHANNELS) for `compose`, under a condition computed before."""
        return self._recipes(condition, observe(view, points, normals))

    def _recipes(self, condition: Condition, seen: Observation) -> Tensor:
        hidden = self.point_in(self._inputs(seen, condition.features, condition.windows))
        hidden = self.read(hidden, condition.latents)
        for block in self.blocks:
            hidden = block(hidden)
        hidden = self.norm_out(hidden)
        logits = self.weigh_palette(hidden) @ condition.latents.transpose(1, 2) / hidden.shape[-1] ** 0.5
        weights = torch.cat([self.weigh(hidden), logits], -1).float().softmax(-1)
        painted = weights[..., SOURCES:] @ condition.palette
        gain, offset = self.correct(hidden).float().split(3, -1)
        return torch.cat([weights[..., :SOURCES], painted, gain.clamp(-2, 2).exp(), offset], -1)

    def _inputs(self, seen: Observation, features: Tensor, windows: Tensor) -> Tensor:
        """(B, N, C) all that is known of a point."""
        place = seen.cues[..., 3:6]
        octaves = 2.0 ** torch.arange(FREQUENCIES, device=place.device) * torch.pi / 2
        angles = (place[..., None] * octaves).flatten(-2)
        local = sample(features, (seen.image - windows[:, None, :2]) / windows[:, None, 2:])
        parts = [seen.colors.flatten(-2) * 2 - 1, seen.cues, angles.sin(), angles.cos()]
        return torch.cat([local, *parts], -1)


def compose(recipes: Tensor, colors: Tensor) -> Tensor:
    """(..., 3) colours by recipes (..., RECIPE_CHANNELS) from those that the pictures hold (..., SOURCES, 3)."""
    weights, painted, gain, offset = recipes.split([SOURCES, 3, 3, 3], -1)
    corrected: Tensor = ((weights[..., None] * colors).sum(-2) + painted) * gain + offset
    return corrected


def texel_colors(view: View, points: Tensor, recipes: Tensor) -> Tensor:
    """(B, N, 3) colours of surface points (B, N, 3) by recipes (B, N, RECIPE_CHANNELS) made for points near them."""
    image, _ = project(points, view.camera)
    return compose(recipes, look_up(view, points, image))


class Pyramid(nn.Module):
    """A convolutional feature pyramid: fine features that know their surroundings, and the coarsest level's cells."""

    def __init__(self, in_channels: int, channels: tuple[int, ...], out_channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(in_channels, channels[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, stride=2, padding=1),
                nn.GroupNorm(8, b),
                nn.SiLU(),
                nn.Conv2d(b, b, 3, padding=1),
                nn.GroupNorm(8, b),
                nn.SiLU(),
            )
            for a, b in pairwise(channels)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(c, out_channels, 1) for c in channels)
        self.smooth = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, S, S) to features (B, D, S, S) and (B, N, channels[-1]) the cells of the coarsest level."""
        levels = [fn.silu(self.stem(picture))]
        for down in self.down:
            levels.append(down(levels[-1]))
        merged = self.lateral[-1](levels[-1])
        for lateral, level in zip(reversed(self.lateral[:-1]), reversed(levels[:-1]), strict=True):
            above = fn.interpolate(merged, level.shape[-2:], mode="bilinear", align_corners=False)
            merged = lateral(level) + above
        return self.smooth(fn.silu(merged)), levels[-1].flatten(2).transpose(1, 2)


class CrossAttention(nn.Module):
    """Pre-norm attention of (B, N, W) queries over (B, M, W) tokens, with a residual feed-forward layer."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm_query = nn.LayerNorm(width)
        self.norm_token = nn.LayerNorm(width)
        self.to_query = nn.Linear(width, width)
        self.to_key_value = nn.Linear(width, 2 * width)
        self.to_out = nn.Linear(width, width)
        self.feed_forward = FeedForward(width)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        query = self.to_query(self.norm_query(queries)).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        key_value = self.to_key_value(self.norm_token(tokens)).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        key, value = key_value.chunk(2, -1)
        mixed = fn.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(-2)
        hidden: Tensor = self.feed_forward(queries + self.to_out(mixed))
        return hidden


class FeedForward(nn.Module):
    """Pre-norm residual layer, twice as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, hidden: Tensor) -> Tensor:
        out: Tensor = hidden + self.down(fn.silu(self.up(self.norm(hidden))))
        return out
