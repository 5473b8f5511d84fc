"""The trainable half of the shape stage: part DiT and image encoder under one rectified-flow loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import BitImageProcessorPil, Dinov2Config, Dinov2Model

from services.part_dit import box_frame
from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.scheduler import RectifiedFlowScheduler
from services.part_dit.transformer import PartCrafterDiTModel
from services.part_dit.vae import TripoSGVAEModel
from training.part_dit_spoil import draw_again, mistake_parts, plan_errors, scale

DROP_IMAGES = 0.1
"""Share of objects without any picture, for classifier-free guidance."""

DROP_PART_IMAGES, DROP_HIERARCHY, DROP_BOXES = 0.1, 0.1, 0.15
"""Shares of objects without one condition, so that the model knows to do without it."""

MAX_SHARD = "15MB"


@dataclass(frozen=True)
class PartDiTSize:
    """Configuration of the compact part DiT and its image encoder."""

    width: int = 384
    heads: int = 6
    layers: int = 9
    mlp_ratio: float = 3.0
    hierarchy: tuple[int, ...] = (3, 6)
    image_size: int = 128
    patch_size: int = 16
    image_width: int = 192
    image_heads: int = 3
    image_layers: int = 5


TOY = PartDiTSize(
    width=32, heads=2, layers=3, hierarchy=(1,), image_size=32, image_width=32, image_heads=2, image_layers=1
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
            hierarchy_attn_block_ids=list(size.hierarchy),
            enable_position_embedding=True,
            enable_box_embedding=True,
            num_latent_tokens=latent_tokens,
            enable_box_token=True,
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

    def forward(
        self, object_images: Tensor, part_images: Tensor, latents: Tensor, boxes: Tensor, parents: Tensor
    ) -> dict[str, Tensor]:
        """Mean squared error of the velocity, one logit-normal noise level an object; fields of `part_dit_data.Batch`.

        Conditions are spoiled and hidden here, afresh each time.
        """
        batch, count = parents.shape
        device = parents.device
        pixels = draw_again(torch.cat([scale(object_images), scale(mistake_parts(part_images))]))
        chance = torch.rand(4, batch, device=device)
        seen = (chance[0] >= DROP_IMAGES).float()[:, None, None]
        parts_seen = seen * (chance[1] >= DROP_PART_IMAGES).float()[:, None, None]
        box_known = chance[2] >= DROP_BOXES
        planned = plan_errors(boxes)
        reference = box_frame.encode(planned) * box_known[:, None, None]
        data = _with_boxes(latents, box_frame.encode(boxes) - reference).flatten(0, 1)
        level = torch.randn(batch, device=device).sigmoid().repeat_interleave(count)
        noise = torch.randn_like(data)
        kind = "cuda" if parents.is_cuda else "cpu"
        with torch.autocast(kind, torch.bfloat16, enabled=parents.is_cuda, cache_enabled=False):
            tokens = self.encode_images(pixels)
            velocity = self.transformer(
                data.lerp(noise, level[:, None, None]),
                level * 1000,
                tokens[batch:] * parts_seen.repeat_interleave(count, 0).to(tokens.dtype),
                num_parts=[count] * batch,
                global_encoder_hidden_states=tokens[:batch] * seen.to(tokens.dtype),
                parent_index=torch.where(chance[3, :, None] < DROP_HIERARCHY, -1, parents).flatten(),
                boxes=planned.flatten(0, 1),
                box_known=box_known.repeat_interleave(count),
            )
        error = (velocity.float() - (data - noise)).square()
        shape, box = error[:, :-1].mean(), error[:, -1, : box_frame.CHANNELS].mean()
        return {"loss": shape + box, "shape": shape.detach(), "box": box.detach()}


def _with_boxes(latents: Tensor, codes: Tensor) -> Tensor:
    """(B, K, T, C) latents and (B, K, 6) box codes -> (B, K, T + 1, C)."""
    return torch.cat([latents, nn.functional.pad(codes, (0, latents.shape[-1] - codes.shape[-1]))[..., None, :]], dim=2)


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


@torch.no_grad()
def warm_start(model: nn.Module, weights: Mapping[str, Tensor]) -> int:
    """Take over every tensor that has the same name and shape; returns how many."""
    own = model.state_dict()
    known = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    model.load_state_dict(known, strict=False)
    return len(known)
