"""The part DiT: PartCrafter's transformer, with SPARK's part images, kinematic tree and planned boxes.

Every PartCrafter parameter keeps its name and shape. What SPARK adds lives under new names (`hierarchy_blocks`,
`position_embedding`, `token_embedding`, `box_embedding`, `box_token`), starts at zero and is switched on in the config,
so an untouched PartCrafter checkpoint gives PartCrafter's output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.normalization import FP32LayerNorm
from torch import Tensor, nn

from services.part_dit import box_frame
from services.part_dit.attention import NORM_EPS, Block, KeyValue
from services.part_dit.embedding import BoxEmbedding, BoxToken
from services.part_dit.hierarchy import HierarchyBlock

ADDED_MODULES = ("hierarchy_blocks.", "position_embedding.", "token_embedding", "box_embedding.", "box_token.")
"""Prefixes of the parameters that a PartCrafter checkpoint does not have."""


@dataclass(frozen=True)
class Sight:
    """What the parts of a batch see: the same at every step of a sampling run, so it is worked out once.

    Attributes:
        layers: keys and values of each block; a global block has them object by object, a local one part by part.
        owners: (N - blind,) int64 object of each part that sees.
        blind: how many of the N parts, the first ones, see nothing: guidance mixes their velocities with the others'.
    """

    layers: tuple[KeyValue, ...]
    owners: Tensor
    blind: int


class PartCrafterDiTModel(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Velocity of the latents of an object's parts.

    Global blocks attend over the tokens of all parts of an object and to its object image; local blocks attend inside
    a part and to that part's own image. Time enters as one more token in front of each part's tokens.

    `enable_gradient_checkpointing` makes training compute the blocks' activations twice instead of keeping them.

    Args:
        num_attention_heads: heads of every block.
        width: width of the tokens.
        in_channels: latent channels C.
        num_layers: number of blocks; the second half takes skip connections from the first.
        cross_attention_dim: width of the image tokens.
        max_num_parts: rows of the part embeddings.
        enable_part_embedding: add an embedding of the part's place in its object.
        enable_local_cross_attn: whether local blocks see an image, and not zeros, where there are global blocks.
        enable_global_cross_attn: whether global blocks see an image, and not zeros.
        global_attn_block_ids: the global blocks; the others are local.
        global_attn_block_id_range: first and last global block, where there is no list.
        mlp_ratio: hidden width of feed-forward layers over `width`.
        hierarchy_attn_block_ids: blocks after which parts attend along the kinematic tree.
        hierarchy_bidirectional: whether parents attend to their children too.
        enable_position_embedding: add an embedding of the link's index in the plan.
        enable_box_embedding: accept planned boxes.
        num_latent_tokens: T learned token embeddings, for latents whose tokens have an order; None for sets.
        enable_box_token: latents are those of parts in their box frame (`box_frame`), and one more token after the T
            others holds, in its first six channels, the part's box code less that of the planned box.
    """

    _supports_gradient_checkpointing = True

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        num_attention_heads: int = 16,
        width: int = 2048,
        in_channels: int = 64,
        num_layers: int = 21,
        cross_attention_dim: int = 1024,
        max_num_parts: int = 32,
        enable_part_embedding: bool = True,
        enable_local_cross_attn: bool = True,
        enable_global_cross_attn: bool = True,
        global_attn_block_ids: Sequence[int] | None = None,
        global_attn_block_id_range: Sequence[int] | None = None,
        mlp_ratio: float = 4.0,
        hierarchy_attn_block_ids: Sequence[int] = (),
        hierarchy_bidirectional: bool = True,
        enable_position_embedding: bool = False,
        enable_box_embedding: bool = False,
        num_latent_tokens: int | None = None,
        enable_box_token: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if enable_box_token and in_channels < box_frame.CHANNELS:
            raise ValueError(f"a box token needs {box_frame.CHANNELS} channels, got {in_channels}")
        self.gradient_checkpointing = False
        self.in_channels = in_channels
        self.max_num_parts = max_num_parts
        self.num_latent_tokens = num_latent_tokens
        if global_attn_block_ids is None and global_attn_block_id_range is not None:
            first, last = global_attn_block_id_range
            global_attn_block_ids = range(first, last + 1)
        self.global_blocks = frozenset(global_attn_block_ids or ())
        self.local_sees = enable_local_cross_attn or not self.global_blocks
        self.global_sees = enable_global_cross_attn
        self.time_embed = Timesteps(width, flip_sin_to_cos=False, downscale_freq_shift=0)
        self.time_proj = TimestepEmbedding(width, 4 * width, act_fn="gelu", out_dim=width)
        self.proj_in = nn.Linear(in_channels, width)
        self.part_embedding = nn.Embedding(max_num_parts, width) if enable_part_embedding else None
        self.blocks = nn.ModuleList(
            Block(
                width,
                num_attention_heads,
                context_dim=cross_attention_dim,
                skip=layer > num_layers // 2,
                mlp_ratio=mlp_ratio,
            )
            for layer in range(num_layers)
        )
        self.norm_out = FP32LayerNorm(width, NORM_EPS)
        self.proj_out = nn.Linear(width, in_channels)
        self.hierarchy_blocks = nn.ModuleDict(
            {
                str(layer): HierarchyBlock(width, num_attention_heads, hierarchy_bidirectional)
                for layer in hierarchy_attn_block_ids
            }
        )
        self.position_embedding = nn.Embedding(max_num_parts, width) if enable_position_embedding else None
        if self.position_embedding is not None:
            nn.init.zeros_(self.position_embedding.weight)
        self.box_embedding = BoxEmbedding(width) if enable_box_embedding else None
        self.token_embedding = None
        if num_latent_tokens is not None:
            self.token_embedding = nn.Parameter(torch.zeros(num_latent_tokens, width))
        self.box_token = BoxToken(width) if enable_box_token else None

    def forward(
        self,
        hidden_states: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor | Sight,
        *,
        num_parts: Sequence[int] | None = None,
        global_encoder_hidden_states: Tensor | None = None,
        part_index: Tensor | None = None,
        link_index: Tensor | None = None,
        parent_index: Tensor | None = None,
        boxes: Tensor | None = None,
        box_known: Tensor | None = None,
    ) -> Tensor:
        """Predict velocities, data minus noise.

        Args:
            hidden_states: (N, T, C) noisy latents, part after part and object after object.
            timestep: (N,) noise level times 1000, equal over an object.
            encoder_hidden_states: (N, L, E) tokens of each part's own image, or what `look` made of all images.
            num_parts: parts of each of the B objects, summing to N; None is one object.
            global_encoder_hidden_states: (B, L, E) tokens of each object's image; None takes the first part's.
            part_index: (N,) int64 rows of `part_embedding`; None counts up in each object.
            link_index: (N,) int64 rows of `position_embedding`, the link's index in the plan; None counts up.
            parent_index: (N,) int64 parent's index in the same object, -1 for the root; needed with hierarchy.
            boxes: (N, 6) planned centre and half extent; None when unknown.
            box_known: (N,) bool, False where `boxes` holds nothing; None is True everywhere.

        Returns:
            Like `hidden_states`; of a box token, the channels that hold no box are zero.

        Raises:
            ValueError: the part counts do not sum to N, or `parent_index` is missing.
        """
        counts = (len(hidden_states),) if num_parts is None else tuple(int(n) for n in num_parts)
        if sum(counts) != len(hidden_states) or min(counts) < 1:
            raise ValueError(f"num_parts {counts} do not add up to the batch of {len(hidden_states)} parts")
        if self.hierarchy_blocks and parent_index is None:
            raise ValueError("parent_index is needed: this model attends along the kinematic tree")
        places = _places(counts, hidden_states.device)
        tokens = self._embed(
            hidden_states,
            timestep,
            places if part_index is None else part_index,
            places if link_index is None else link_index,
            boxes,
            box_known,
        )
        if not isinstance(encoder_hidden_states, Sight):
            if global_encoder_hidden_states is None:
                global_encoder_hidden_states = encoder_hidden_states[places == 0]
            encoder_hidden_states = self.look(encoder_hidden_states, global_encoder_hidden_states, counts)
        tokens = self._transform(tokens, encoder_hidden_states, counts, parent_index)
        tokens = self.norm_out(tokens)[:, 1:]
        if self.box_token is None:
            output: Tensor = self.proj_out(tokens)
            return output
        box = self.box_token.output(tokens[:, -1:])
        unused = box.new_zeros(*box.shape[:-1], self.in_channels - box_frame.CHANNELS)
        return torch.cat([self.proj_out(tokens[:, :-1]), torch.cat([box, unused], dim=-1)], dim=1)

    def look(
        self, part_images: Tensor, object_images: Tensor, num_parts: Sequence[int] | None = None, *, blind: int = 0
    ) -> Sight:
        """Work out what the blocks see.

        Args:
            part_images: (N, L, E) tokens of each part's own image.
            object_images: (B, L, E) tokens of each object's image.
            num_parts: parts of each of the B objects; None is one object.
            blind: how many parts that see nothing come before these in the batch.
        """
        counts = (len(part_images),) if num_parts is None else num_parts
        part_images = part_images if self.local_sees else torch.zeros_like(part_images)
        object_images = object_images if self.global_sees else torch.zeros_like(object_images)
        layers = []
        for layer, block in enumerate(self.blocks):
            assert isinstance(block, Block) and block.attn2 is not None
            layers.append(block.attn2.key_value(object_images if layer in self.global_blocks else part_images))
        return Sight(tuple(layers), _owners(counts, part_images.device), blind)

    def _embed(
        self,
        latents: Tensor,
        timestep: Tensor,
        part_index: Tensor,
        link_index: Tensor,
        boxes: Tensor | None,
        box_known: Tensor | None,
    ) -> Tensor:
        """(N, T, C) -> (N, 1 + T, D), the time token first."""
        box = None if self.box_token is None else self.box_token.input(latents[:, -1:, : box_frame.CHANNELS])
        tokens: Tensor = self.proj_in(latents if box is None else latents[:, :-1])
        if self.token_embedding is not None:
            tokens = tokens + self.token_embedding
        if box is not None:
            tokens = torch.cat([tokens, box], dim=1)
        time = self.time_proj(self.time_embed(timestep).to(tokens.dtype))
        tokens = torch.cat([time[:, None], tokens], dim=1)
        if self.part_embedding is not None:
            tokens = tokens + self.part_embedding(part_index)[:, None]
        if self.position_embedding is not None:
            tokens = tokens + self.position_embedding(link_index)[:, None]
        if self.box_embedding is not None and boxes is not None:
            embedded = self.box_embedding(boxes if self.box_token is None else box_frame.encode(boxes))
            if box_known is not None:
                embedded = embedded * box_known[:, None]
            tokens = tokens + embedded[:, None]
        return tokens

    def _transform(self, tokens: Tensor, sight: Sight, counts: Sequence[int], parents: Tensor | None) -> Tensor:
        """Run the blocks over the parts of all objects.

        Args:
            tokens: (N, S, D).
            sight: of these parts.
            counts: parts of each object, summing to N.
            parents: (N,) int64, index in the same object.

        Returns:
            (N, S, D).
        """
        middle = len(self.blocks) // 2
        skips: list[Tensor] = []
        for layer, (block, seen) in enumerate(zip(self.blocks, sight.layers, strict=True)):
            is_global = layer in self.global_blocks
            skip = skips.pop() if layer > middle else None
            context = KeyValue(seen.key[sight.owners], seen.value[sight.owners]) if is_global else seen
            tokens = self._run(block, tokens, context, skip, tuple(counts) if is_global else None, sight.blind)
            if layer < middle:
                skips.append(tokens)
            if str(layer) in self.hierarchy_blocks and parents is not None:
                tokens = self._run(self._exchange, self.hierarchy_blocks[str(layer)], tokens, counts, parents)
        return tokens

    def _run(self, block: Callable[..., Tensor], *inputs: object) -> Tensor:
        if not (self.gradient_checkpointing and torch.is_grad_enabled()):
            return block(*inputs)
        output: Tensor = self._gradient_checkpointing_func(block, *inputs)  # type: ignore[misc]  # set with the flag
        return output

    @staticmethod
    def _exchange(block: nn.Module, tokens: Tensor, counts: Sequence[int], parents: Tensor) -> Tensor:
        """A hierarchy block over objects of different part counts, (N, S, D) -> (N, S, D)."""
        if len(set(counts)) == 1:
            grouped = (len(counts), -1)
            output: Tensor = block(tokens.unflatten(0, grouped), parents.view(grouped)).flatten(0, 1)
            return output
        objects = zip(tokens.split(list(counts)), parents.split(list(counts)), strict=True)
        return torch.cat([block(own[None], edges[None])[0] for own, edges in objects])


def _places(counts: Sequence[int], device: torch.device) -> Tensor:
    """(N,) index of each part in its object."""
    if len(set(counts)) == 1:
        return torch.arange(counts[0], device=device).repeat(len(counts))
    return torch.cat([torch.arange(count, device=device) for count in counts])


def _owners(counts: Sequence[int], device: torch.device) -> Tensor:
    """(N,) index of each part's object."""
    if len(set(counts)) == 1:
        return torch.arange(len(counts), device=device).repeat_interleave(counts[0])
    return torch.cat([torch.full((count,), index, device=device) for index, count in enumerate(counts)])
