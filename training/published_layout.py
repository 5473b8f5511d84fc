"""A random checkpoint with precisely the names, shapes, folders and configs that PartCrafter publishes.

    python -m training.published_layout --out out/random-partcrafter

The published weights cannot be had everywhere; whatever loads this folder loads them. Names are listed here by hand,
from github.com/wgsxm/PartCrafter and TripoSG, and not taken from our classes, so that tests can hold the two against
each other. No transformer/config.json was published where we could read it: this one follows PartCrafter's training
configuration for 16 parts.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

Shapes = Iterator[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Sizes:
    """Sizes of the published models; `SMALL` has every one of them smaller.

    Attributes:
        width, heads, layers: of the transformer.
        part_rows: rows of its part embedding.
        latent: channels of a latent token.
        vae_heads, encoder_width, encoder_layers, decoder_width, decoder_layers: of the VAE.
        bands: octaves of its points' Fourier features.
        image_width, image_heads, image_layers, image_size, patch: of DINOv2.
        crop: side of the picture that it sees.
    """

    width: int = 2048
    heads: int = 16
    layers: int = 21
    part_rows: int = 32
    latent: int = 64
    vae_heads: int = 8
    encoder_width: int = 512
    encoder_layers: int = 8
    decoder_width: int = 1024
    decoder_layers: int = 16
    bands: int = 8
    image_width: int = 1024
    image_heads: int = 16
    image_layers: int = 24
    image_size: int = 518
    patch: int = 14
    crop: int = 224


FULL = Sizes()
SMALL = replace(
    FULL,
    width=32,
    heads=2,
    layers=5,
    latent=8,
    vae_heads=2,
    encoder_width=16,
    encoder_layers=2,
    decoder_width=24,
    decoder_layers=2,
    image_width=24,
    image_heads=2,
    image_layers=2,
    image_size=28,
    crop=28,
)


def transformer_shapes(sizes: Sizes) -> Shapes:
    """Names and shapes of transformer/."""
    width, head = sizes.width, sizes.width // sizes.heads
    yield from linear("proj_in", width, sizes.latent)
    yield from linear("time_proj.linear_1", 4 * width, width)
    yield from linear("time_proj.linear_2", width, 4 * width)
    yield "part_embedding.weight", (sizes.part_rows, width)
    for layer in range(sizes.layers):
        block = f"blocks.{layer}"
        for index, source in ((1, width), (2, sizes.image_width)):
            yield from norm(f"{block}.norm{index}", width)
            yield from _attention(f"{block}.attn{index}", width, source)
            yield f"{block}.attn{index}.norm_q.weight", (head,)
            yield f"{block}.attn{index}.norm_k.weight", (head,)
        yield from _feed_forward(block, width)
        if layer > sizes.layers // 2:
            yield from linear(f"{block}.skip_linear", width, 2 * width)
            yield from norm(f"{block}.skip_norm", width)
    yield from norm("norm_out", width)
    yield from linear("proj_out", sizes.latent, width)


def vae_shapes(sizes: Sizes) -> Shapes:
    """Names and shapes of vae/."""
    features = 3 * (2 * sizes.bands + 1)
    yield from linear("encoder.proj_in", sizes.encoder_width, features + 3)
    yield from _crossing("encoder.blocks.0", sizes.encoder_width)
    for layer in range(1, sizes.encoder_layers + 1):
        yield from _looking("encoder.blocks." + str(layer), sizes.encoder_width)
    yield from norm("encoder.norm_out", sizes.encoder_width)
    for layer in range(sizes.decoder_layers):
        yield from _looking("decoder.blocks." + str(layer), sizes.decoder_width)
    yield from _crossing(f"decoder.blocks.{sizes.decoder_layers}", sizes.decoder_width)
    yield from linear("decoder.proj_query", sizes.decoder_width, features)
    yield from norm("decoder.norm_out", sizes.decoder_width)
    yield from linear("decoder.proj_out", 1, sizes.decoder_width)
    yield from linear("quant", 2 * sizes.latent, sizes.encoder_width)
    yield from linear("post_quant", sizes.decoder_width, sizes.latent)


def encoder_shapes(sizes: Sizes) -> Shapes:
    """Names and shapes of image_encoder_dinov2/."""
    width, patch = sizes.image_width, sizes.patch
    yield "embeddings.cls_token", (1, 1, width)
    yield "embeddings.mask_token", (1, width)
    yield "embeddings.position_embeddings", (1, 1 + (sizes.image_size // patch) ** 2, width)
    yield "embeddings.patch_embeddings.projection.weight", (width, 3, patch, patch)
    yield "embeddings.patch_embeddings.projection.bias", (width,)
    for layer in range(sizes.image_layers):
        block = f"encoder.layer.{layer}"
        yield from norm(f"{block}.norm1", width)
        for name in ("query", "key", "value"):
            yield from linear(f"{block}.attention.attention.{name}", width, width)
        yield from linear(f"{block}.attention.output.dense", width, width)
        yield f"{block}.layer_scale1.lambda1", (width,)
        yield from norm(f"{block}.norm2", width)
        yield from linear(f"{block}.mlp.fc1", 4 * width, width)
        yield from linear(f"{block}.mlp.fc2", width, 4 * width)
        yield f"{block}.layer_scale2.lambda1", (width,)
    yield from norm("layernorm", width)


def configs(sizes: Sizes) -> Mapping[str, dict[str, Any]]:
    """Path to content of every JSON file; classes are named as the publishers' modules are."""
    own = "src.models"
    return {
        "model_index.json": {
            "_class_name": "PartCrafterPipeline",
            "_diffusers_version": "0.34.0",
            "feature_extractor_dinov2": ["transformers", "BitImageProcessor"],
            "image_encoder_dinov2": ["transformers", "Dinov2Model"],
            "scheduler": ["src.schedulers.scheduling_rectified_flow", "RectifiedFlowScheduler"],
            "transformer": [f"{own}.transformers.partcrafter_transformer", "PartCrafterDiTModel"],
            "vae": [f"{own}.autoencoders.autoencoder_kl_triposg", "TripoSGVAEModel"],
        },
        "transformer/config.json": {
            "_class_name": "PartCrafterDiTModel",
            "_diffusers_version": "0.34.0",
            "num_attention_heads": sizes.heads,
            "width": sizes.width,
            "in_channels": sizes.latent,
            "num_layers": sizes.layers,
            "cross_attention_dim": sizes.image_width,
            "max_num_parts": sizes.part_rows,
            "enable_part_embedding": True,
            "enable_local_cross_attn": True,
            "enable_global_cross_attn": True,
            "global_attn_block_ids": list(range(0, sizes.layers, 2)),
            "global_attn_block_id_range": None,
        },
        "vae/config.json": {
            "_class_name": "TripoSGVAEModel",
            "_diffusers_version": "0.34.0",
            "in_channels": 3,
            "latent_channels": sizes.latent,
            "num_attention_heads": sizes.vae_heads,
            "width_encoder": sizes.encoder_width,
            "width_decoder": sizes.decoder_width,
            "num_layers_encoder": sizes.encoder_layers,
            "num_layers_decoder": sizes.decoder_layers,
            "embedding_type": "frequency",
            "embed_frequency": sizes.bands,
            "embed_include_pi": False,
        },
        "scheduler/scheduler_config.json": {
            "_class_name": "RectifiedFlowScheduler",
            "_diffusers_version": "0.34.0",
            "num_train_timesteps": 1000,
            "shift": 1.0,
            "use_dynamic_shifting": False,
        },
        "image_encoder_dinov2/config.json": {
            "architectures": ["Dinov2Model"],
            "model_type": "dinov2",
            "hidden_size": sizes.image_width,
            "num_hidden_layers": sizes.image_layers,
            "num_attention_heads": sizes.image_heads,
            "mlp_ratio": 4,
            "image_size": sizes.image_size,
            "patch_size": sizes.patch,
        },
        "feature_extractor_dinov2/preprocessor_config.json": {
            "image_processor_type": "BitImageProcessor",
            "size": {"shortest_edge": sizes.crop * 8 // 7},
            "crop_size": {"height": sizes.crop, "width": sizes.crop},
            "image_mean": [0.485, 0.456, 0.406],
            "image_std": [0.229, 0.224, 0.225],
            "resample": 3,
        },
    }


def write_random(
    folder: Path,
    sizes: Sizes = FULL,
    dtype: torch.dtype = torch.float16,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Path:
    """Write the folder.

    Args:
        device: that draws the numbers; the same seed gives others on a GPU.

    Returns:
        `folder`.
    """
    weights = {
        "transformer/diffusion_pytorch_model": transformer_shapes(sizes),
        "vae/diffusion_pytorch_model": vae_shapes(sizes),
        "image_encoder_dinov2/model": encoder_shapes(sizes),
    }
    return write_folder(folder, configs(sizes), weights, dtype, torch.Generator(device).manual_seed(seed))


def write_folder(
    folder: Path,
    jsons: Mapping[str, Any],
    weights: Mapping[str, Shapes],
    dtype: torch.dtype,
    generator: torch.Generator,
) -> Path:
    """Write JSON files and safetensors files of random numbers, by their paths; the latter are named without a suffix.

    Linear layers keep the scale of their input, so that activations stay finite in half precision.

    Returns:
        `folder`.
    """
    for path, content in jsons.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps(content, indent=2) + "\n")
    for path, shapes in weights.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        tensors = {name: random_weight(name, shape, generator).to("cpu", dtype) for name, shape in shapes}
        save_file(tensors, folder / f"{path}.safetensors", metadata={"format": "pt"})
    return folder


def random_weight(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    values = torch.randn(shape, generator=generator, device=generator.device)
    if len(shape) == 1:
        return 0.02 * values + float("norm" in name and name.endswith("weight"))
    scaled: Tensor = values / values[0].numel() ** 0.5
    return scaled


def linear(name: str, out: int, into: int, bias: bool = True) -> Shapes:
    yield f"{name}.weight", (out, into)
    if bias:
        yield f"{name}.bias", (out,)


def norm(name: str, width: int) -> Shapes:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def _attention(name: str, width: int, source: int) -> Shapes:
    for part, into in (("to_q", width), ("to_k", source), ("to_v", source)):
        yield from linear(f"{name}.{part}", width, into, bias=False)
    yield from linear(f"{name}.to_out.0", width, width)


def _feed_forward(block: str, width: int) -> Shapes:
    yield from norm(f"{block}.norm3", width)
    yield from linear(f"{block}.ff.net.0.proj", 4 * width, width)
    yield from linear(f"{block}.ff.net.2", width, 4 * width)


def _looking(block: str, width: int) -> Shapes:
    """A block of the VAE whose tokens attend to each other."""
    yield from norm(f"{block}.norm1", width)
    yield from _attention(f"{block}.attn1", width, width)
    yield from _feed_forward(block, width)


def _crossing(block: str, width: int) -> Shapes:
    """A block of the VAE whose tokens attend to others."""
    yield from norm(f"{block}.norm2", width)
    yield from _attention(f"{block}.attn2", width, width)
    yield from norm(f"{block}.attn2.norm_cross", width)
    yield from _feed_forward(block, width)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--small", action="store_true", help="a few thousand numbers instead of two billion")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="that draws the numbers; a GPU takes seconds")
    options = parser.parse_args()
    write_random(options.out, SMALL if options.small else FULL, seed=options.seed, device=options.device)


if __name__ == "__main__":
    main()
