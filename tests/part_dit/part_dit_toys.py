"""Toy models of the shape stage."""

import torch

from services.part_dit.transformer import PartCrafterDiTModel


def toy_transformer(**changes: object) -> PartCrafterDiTModel:
    settings = {
        "num_attention_heads": 2,
        "width": 32,
        "in_channels": 8,
        "num_layers": 5,
        "cross_attention_dim": 24,
        "global_attn_block_ids": [0, 2, 4],
        "hierarchy_attn_block_ids": [2],
        "enable_position_embedding": True,
        "enable_box_embedding": True,
        "num_latent_tokens": 6,
    }
    return PartCrafterDiTModel(**{**settings, **changes}).eval()


def randomise(module: torch.nn.Module) -> None:
    """Take SPARK's additions off their no-op start."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
