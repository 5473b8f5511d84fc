"""Attention along the kinematic tree: SPARK's third level beside attention inside a part and over the object.

Each child attends to its parent, then each parent to all its children (paper section 3; masked attention over every
child token, not over their mean). The output projections start at zero, so an untouched PartCrafter checkpoint gives
PartCrafter's output.
"""

from __future__ import annotations

import torch
from diffusers.models.normalization import FP32LayerNorm
from torch import Tensor, nn

from services.part_dit.attention import NORM_EPS, Attention


class HierarchyBlock(nn.Module):
    """Child to parent, then parent to children.

    Args:
        dim: width D.
        heads: number of heads.
        bidirectional: whether parents attend to their children too.
    """

    def __init__(self, dim: int, heads: int, bidirectional: bool = True) -> None:
        super().__init__()
        self.norm_parent = FP32LayerNorm(dim, NORM_EPS)
        self.attn_parent = Attention(dim, heads)
        self.norm_children = FP32LayerNorm(dim, NORM_EPS) if bidirectional else None
        self.attn_children = Attention(dim, heads) if bidirectional else None
        for attention in (self.attn_parent, self.attn_children):
            if attention is not None:
                for parameter in attention.to_out.parameters():
                    nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor, parents: Tensor) -> Tensor:
        """Exchange along the edges of B trees of K parts each.

        Args:
            tokens: (B, K, S, D).
            parents: (B, K) int64, index in the same object, -1 for a root, which attends to no parent.

        Returns:
            (B, K, S, D).
        """
        tokens = self._from_parent(tokens, parents)
        return self._from_children(tokens, parents) if self.attn_children is not None else tokens

    def _from_parent(self, tokens: Tensor, parents: Tensor) -> Tensor:
        batch, count = parents.shape
        normed: Tensor = self.norm_parent(tokens)
        source = normed.take_along_dim(parents.clamp(min=0)[..., None, None], 1)
        update: Tensor = self.attn_parent(normed.flatten(0, 1), source.flatten(0, 1)).unflatten(0, (batch, count))
        return tokens + update * (parents >= 0)[..., None, None]

    def _from_children(self, tokens: Tensor, parents: Tensor) -> Tensor:
        assert self.attn_children is not None and self.norm_children is not None
        count, length = tokens.shape[1:3]
        is_child = parents[:, None, :] == torch.arange(count, device=parents.device)[None, :, None]
        has_children = is_child.any(-1)
        # A row without any allowed key is NaN in softmax: leaves attend to everything and drop the result.
        allowed = is_child | ~has_children[..., None]
        mask = allowed.repeat_interleave(length, 1).repeat_interleave(length, 2)
        normed = self.norm_children(tokens).flatten(1, 2)
        update: Tensor = self.attn_children(normed, normed, mask[:, None]).unflatten(1, (count, length))
        return tokens + update * has_children[..., None, None]
