"""The trainable half of the shape stage: part DiT and image encoder under one rectified-flow loss."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BitImageProcessorPil, Dinov2Config, Dinov2Model

from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.scheduler import RectifiedFlowScheduler
from services.part_dit.transformer import PartCrafterDiTModel
from services.part_dit.vae import TripoSGVAEModel
from training.part_dit_data import Batch

DROP_IMAGES = 0.1
DROP_BOXES = 0.2
BOX_NOISE = (0.01, 0.06)
"""Deviation of a planned box's centre and half extent from the truth, drawn once an object [model units]."""

MAX_PIXEL_NOISE = 0.1
"""Largest deviation of the noise that `soften` adds to pixels in [-1, 1]."""

MAX_SHARD = "15MB"


@dataclass(frozen=True)
class PartDiTSize:
    """Configuration of the compact part DiT and its image encoder."""

    width: int = 256
    heads: int = 4
    layers: int = 9
    mlp_ratio: float = 3.0
    image_size: int = 128
    patch_size: int = 16
    image_width: int = 192
    image_heads: int = 3
    image_layers: int = 5


TOY = PartDiTSize(
    width=32, heads=2, layers=3, image_size=32, patch_size=16, image_width=32, image_heads=2, image_layers=1
)


class ShapeModel(nn.Module):
    """`transformer` and `image_encoder`, trained together against a frozen VAE's latents."""

    def __init__(self, size: PartDiTSize, latent_channels: int, latent_tokens: int) -> None:
        super().__init__()
        self.transformer = PartCrafterDiTModel(
            num_attention_heads=size.heads,
            width=size.width,
            in_channels=latent_channels,
            num_layers=size.layers,
            cross_attention_dim=size.image_width,
            global_attn_block_ids=list(range(0, size.layers, 2)),
            mlp_ratio=size.mlp_ratio,
            hierarchy_attn_block_ids=[size.layers // 2],
            enable_position_embedding=True,
            enable_box_embedding=True,
            num_latent_tokens=latent_tokens,
        )
        nn.init.zeros_(self.transformer.proj_out.weight)
        nn.init.zeros_(self.transformer.proj_out.bias)
        self.image_encoder = Dinov2Model(
            Dinov2Config(
                hidden_size=size.image_width,
                num_hidden_layers=size.image_layers,
                num_attention_heads=size.image_heads,
                mlp_ratio=3,
                image_size=size.image_size,
                patch_size=size.patch_size,
                layerscale_value=1.0,
                use_mask_token=False,
            )
        )

    def encode_images(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) in [-1, 1] -> (N, L, E)."""
        tokens: Tensor = self.image_encoder(pixels).last_hidden_state
        return tokens

    def forward(self, batch: Batch) -> Tensor:
        """Mean squared error of the velocity, one logit-normal noise level an object."""
        device = batch.latents.device
        total, count = len(batch.latents), batch.count
        objects = total // count
        tokens = self.encode_images(soften(torch.cat([batch.object_images, batch.part_images])))
        kept = (torch.rand(objects, 1, 1, device=device) >= DROP_IMAGES).to(tokens.dtype)
        spread = torch.empty(objects, 1, device=device).uniform_(*BOX_NOISE).repeat_interleave(count, 0)
        boxes = batch.boxes + torch.randn_like(batch.boxes) * spread
        boxes = torch.cat([boxes[:, :3], boxes[:, 3:].clamp(min=0.005)], dim=1)
        sigma = torch.randn(objects, device=device).sigmoid().repeat_interleave(count)
        noise = torch.randn_like(batch.latents)
        level = sigma[:, None, None]
        velocity = self.transformer(
            (1 - level) * batch.latents + level * noise,
            sigma * 1000,
            tokens[objects:] * kept.repeat_interleave(count, 0),
            num_parts=[count] * objects,
            global_encoder_hidden_states=tokens[:objects] * kept,
            parent_index=batch.parents,
            boxes=boxes,
            box_known=(torch.rand(objects, device=device) >= DROP_BOXES).repeat_interleave(count),
        )
        error: Tensor = (velocity.float() - (batch.latents - noise)).square().mean()
        return error


def scale(images: Tensor) -> Tensor:
    """(N, S, S, 3) uint8 -> (N, 3, S, S) in [-1, 1], as the shipped feature extractor does."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


def soften(images: Tensor) -> Tensor:
    """`scale`, then blur and noise of random strength: what the guide stage draws is never as crisp as a render."""
    pixels = scale(images)
    strength = torch.rand(2, len(pixels), 1, 1, 1, device=pixels.device)
    half = functional.interpolate(functional.avg_pool2d(pixels, 2), scale_factor=2.0, mode="bilinear")
    return pixels.lerp(half, strength[0]) + MAX_PIXEL_NOISE * strength[1] * torch.randn_like(pixels)


def pipeline(model: ShapeModel, vae: TripoSGVAEModel, size: PartDiTSize) -> PartDiTPipeline:
    """The pipeline that ships the model."""
    extractor = BitImageProcessorPil(
        size={"shortest_edge": size.image_size},
        crop_size={"height": size.image_size, "width": size.image_size},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        do_convert_rgb=False,
    )
    built = PartDiTPipeline(vae, model.transformer, RectifiedFlowScheduler(), model.image_encoder, extractor)
    built.set_progress_bar_config(disable=True)  # type: ignore[no-untyped-call]
    return built


def export(folder: Path, model: ShapeModel, vae: TripoSGVAEModel, size: PartDiTSize) -> None:
    """Write the weights folder in float16, in files below 16 MiB."""
    model.half()
    vae.half()  # type: ignore[no-untyped-call]
    pipeline(model, vae, size).save_pretrained(folder, max_shard_size=MAX_SHARD)
