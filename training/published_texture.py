"""A random checkpoint with precisely the names, shapes, folders and configs of SDXL and of MV-Adapter's adapter for it.

    python -m training.published_texture --out out/random-texture

As `training.published_layout`: names are listed by hand, not taken from the classes that load them. base/ follows
stabilityai/stable-diffusion-xl-base-1.0, adapter/ the file mvadapter_ig2mv_sdxl.safetensors of huanngzh/mv-adapter,
whose names follow from github.com/huanngzh/MV-Adapter: `_save_custom_adapter` keeps the UNet's weights with `_mv` or
`_ref` in their names and those of the condition encoder. No header of a published file could be read.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from training.published_layout import Shapes, linear, norm, write_folder


@dataclass(frozen=True)
class Text:
    """Sizes of a text encoder; `inner` of its feed-forward layers, `projection` is 0 where there is none."""

    width: int
    heads: int
    layers: int
    inner: int
    projection: int
    act: str


@dataclass(frozen=True)
class Sizes:
    """Sizes of the published models; `SMALL` has most of them smaller.

    Attributes:
        channels: of the UNet's three levels.
        depths: transformer blocks of an attention of each level; the first level has no attention.
        head: channels of an attention head.
        time_bands: channels of each number that goes with a picture.
        sample: side of the latents that SDXL was made for.
        vae_channels: of the VAE's four levels.
        first, second: the text encoders.
        vocabulary: of both.
    """

    channels: tuple[int, int, int] = (320, 640, 1280)
    depths: tuple[int, int, int] = (1, 2, 10)
    head: int = 64
    time_bands: int = 256
    sample: int = 128
    vae_channels: tuple[int, ...] = (128, 256, 512, 512)
    first: Text = Text(768, 12, 12, 3072, 0, "quick_gelu")
    second: Text = Text(1280, 20, 32, 5120, 1280, "gelu")
    vocabulary: int = 49408

    @property
    def prompt(self) -> int:
        """Channels of a token of the prompt, both encoders' side by side."""
        return self.first.width + self.second.width


FULL = Sizes()
SMALL = replace(
    FULL,
    channels=(32, 32, 64),
    depths=(1, 1, 2),
    head=16,
    time_bands=8,
    sample=8,
    vae_channels=(32, 32, 32, 32),
    first=Text(16, 2, 2, 32, 0, "quick_gelu"),
    second=Text(24, 2, 2, 48, 24, "gelu"),
    vocabulary=514,
)

LATENT = 4
TIME_IDS = 6
"""Numbers that go with a picture: its size before cropping, the crop, its size."""

TOKENS = 77
LAYERS = 2
"""Residual layers of a level of the UNet and of the VAE's encoder; their ways up have one more."""


def unet_shapes(sizes: Sizes) -> Shapes:
    """Names and shapes of base/unet/."""
    channels, wide = sizes.channels, 4 * sizes.channels[0]
    yield from _conv("conv_in", channels[0], LATENT)
    yield from linear("time_embedding.linear_1", wide, channels[0])
    yield from linear("time_embedding.linear_2", wide, wide)
    yield from linear("add_embedding.linear_1", wide, TIME_IDS * sizes.time_bands + sizes.second.projection)
    yield from linear("add_embedding.linear_2", wide, wide)
    passed = [channels[0]]
    for level, width in enumerate(channels):
        for layer in range(LAYERS):
            yield from _resnet(f"down_blocks.{level}.resnets.{layer}", passed[-1], width, wide)
            passed.append(width)
            if level:
                yield from _transformer(f"down_blocks.{level}.attentions.{layer}", sizes, level)
        if level < len(channels) - 1:
            yield from _conv(f"down_blocks.{level}.downsamplers.0.conv", width, width)
            passed.append(width)
    deepest = len(channels) - 1
    for layer in range(2):
        yield from _resnet(f"mid_block.resnets.{layer}", channels[-1], channels[-1], wide)
    yield from _transformer("mid_block.attentions.0", sizes, deepest)
    came = channels[-1]
    for index, level in enumerate(reversed(range(len(channels)))):
        width = channels[level]
        for layer in range(LAYERS + 1):
            yield from _resnet(f"up_blocks.{index}.resnets.{layer}", came + passed.pop(), width, wide)
            came = width
            if level:
                yield from _transformer(f"up_blocks.{index}.attentions.{layer}", sizes, level)
        if level:
            yield from _conv(f"up_blocks.{index}.upsamplers.0.conv", width, width)
    yield from norm("conv_norm_out", channels[0])
    yield from _conv("conv_out", LATENT, channels[0])


def adapter_shapes(sizes: Sizes) -> Shapes:
    """Names and shapes of adapter/: beside each self-attention layer of the UNet, and the encoder of the maps."""
    for name, shape in unet_shapes(sizes):
        if name.endswith("attn1.to_q.weight"):
            processor, width = f"{name.removesuffix('.to_q.weight')}.processor", shape[0]
            for kind in ("mv", "ref"):
                for part in ("q", "k", "v"):
                    yield f"{processor}.to_{part}_{kind}.weight", (width, width)
                yield from linear(f"{processor}.to_out_{kind}.0", width, width)
    widths = (*sizes.channels, sizes.channels[-1])
    yield from _conv("adapter.conv_in", widths[0], 6 * 16 * 16)
    for level, width in enumerate(widths):
        before = widths[max(level - 1, 0)]
        if width != before:
            yield from _conv(f"adapter.body.{level}.in_conv", width, before, 1)
        for layer in range(2):
            yield from _conv(f"adapter.body.{level}.resnets.{layer}.block1", width, width)
            yield from _conv(f"adapter.body.{level}.resnets.{layer}.block2", width, width, 1)


def vae_shapes(sizes: Sizes) -> Shapes:
    """Names and shapes of base/vae/."""
    channels = sizes.vae_channels
    last, ends = len(channels) - 1, {"encoder": (3, 2 * LATENT), "decoder": (LATENT, 3)}
    for half, order in (("encoder", channels), ("decoder", channels[::-1])):
        yield from _conv(f"{half}.conv_in", order[0], ends[half][0])
        direction, sampler = ("down", "downsamplers") if half == "encoder" else ("up", "upsamplers")
        came = order[0]
        for level, width in enumerate(order):
            for layer in range(LAYERS + (half == "decoder")):
                yield from _resnet(f"{half}.{direction}_blocks.{level}.resnets.{layer}", came, width)
                came = width
            if level < last:
                yield from _conv(f"{half}.{direction}_blocks.{level}.{sampler}.0.conv", width, width)
        middle = channels[-1]
        for layer in range(2):
            yield from _resnet(f"{half}.mid_block.resnets.{layer}", middle, middle)
        yield from norm(f"{half}.mid_block.attentions.0.group_norm", middle)
        for part in ("to_q", "to_k", "to_v", "to_out.0"):
            yield from linear(f"{half}.mid_block.attentions.0.{part}", middle, middle)
        yield from norm(f"{half}.conv_norm_out", order[-1])
        yield from _conv(f"{half}.conv_out", ends[half][1], order[-1])
    yield from _conv("quant_conv", 2 * LATENT, 2 * LATENT, 1)
    yield from _conv("post_quant_conv", LATENT, LATENT, 1)


def text_shapes(text: Text, vocabulary: int) -> Shapes:
    """Names and shapes of base/text_encoder/ and base/text_encoder_2/."""
    yield "text_model.embeddings.token_embedding.weight", (vocabulary, text.width)
    yield "text_model.embeddings.position_embedding.weight", (TOKENS, text.width)
    for layer in range(text.layers):
        block = f"text_model.encoder.layers.{layer}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from linear(f"{block}.self_attn.{part}", text.width, text.width)
        yield from norm(f"{block}.layer_norm1", text.width)
        yield from linear(f"{block}.mlp.fc1", text.inner, text.width)
        yield from linear(f"{block}.mlp.fc2", text.width, text.inner)
        yield from norm(f"{block}.layer_norm2", text.width)
    yield from norm("text_model.final_layer_norm", text.width)
    if text.projection:
        yield "text_projection.weight", (text.projection, text.width)


def configs(sizes: Sizes) -> Mapping[str, Any]:
    """Path to content of every JSON file."""
    heads = [width // sizes.head for width in sizes.channels]
    return {
        "base/model_index.json": {
            "_class_name": "StableDiffusionXLPipeline",
            "_diffusers_version": "0.19.0.dev0",
            "force_zeros_for_empty_prompt": True,
            "scheduler": ["diffusers", "EulerDiscreteScheduler"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "tokenizer_2": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        },
        "base/scheduler/scheduler_config.json": {
            "_class_name": "EulerDiscreteScheduler",
            "_diffusers_version": "0.19.0.dev0",
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "beta_start": 0.00085,
            "interpolation_type": "linear",
            "num_train_timesteps": 1000,
            "prediction_type": "epsilon",
            "steps_offset": 1,
            "timestep_spacing": "leading",
            "trained_betas": None,
            "use_karras_sigmas": False,
        },
        "base/unet/config.json": {
            "_class_name": "UNet2DConditionModel",
            "_diffusers_version": "0.19.0.dev0",
            "act_fn": "silu",
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": sizes.time_bands,
            "attention_head_dim": heads,
            "block_out_channels": list(sizes.channels),
            "cross_attention_dim": sizes.prompt,
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            "in_channels": LATENT,
            "layers_per_block": LAYERS,
            "out_channels": LATENT,
            "projection_class_embeddings_input_dim": TIME_IDS * sizes.time_bands + sizes.second.projection,
            "sample_size": sizes.sample,
            "transformer_layers_per_block": list(sizes.depths),
            "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
            "use_linear_projection": True,
        },
        "base/vae/config.json": {
            "_class_name": "AutoencoderKL",
            "_diffusers_version": "0.20.0.dev0",
            "act_fn": "silu",
            "block_out_channels": list(sizes.vae_channels),
            "down_block_types": ["DownEncoderBlock2D"] * len(sizes.vae_channels),
            "force_upcast": True,
            "in_channels": 3,
            "latent_channels": LATENT,
            "layers_per_block": LAYERS,
            "norm_num_groups": 32,
            "out_channels": 3,
            "sample_size": 8 * sizes.sample,
            "scaling_factor": 0.13025,
            "up_block_types": ["UpDecoderBlock2D"] * len(sizes.vae_channels),
        },
        "base/text_encoder/config.json": _text_config(sizes.first, sizes.vocabulary, "CLIPTextModel"),
        "base/text_encoder_2/config.json": _text_config(sizes.second, sizes.vocabulary, "CLIPTextModelWithProjection"),
        **{f"base/tokenizer/{name}": content for name, content in _tokenizer("<|endoftext|>").items()},
        **{f"base/tokenizer_2/{name}": content for name, content in _tokenizer("!").items()},
    }


def write_random(folder: Path, sizes: Sizes = FULL, dtype: torch.dtype = torch.float32, seed: int = 0) -> Path:
    """Write the folder; its tokenizers know single letters only.

    Returns:
        `folder`.
    """
    weights = {
        "base/unet/diffusion_pytorch_model": unet_shapes(sizes),
        "base/vae/diffusion_pytorch_model": vae_shapes(sizes),
        "base/text_encoder/model": text_shapes(sizes.first, sizes.vocabulary),
        "base/text_encoder_2/model": text_shapes(sizes.second, sizes.vocabulary),
        "adapter/mvadapter_ig2mv_sdxl": adapter_shapes(sizes),
    }
    write_folder(folder, configs(sizes), weights, dtype, torch.Generator().manual_seed(seed))
    for name in ("tokenizer", "tokenizer_2"):
        (folder / "base" / name / "merges.txt").write_text("#version: 0.2\n")
    return folder


def _conv(name: str, out: int, into: int, side: int = 3) -> Shapes:
    yield f"{name}.weight", (out, into, side, side)
    yield f"{name}.bias", (out,)


def _resnet(name: str, into: int, out: int, time: int = 0) -> Shapes:
    yield from norm(f"{name}.norm1", into)
    yield from _conv(f"{name}.conv1", out, into)
    if time:
        yield from linear(f"{name}.time_emb_proj", out, time)
    yield from norm(f"{name}.norm2", out)
    yield from _conv(f"{name}.conv2", out, out)
    if into != out:
        yield from _conv(f"{name}.conv_shortcut", out, into, 1)


def _transformer(name: str, sizes: Sizes, level: int) -> Shapes:
    width = sizes.channels[level]
    yield from norm(f"{name}.norm", width)
    yield from linear(f"{name}.proj_in", width, width)
    for depth in range(sizes.depths[level]):
        block = f"{name}.transformer_blocks.{depth}"
        for index, source in ((1, width), (2, sizes.prompt)):
            yield from norm(f"{block}.norm{index}", width)
            for part, into in (("to_q", width), ("to_k", source), ("to_v", source)):
                yield from linear(f"{block}.attn{index}.{part}", width, into, bias=False)
            yield from linear(f"{block}.attn{index}.to_out.0", width, width)
        yield from norm(f"{block}.norm3", width)
        yield from linear(f"{block}.ff.net.0.proj", 8 * width, width)
        yield from linear(f"{block}.ff.net.2", width, 4 * width)
    yield from linear(f"{name}.proj_out", width, width)


def _text_config(text: Text, vocabulary: int, architecture: str) -> dict[str, Any]:
    return {
        "architectures": [architecture],
        "model_type": "clip_text_model",
        "hidden_size": text.width,
        "intermediate_size": text.inner,
        "num_attention_heads": text.heads,
        "num_hidden_layers": text.layers,
        "projection_dim": text.projection or 768,
        "hidden_act": text.act,
        "max_position_embeddings": TOKENS,
        "vocab_size": vocabulary,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 1,
    }


def _tokenizer(pad: str) -> dict[str, Any]:
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {word: index for index, word in enumerate(words)}
    vocabulary |= {"<|startoftext|>": len(words), "<|endoftext|>": len(words) + 1}
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    return {
        "vocab.json": vocabulary,
        "tokenizer_config.json": {
            "tokenizer_class": "CLIPTokenizer", "model_max_length": TOKENS, "pad_token": pad, **special
        },
        "special_tokens_map.json": {"pad_token": pad, **special},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--small", action="store_true", help="four million numbers instead of four billion")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write_random(options.out, SMALL if options.small else FULL, seed=options.seed)


if __name__ == "__main__":
    main()
