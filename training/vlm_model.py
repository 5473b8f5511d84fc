"""The compact VLM: a Qwen3-VL of a few million parameters, and a batched forward pass for training it.

The stock forward loops over images and indexes with masks; every sequence here has the same layout, so the same
weights run in a handful of large kernels that compile without a graph break:

    opening | G*G image tokens | prompt, answer, padding
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from training.vlm_tokenizer import IMAGE, PAD, VIDEO, VISION_END, VISION_START

VISION_THETA = 10000.0


@dataclass(frozen=True)
class ModelSize:
    """Sizes that a training run chooses.

    Attributes:
        image: side of the square input [px].
        patch: side of a patch [px]; 2 x 2 patches make one image token.
    """

    image: int = 384
    patch: int = 16
    vision_width: int = 256
    vision_depth: int = 8
    vision_heads: int = 4
    vision_mlp: int = 1024
    deepstack: tuple[int, ...] = (3,)
    text_width: int = 384
    text_depth: int = 6
    text_mlp: int = 1024
    heads: int = 6
    kv_heads: int = 2

    @property
    def grid(self) -> int:
        """Image tokens along a side."""
        return self.image // (2 * self.patch)


TOY = ModelSize(image=64, patch=8, vision_width=64, vision_depth=2, vision_heads=2, vision_mlp=128, deepstack=(0,),
                text_width=128, text_depth=2, text_mlp=256, heads=2, kv_heads=1)  # fmt: skip


def build_model(size: ModelSize, vocabulary: dict[str, int]) -> Qwen3VLForConditionalGeneration:
    """A model with random weights, float32.

    Args:
        vocabulary: token to id, as `tokenizers.Tokenizer.get_vocab` gives it.
    """
    rows = -(-len(vocabulary) // 64) * 64
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": rows,
            "hidden_size": size.text_width,
            "intermediate_size": size.text_mlp,
            "num_hidden_layers": size.text_depth,
            "num_attention_heads": size.heads,
            "num_key_value_heads": size.kv_heads,
            "head_dim": 64,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [12, 10, 10],
                "mrope_interleaved": True,
            },
            "tie_word_embeddings": True,
            "pad_token_id": vocabulary[PAD],
        },
        vision_config={
            "depth": size.vision_depth,
            "hidden_size": size.vision_width,
            "intermediate_size": size.vision_mlp,
            "num_heads": size.vision_heads,
            "patch_size": size.patch,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": size.text_width,
            "num_position_embeddings": (2 * size.grid) ** 2,
            "deepstack_visual_indexes": list(size.deepstack),
        },
        image_token_id=vocabulary[IMAGE],
        video_token_id=vocabulary[VIDEO],
        vision_start_token_id=vocabulary[VISION_START],
        vision_end_token_id=vocabulary[VISION_END],
        tie_word_embeddings=True,
    )
    return Qwen3VLForConditionalGeneration(config)


@dataclass(frozen=True)
class Layout:
    """What is the same for every sequence: rotary tables and where the image stands.

    Attributes:
        opening: tokens before the image.
        images: image tokens.
        text: cos and sin (1, 1, T, 64).
        vision: cos and sin (1, 1, N, head width).
    """

    opening: int
    images: int
    text: tuple[Tensor, Tensor]
    vision: tuple[Tensor, Tensor]

    @property
    def start(self) -> int:
        """Index of the first token after the image."""
        return self.opening + self.images


def layout(model: Qwen3VLForConditionalGeneration, size: ModelSize, opening: int, length: int) -> Layout:
    """Tables for sequences of `length` tokens whose image follows `opening` tokens."""
    device = model.device
    grid = size.grid
    rows, columns = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    before = torch.arange(opening).expand(3, -1)
    image = opening + torch.stack([torch.zeros_like(rows), rows, columns]).reshape(3, -1)
    after = (opening + grid + torch.arange(length - opening - grid * grid)).expand(3, -1)
    positions = torch.cat([before, image, after], 1)[:, None].to(device)
    cos, sin = model.model.language_model.rotary_emb(torch.zeros(1, device=device), positions)
    return Layout(opening, grid * grid, (cos[:, None], sin[:, None]), _vision_rotary(size, device))


def _vision_rotary(size: ModelSize, device: torch.device) -> tuple[Tensor, Tensor]:
    """cos and sin (1, 1, N, head width) of patch rows and columns, in the order of `patches`."""
    width = size.vision_width // size.vision_heads
    frequency = VISION_THETA ** -(torch.arange(0, width // 2, 2, device=device).float() / (width // 2))
    place = _merge_order(torch.cartesian_prod(*[torch.arange(2 * size.grid, device=device)] * 2), size.grid)
    angle = (place[..., None].float() * frequency).flatten(1)
    angle = torch.cat([angle, angle], -1)[None, None]
    return angle.cos(), angle.sin()


def _merge_order(rows: Tensor, grid: int) -> Tensor:
    """(N, ...) in raster order of patches -> (N, ...) with the four patches of a token side by side."""
    return rows.reshape(grid, 2, grid, 2, *rows.shape[1:]).transpose(1, 2).reshape(rows.shape)


def patches(images: Tensor, patch: int) -> Tensor:
    """(B, S, S, 3) in [0, 1] -> (B, N, 3 * patch * patch) in [-1, 1], in the order of Qwen's image processor."""
    batch, side = images.shape[:2]
    grid = side // (2 * patch)
    tiles = images.reshape(batch, grid, 2, patch, grid, 2, patch, 3).permute(0, 1, 4, 2, 5, 7, 3, 6)
    return tiles.reshape(batch, 4 * grid * grid, -1) * 2 - 1


@dataclass(frozen=True, eq=False)
class Seen:
    """What the vision tower makes of B pictures.

    Attributes:
        tokens: [(B, N / 4, C)] the image tokens, then what deepstack adds after each of the first decoder layers.
        patches: (B, N, W) hidden states of all patches.
    """

    tokens: list[Tensor]
    patches: Tensor


def encode_images(model: Qwen3VLForConditionalGeneration, table: Layout, pixels: Tensor, dropout: float = 0.0) -> Seen:
    """The vision tower.

    Args:
        pixels: (B, N, 3 * patch * patch) from `patches`.
        dropout: of what each block adds.
    """
    visual = model.model.visual
    convolution = visual.patch_embed.proj
    hidden = functional.linear(pixels, convolution.weight.sum(2).flatten(1), convolution.bias)
    hidden = hidden + _merge_order(visual.pos_embed.weight, int((pixels.shape[1] // 4) ** 0.5))
    deep: list[Tensor] = []
    for index, block in enumerate(visual.blocks):
        batch, count, width = hidden.shape
        heads = block.attn.num_heads
        qkv = block.attn.qkv(block.norm1(hidden)).reshape(batch, count, 3, heads, width // heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        attended = functional.scaled_dot_product_attention(_rotate(q, table.vision), _rotate(k, table.vision), v)
        attended = block.attn.proj(attended.transpose(1, 2).reshape(batch, count, width))
        hidden = hidden + functional.dropout(attended, dropout)
        hidden = hidden + functional.dropout(block.mlp(block.norm2(hidden)), dropout)
        if index in visual.deepstack_visual_indexes:
            deep.append(visual.deepstack_merger_list[len(deep)](hidden))
    tokens = [visual.merger(hidden), *deep]
    return Seen([x.reshape(len(pixels), table.images, -1) for x in tokens], hidden)


Memory = list[tuple[Tensor, Tensor]]
"""Keys and values (B, kv heads, T, 64) of the tokens so far, a pair a decoder layer."""


def decode(
    model: Qwen3VLForConditionalGeneration,
    table: Layout,
    image_tokens: list[Tensor],
    ids: Tensor,
    dropout: float = 0.0,
    memory: Memory | None = None,
) -> Tensor:
    """The decoder under a causal mask; padding on the right needs no mask of its own.

    Args:
        image_tokens: from `encode_images`.
        ids: (B, T) tokens, of which the image's are ignored.
        dropout: of what each layer adds.
        memory: an empty list, to go on with `decode_next`.

    Returns:
        (B, T, C) normalised hidden states; times the embedding they are logits.
    """
    language = model.model.language_model
    embedded = language.embed_tokens(ids)
    around = embedded[:, : table.opening], image_tokens[0].to(embedded.dtype), embedded[:, table.start :]
    hidden = torch.cat(around, 1)
    cos, sin = (x[:, :, : ids.shape[1]] for x in table.text)
    for index, layer in enumerate(language.layers):
        hidden, keys = _decoder_layer(layer, hidden, (cos, sin), dropout)
        if memory is not None:
            memory.append(keys)
        if index + 1 < len(image_tokens):
            added = functional.pad(image_tokens[index + 1], (0, 0, table.opening, ids.shape[1] - table.start))
            hidden = hidden + added
    normalised: Tensor = language.norm(hidden)
    return normalised


def decode_next(model: Qwen3VLForConditionalGeneration, table: Layout, ids: Tensor, memory: Memory) -> Tensor:
    """One more token after those in `memory`, which grows by it.

    Args:
        ids: (B, 1) text tokens.

    Returns:
        (B, 1, C) as `decode`.
    """
    language = model.model.language_model
    hidden = language.embed_tokens(ids)
    place = memory[0][0].shape[2]
    cos, sin = (x[:, :, place : place + 1] for x in table.text)
    for index, layer in enumerate(language.layers):
        hidden, memory[index] = _decoder_layer(layer, hidden, (cos, sin), past=memory[index])
    normalised: Tensor = language.norm(hidden)
    return normalised


def _decoder_layer(
    layer: Any,
    hidden: Tensor,
    rotary: tuple[Tensor, Tensor],
    dropout: float = 0.0,
    past: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """One layer, and the keys and values of all tokens so far."""
    attention: Any = layer.self_attn
    normed = layer.input_layernorm(hidden)
    shape = (*normed.shape[:2], -1, attention.head_dim)
    q = _rotate(attention.q_norm(attention.q_proj(normed).view(shape)).transpose(1, 2), rotary)
    k = _rotate(attention.k_norm(attention.k_proj(normed).view(shape)).transpose(1, 2), rotary)
    v = attention.v_proj(normed).view(shape).transpose(1, 2)
    if past is not None:
        k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
    attended = functional.scaled_dot_product_attention(q, k, v, is_causal=past is None, enable_gqa=True)
    hidden = hidden + functional.dropout(attention.o_proj(attended.transpose(1, 2).flatten(2)), dropout)
    mlp = layer.mlp(layer.post_attention_layernorm(hidden))
    return hidden + functional.dropout(mlp, dropout), (k, v)


def _rotate(x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = rotary
    first, second = x.float().chunk(2, -1)
    rotated = x.float() * cos + torch.cat([-second, first], -1) * sin
    return rotated.to(x.dtype)
