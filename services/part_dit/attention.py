"""The transformer block that the part DiT and the part VAE are made of, in TripoSG's parameter layout.

Parameter names and shapes are those of the published checkpoints: `norm1`, `attn1.{to_q,to_k,to_v,norm_q,norm_k,
to_out.0}`, `norm2`, `attn2`, `norm3`, `ff.net.{0.proj,2}`, `skip_linear`, `skip_norm`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from diffusers.models.attention import FeedForward
from diffusers.models.normalization import FP32LayerNorm
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend

NORM_EPS = 1e-5
QK_NORM_EPS = 1e-6

KERNELS = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]
"""Attention kernels in the order in which a GPU should try them."""


class KeyValue(NamedTuple):
    """A context as attention uses it: `key` and `value`, both (N, L, heads, D / heads)."""

    key: Tensor
    value: Tensor


class Attention(nn.Module):
    """Multi-head attention whose projections are packed head by head.

    The projections are concatenated before they are cut into heads, so head h takes the h-th slice of [q | k | v]
    (or of [k | v] when it attends to a context) and not of each of them. Published weights depend on this order.

    Args:
        dim: width D of the tokens.
        heads: number of heads.
        context_dim: width of the context; None attends to the tokens themselves.
        qk_norm: RMS-normalise queries and keys head by head.
        normalise_context: layer-normalise the context first.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        context_dim: int | None = None,
        *,
        qk_norm: bool = True,
        normalise_context: bool = False,
    ) -> None:
        super().__init__()
        self.heads = heads
        source_dim = dim if context_dim is None else context_dim
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(source_dim, dim, bias=False)
        self.to_v = nn.Linear(source_dim, dim, bias=False)
        self.norm_q = nn.RMSNorm(dim // heads, eps=QK_NORM_EPS) if qk_norm else None
        self.norm_k = nn.RMSNorm(dim // heads, eps=QK_NORM_EPS) if qk_norm else None
        self.norm_cross = nn.LayerNorm(source_dim) if normalise_context else None
        self.to_out = nn.ModuleList([nn.Linear(dim, dim)])

    def key_value(self, context: Tensor) -> KeyValue:
        """(N, L, E) context -> what `forward` takes in its place, when the same context is attended to often."""
        if self.norm_cross is not None:
            context = self.norm_cross(context)
        weight = torch.cat([self.to_k.weight, self.to_v.weight])
        key, value = functional.linear(context, weight).unflatten(-1, (self.heads, 2, -1)).unbind(-2)
        return KeyValue(key if self.norm_k is None else _rms_norm(key, self.norm_k), value)

    def forward(
        self,
        tokens: Tensor,
        context: Tensor | KeyValue | None = None,
        mask: Tensor | None = None,
        groups: Sequence[int] | None = None,
    ) -> Tensor:
        """Attend.

        Args:
            tokens: (N, S, D).
            context: (N, L, E), or what `key_value` made of it; None attends to `tokens`.
            mask: (N, 1, S, L) bool, True where attention is allowed.
            groups: without a context, how many successive rows each attend to one another's tokens; None is one each.

        Returns:
            (N, S, D).
        """
        if context is None:
            weight = torch.cat([self.to_q.weight, self.to_k.weight, self.to_v.weight])
            query, key, value = functional.linear(tokens, weight).unflatten(-1, (self.heads, 3, -1)).unbind(-2)
            if self.norm_k is not None:
                key = _rms_norm(key, self.norm_k)
        else:
            query = self.to_q(tokens).unflatten(-1, (self.heads, -1))
            key, value = context if isinstance(context, KeyValue) else self.key_value(context)
        if self.norm_q is not None:
            query = _rms_norm(query, self.norm_q)
        if groups is None:
            mixed = _attend(query, key, value, mask)
        elif len(set(groups)) == 1:
            joined = (tensor.unflatten(0, (len(groups), -1)).flatten(1, 2) for tensor in (query, key, value))
            mixed = _attend(*joined).view(tokens.shape)
        else:
            # Group by group and not padded: each is long enough to fill a GPU, and all else is done for all at once.
            rows = zip(*(tensor.split(list(groups)) for tensor in (query, key, value)), strict=True)
            mixed = torch.cat([_attend(*(own.flatten(0, 1)[None] for own in group))[0] for group in rows])
            mixed = mixed.view(tokens.shape)
        output: Tensor = self.to_out[0](mixed)
        return output

    def of_nothing(self) -> Tensor:
        """(D,) what `forward` gives for a context of zeros: their keys and values are zero."""
        bias = self.to_out[0].bias
        assert isinstance(bias, Tensor)
        return bias


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """(N, S, heads, D / heads) queries, (N, L, heads, D / heads) keys and values -> (N, S, D)."""
    mixed = functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=mask
    )
    return mixed.transpose(1, 2).flatten(2)


def _rms_norm(values: Tensor, norm: nn.RMSNorm) -> Tensor:
    """`norm(values)` in the dtype of the values: a mixed dtype, as under autocast, has no fused kernel."""
    return functional.rms_norm(values, norm.normalized_shape, norm.weight.to(values.dtype), norm.eps)


class Block(nn.Module):
    """Pre-norm transformer block: self-attention, cross-attention and feed-forward, each of them residual.

    Args:
        dim: width D.
        heads: number of heads.
        self_attention: whether tokens attend to each other.
        context_dim: width of the cross-attended context; None leaves cross-attention out.
        qk_norm: as in `Attention`.
        normalise_context: as in `Attention`, for cross-attention.
        skip: whether the block takes a skip connection; the norm comes after the linear layer, as in the weights.
        mlp_ratio: hidden width of the feed-forward part over D.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        self_attention: bool = True,
        context_dim: int | None = None,
        qk_norm: bool = True,
        normalise_context: bool = False,
        skip: bool = False,
        mlp_ratio: float = 4.0,
    ) -> None:
        super().__init__()
        self.norm1 = FP32LayerNorm(dim, NORM_EPS) if self_attention else None
        self.attn1 = Attention(dim, heads, qk_norm=qk_norm) if self_attention else None
        crosses = context_dim is not None
        self.norm2 = FP32LayerNorm(dim, NORM_EPS) if crosses else None
        self.attn2 = (
            Attention(dim, heads, context_dim, qk_norm=qk_norm, normalise_context=normalise_context)
            if crosses
            else None
        )
        self.norm3 = FP32LayerNorm(dim, NORM_EPS)
        self.ff = FeedForward(dim, activation_fn="gelu", inner_dim=int(mlp_ratio * dim))
        self.skip_linear = nn.Linear(2 * dim, dim) if skip else None
        self.skip_norm = FP32LayerNorm(dim, NORM_EPS) if skip else None

    def forward(
        self,
        tokens: Tensor,
        context: Tensor | KeyValue | None = None,
        skip: Tensor | None = None,
        groups: Sequence[int] | None = None,
        blind: int = 0,
    ) -> Tensor:
        """Transform.

        Args:
            tokens: (N, S, D).
            context: of the last N - `blind` rows, (N - blind, L, E) or its keys and values.
            skip: (N, S, D), for a block with a skip connection.
            groups: how many successive rows each attend to one another's tokens; None is one each.
            blind: how many of the first rows have a context of zeros.

        Returns:
            (N, S, D).
        """
        if self.skip_linear is not None and self.skip_norm is not None and skip is not None:
            tokens = self.skip_norm(self.skip_linear(torch.cat([skip, tokens], dim=-1)))
        if self.attn1 is not None and self.norm1 is not None:
            tokens = tokens + self.attn1(self.norm1(tokens), groups=groups)
        if self.attn2 is not None and self.norm2 is not None:
            update = self.attn2(self.norm2(tokens[blind:]), context)
            if blind:
                update = torch.cat([self.attn2.of_nothing().to(update.dtype).expand_as(tokens[:blind]), update])
            tokens = tokens + update
        output: Tensor = tokens + self.ff(self.norm3(tokens))
        return output
