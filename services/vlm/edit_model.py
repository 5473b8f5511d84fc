"""The compact image-editing network: a UNet over 2x2 pixel blocks, and a head that paints at full resolution.

The network sees the noisy edit, the input image and the prompt (`services.vlm.edit_prompt`). A diffusers UNet works on
them folded, so that a 256-pixel picture is a 128x128 grid; the head sees the pixels again beside the UNet's features. A
colour is a mixture of three: the input's at the same pixel, the input's at the point's closed-state place (the prompt's
`carried`), and one that the network makes up. The input's colours take a gain that undoes its light. What the
photograph shows stays as sharp as it is; only the rest is painted. An edit is four planes in [-1, 1]: its colours on
white, and its coverage (1 on the object).
"""

from __future__ import annotations

import torch
import torch.nn.functional as nnf
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.unets.unet_2d import UNet2DModel
from torch import Tensor, nn

from services.vlm.edit_prompt import CHANNELS

EDIT_PLANES = 4
FOLD = 2
TIMESTEPS = 1000
"""Time steps of the scheduler per unit of sigma; the network's clock."""

SOURCES = 3
MOST_GAIN = 1.5
"""Largest logarithm of the gain on the input's colours."""

MADE, COVERAGE, MIX, GAIN = slice(0, 3), 3, slice(4, 7), slice(7, 10)
PLANES = 10
"""What the head paints: made-up colour, logit of coverage, logits of the mixture, gain."""

ASKED, SEEN = CHANNELS.index("asked"), CHANNELS.index("seen")
CARRIED = slice(CHANNELS.index("carried_r"), CHANNELS.index("carried_b") + 1)
DETAIL = (ASKED, *range(CARRIED.start, CARRIED.stop), SEEN, CHANNELS.index("object"), CHANNELS.index("asked_in_front"))
"""Channels of the prompt that the head sees unfolded."""


class EditModel(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """The network; it begins as the prompt itself, boxes with the colours they carry.

    Args:
        image_size: side of the pictures [pixels], a multiple of FOLD << len(widths) - 1.
        widths: of the UNet's levels; attention only at the last, coarsest one.
        layers: of each level.
        head_width: features a pixel.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        image_size: int = 256,
        widths: tuple[int, ...] = (32, 64, 112, 160),
        layers: int = 2,
        head_width: int = 16,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        plain = len(widths) - 1
        self.unet = UNet2DModel(
            sample_size=image_size // FOLD,
            in_channels=(EDIT_PLANES + 3 + len(CHANNELS)) * FOLD**2,
            out_channels=head_width * FOLD**2,
            block_out_channels=tuple(widths),
            layers_per_block=layers,
            down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",),
            up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * plain,
            norm_num_groups=16,
            attention_head_dim=16,
        )
        self.detail = nn.Conv2d(head_width + EDIT_PLANES + 3 + len(DETAIL), head_width, 3, padding=1)
        self.paint = nn.Conv2d(head_width, PLANES, 3, padding=1)
        nn.init.zeros_(self.paint.weight)
        bias = torch.zeros(PLANES)
        bias[MIX] = torch.tensor([0.0, 3.0, 0.0])
        self.paint.bias = nn.Parameter(bias)

    def forward(self, noisy: Tensor, image: Tensor, prompt: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """One network call.

        Args:
            noisy: (B, 4, S, S) `(1 - sigma) * edit + sigma * noise`.
            image: (B, 3, S, S) input image in [-1, 1].
            prompt: (B, len(CHANNELS), S, S).
            sigma: (B,) noise level in (0, 1].

        Returns:
            The predicted clean edit (B, 4, S, S), and the logits of its coverage (B, S, S).
        """
        folded = nnf.pixel_unshuffle(torch.cat([noisy, image, prompt], 1), FOLD)
        folded = folded.contiguous(memory_format=torch.channels_last)
        features = nnf.pixel_shuffle(self.unet(folded, sigma * TIMESTEPS).sample, FOLD)
        pixels = torch.cat([features, noisy, image, *(prompt[:, index, None] for index in DETAIL)], 1)
        planes = self.paint(nnf.silu(self.detail(pixels.contiguous(memory_format=torch.channels_last)))).float()
        return mixed(planes, image.float(), prompt.float())


def mixed(planes: Tensor, image: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor]:
    """The edit (B, 4, S, S) and the logits of its coverage (B, S, S) that the head's planes (B, PLANES, S, S) mean."""
    share = planes[:, MIX].softmax(1)
    gain = (MOST_GAIN * torch.tanh(planes[:, GAIN])).exp()
    found = share[:, 0:1] * (image + 1) + share[:, 1:2] * (prompt[:, CARRIED] + 1)
    colour = found * gain + share[:, 2:3] * (planes[:, MADE] + 1) - 1
    logits = planes[:, COVERAGE] + 4 * prompt[:, ASKED] - 2
    return torch.cat([colour, torch.tanh(logits / 2)[:, None]], 1), logits


def composite(edit: Tensor) -> Tensor:
    """(B, 4, S, S) edit in [-1, 1] -> (B, 3, S, S) in [0, 1], white where the object does not reach and only there."""
    colour = ((edit[:, :3].clamp(-1, 1) + 1) / 2).clamp(max=254 / 255)
    return torch.where(edit[:, 3:] > 0, colour, torch.ones_like(colour))
