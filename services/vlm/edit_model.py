"""The compact image-editing network: a diffusers UNet over 2x2 pixel blocks that predicts the clean edit.

The network sees the noisy edit, the input image and the prompt (`services.vlm.edit_prompt`), folded so that a
128-pixel picture becomes a 64x64 grid: most of the arithmetic runs at 64, 32 and 16. An edit is four planes in [-1, 1]:
its colours on white, and its coverage (1 on the object).
"""

from __future__ import annotations

import torch
import torch.nn.functional as nnf
from diffusers.models.unets.unet_2d import UNet2DModel
from torch import Tensor, nn

from services.vlm.edit_prompt import CHANNELS

IMAGE_SIZE = 128
WIDTHS = (48, 80, 112)
FOLD = 2
EDIT_PLANES = 4
TIMESTEPS = 1000
"""Time steps of the scheduler per unit of sigma; the network's clock."""


def build_unet(widths: tuple[int, ...] = WIDTHS, image_size: int = IMAGE_SIZE, layers: int = 2) -> UNet2DModel:
    """A fresh network; attention only at the coarsest level."""
    plain = len(widths) - 1
    unet: UNet2DModel = UNet2DModel(
        sample_size=image_size // FOLD,
        in_channels=(EDIT_PLANES + 3 + len(CHANNELS)) * FOLD**2,
        out_channels=EDIT_PLANES * FOLD**2,
        block_out_channels=widths,
        layers_per_block=layers,
        down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",),
        up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * plain,
        norm_num_groups=16,
        attention_head_dim=16,
    )
    return unet


def predict_edit(unet: nn.Module, noisy: Tensor, image: Tensor, prompt: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """One network call.

    Args:
        unet: from `build_unet`, possibly compiled.
        noisy: (B, 4, S, S) `(1 - sigma) * edit + sigma * noise`.
        image: (B, 3, S, S) input image in [-1, 1].
        prompt: (B, len(CHANNELS), S, S).
        sigma: (B,) noise level in (0, 1].

    Returns:
        The predicted clean edit (B, 4, S, S), and the logits of its coverage (B, S, S).
    """
    folded = nnf.pixel_unshuffle(torch.cat([noisy, image, prompt], 1), FOLD)
    folded = folded.contiguous(memory_format=torch.channels_last)
    planes = nnf.pixel_shuffle(unet(folded, sigma * TIMESTEPS).sample, FOLD).float()
    logits = planes[:, 3]
    return torch.cat([planes[:, :3], torch.tanh(logits / 2)[:, None]], 1), logits


def composite(edit: Tensor) -> Tensor:
    """(B, 4, S, S) edit in [-1, 1] -> (B, 3, S, S) in [0, 1], exactly white wherever the object does not reach."""
    colour = (edit[:, :3].clamp(-1, 1) + 1) / 2
    return torch.where(edit[:, 3:] > 0, colour, torch.ones_like(colour))
