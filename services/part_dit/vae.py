"""The part VAE: a surface's points to a set of latent tokens, and back to a field that is positive inside.

TripoSG's layout (names, shapes, sign). Its encoder picks query tokens by farthest-point sampling, so that tokens have
no order; the compact model learns `num_query_tokens` of them instead, which makes the order canonical and lets the
latents be whitened token by token.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.normalization import FP32LayerNorm
from torch import Tensor, nn

from services.part_dit.attention import NORM_EPS, Block
from services.part_dit.embedding import FrequencyEmbedding

NORMAL_CHANNELS = 3
CANDIDATES_PER_TOKEN = 4


class Posterior(NamedTuple):
    """A diagonal Gaussian over latents: `mean` and `log_variance`, both (N, T, C)."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(self.mean.shape, device=self.mean.device, dtype=self.mean.dtype, generator=generator)
        return self.mean + torch.exp(0.5 * self.log_variance) * noise

    def kl(self) -> Tensor:
        """Mean divergence from the standard normal, per latent channel."""
        return 0.5 * (self.mean**2 + self.log_variance.exp() - 1 - self.log_variance).mean()


def _cross_block(dim: int, heads: int, mlp_ratio: float) -> Block:
    """A block whose tokens attend to others alone, not to each other."""
    return Block(
        dim,
        heads,
        self_attention=False,
        context_dim=dim,
        qk_norm=False,
        normalise_context=True,
        mlp_ratio=mlp_ratio,
    )


class TripoSGEncoder(nn.Module):
    """Query tokens attend once to all surface points, then to each other."""

    def __init__(self, in_channels: int, dim: int, heads: int, layers: int, mlp_ratio: float) -> None:
        super().__init__()
        self.proj_in = nn.Linear(in_channels, dim)
        cross = _cross_block(dim, heads, mlp_ratio)
        self.blocks = nn.ModuleList(
            [cross, *(Block(dim, heads, qk_norm=False, mlp_ratio=mlp_ratio) for _ in range(layers))]
        )
        self.norm_out = FP32LayerNorm(dim, NORM_EPS)

    def forward(self, tokens: Tensor, points: Tensor) -> Tensor:
        """(N, T, D) query tokens and (N, P, F) point features -> (N, T, D)."""
        tokens = self.blocks[0](tokens, self.proj_in(points))
        for block in self.blocks[1:]:
            tokens = block(tokens)
        output: Tensor = self.norm_out(tokens)
        return output


class TripoSGDecoder(nn.Module):
    """Latent tokens attend to each other, then each query point attends once to them."""

    def __init__(self, in_channels: int, dim: int, heads: int, layers: int, mlp_ratio: float) -> None:
        super().__init__()
        cross = _cross_block(dim, heads, mlp_ratio)
        self.blocks = nn.ModuleList(
            [*(Block(dim, heads, qk_norm=False, mlp_ratio=mlp_ratio) for _ in range(layers)), cross]
        )
        self.proj_query = nn.Linear(in_channels, dim)
        self.norm_out = FP32LayerNorm(dim, NORM_EPS)
        self.proj_out = nn.Linear(dim, 1)

    def tokens(self, latents: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D), what the queries attend to."""
        for block in self.blocks[:-1]:
            latents = block(latents)
        return latents

    def query(self, tokens: Tensor, points: Tensor) -> Tensor:
        """(N, T, D) and (N, Q, F) point features -> (N, Q), negative inside."""
        output: Tensor = self.proj_out(self.norm_out(self.blocks[-1](self.proj_query(points), tokens)))
        return output.squeeze(-1)


class TripoSGVAEModel(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Surface points to latents to an implicit surface, all in model space.

    Args:
        in_channels: coordinates of a point.
        latent_channels: C.
        num_attention_heads: of every layer.
        width_encoder: width of the encoder.
        width_decoder: width of the decoder.
        num_layers_encoder: self-attention layers after the encoder's cross-attention.
        num_layers_decoder: self-attention layers before the decoder's cross-attention.
        embed_frequency: octaves of the points' Fourier features.
        embed_include_pi: whether their frequencies are multiples of pi.
        mlp_ratio: hidden width of feed-forward layers over their width.
        num_query_tokens: T learned query tokens; None samples them from the surface, as TripoSG does.
        truncation: the field is the signed distance over this [model units], clamped to [-1, 1]; None when the
            field's scale is unknown, as for the published weights.
    """

    latent_mean: Tensor
    latent_std: Tensor

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        in_channels: int = 3,
        latent_channels: int = 64,
        num_attention_heads: int = 8,
        width_encoder: int = 512,
        width_decoder: int = 1024,
        num_layers_encoder: int = 8,
        num_layers_decoder: int = 16,
        embed_frequency: int = 8,
        embed_include_pi: bool = False,
        mlp_ratio: float = 4.0,
        num_query_tokens: int | None = None,
        truncation: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.num_query_tokens = num_query_tokens
        self.truncation = truncation
        self.embedder = FrequencyEmbedding(embed_frequency, embed_include_pi)
        features = self.embedder.width(in_channels)
        heads = num_attention_heads
        self.encoder = TripoSGEncoder(features + NORMAL_CHANNELS, width_encoder, heads, num_layers_encoder, mlp_ratio)
        self.decoder = TripoSGDecoder(features, width_decoder, heads, num_layers_decoder, mlp_ratio)
        self.quant = nn.Linear(width_encoder, 2 * latent_channels)
        self.post_quant = nn.Linear(latent_channels, width_decoder)
        if num_query_tokens is not None:
            self.query_tokens = nn.Parameter(torch.randn(num_query_tokens, width_encoder))
            self.register_buffer("latent_mean", torch.zeros(num_query_tokens, latent_channels))
            self.register_buffer("latent_std", torch.ones(()))

    def encode(
        self, surface: Tensor, num_tokens: int | None = None, generator: torch.Generator | None = None
    ) -> Posterior:
        """Encode surfaces.

        Args:
            surface: (N, P, 6) points and unit normals.
            num_tokens: T when the query tokens are sampled from the surface; ignored when they are learned.
            generator: for that sampling.
        """
        features = torch.cat([self.embedder(surface[..., :3]), surface[..., 3:].float()], dim=-1)
        features = features.to(self.quant.weight.dtype)
        if self.num_query_tokens is not None:
            tokens = self.query_tokens.expand(len(surface), -1, -1)
        elif num_tokens is not None:
            chosen = sample_farthest(surface[..., :3], num_tokens, generator)
            picked = features.gather(1, chosen[..., None].expand(-1, -1, features.shape[-1]))
            tokens = self.encoder.proj_in(picked)
        else:
            raise ValueError("num_tokens is needed: this VAE samples its query tokens")
        mean, log_variance = self.quant(self.encoder(tokens, features)).float().chunk(2, dim=-1)
        return Posterior(mean, log_variance.clamp(-30.0, 20.0))

    def decode(self, latents: Tensor) -> Tensor:
        """(N, T, C) latents -> (N, T, D) tokens for `query`, computed once a part."""
        return self.decoder.tokens(self.post_quant(latents))

    def query(self, tokens: Tensor, points: Tensor) -> Tensor:
        """(N, T, D) tokens from `decode` and (N, Q, 3) points -> (N, Q) field, positive inside."""
        return -self.decoder.query(tokens, self.embedder(points).to(tokens.dtype)).float()

    def normalise(self, latents: Tensor) -> Tensor:
        """(N, T, C) latents as encoded -> as the DiT models them: zero mean token by token, unit variance overall."""
        return (latents - self.latent_mean) / self.latent_std if self._whitens else latents

    def denormalise(self, latents: Tensor) -> Tensor:
        """The inverse of `normalise`."""
        return latents * self.latent_std + self.latent_mean if self._whitens else latents

    @torch.no_grad()
    def fit_normalisation(self, latents: Tensor) -> None:
        """Take mean and deviation from (N, T, C) encoded latents of the training set."""
        self.latent_mean.copy_(latents.mean(0))
        self.latent_std.copy_((latents - latents.mean(0)).std())

    @property
    def _whitens(self) -> bool:
        return self.num_query_tokens is not None


def sample_farthest(points: Tensor, count: int, generator: torch.Generator | None = None) -> Tensor:
    """(N, P, 3) -> (N, count) indices of points far from each other, out of 4 * count random ones."""
    batch, total = points.shape[:2]
    keys = torch.rand(batch, total, device=points.device, generator=generator)
    candidates = keys.topk(min(CANDIDATES_PER_TOKEN * count, total), dim=1).indices
    cloud = points.gather(1, candidates[..., None].expand(-1, -1, 3)).float()
    row = torch.arange(batch, device=points.device)
    nearest = torch.full(cloud.shape[:2], torch.inf, device=points.device)
    current = torch.zeros(batch, dtype=torch.long, device=points.device)
    chosen = []
    for _ in range(count):
        chosen.append(current)
        nearest = torch.minimum(nearest, (cloud - cloud[row, current][:, None]).square().sum(-1))
        current = nearest.argmax(dim=1)
    return candidates.gather(1, torch.stack(chosen, dim=1))
