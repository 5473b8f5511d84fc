"""Six views of an object painted at once: SDXL's UNet with an adapter in MV-Adapter's layout.

Every self-attention layer of the UNet, frozen, gets two neighbours that read the same tokens: one attends across the
views, along the lines that a surface keeps from view to view, one attends to the reference picture's tokens in the same
layer. Their outputs are added to the layer's own. A T2I adapter adds what position and normal maps say about each view.
Names and shapes are those of github.com/huanngzh/MV-Adapter (arXiv 2412.03632, section 4); the code is ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

import torch
from diffusers import T2IAdapter
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

VIEWS = 6
"""Front, right, back, left, top, bottom, as `views.AXES`."""

RING = (0, 1, 2, 3)
"""Views around the upright axis: their rows show the same heights."""

MERIDIAN = (0, 2, 4, 5)
"""Views around the sideways axis: their columns show the same places, mirrored in the front view."""

MAP_CHANNELS = 6
"""Position and normal."""

MAP_SHRINKAGE = 16
"""Pixels of the maps along a side of the adapter's first features."""


class Role(Enum):
    """What the added layers do in a pass."""

    ABSENT = 0
    """Nothing: the pass is SDXL's own."""

    REMEMBER = 1
    """Keep the tokens of the reference picture."""

    PAINT = 2
    """Attend across the views and to what is kept."""


class ViewAttention(nn.Module):
    """Attention processor of one self-attention layer.

    Args:
        width: channels of its tokens.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.to_q_mv, self.to_k_mv, self.to_v_mv = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.to_q_ref, self.to_k_ref, self.to_v_ref = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.to_out_mv, self.to_out_ref = (nn.ModuleList([nn.Linear(width, width)]) for _ in range(2))
        self.own = AttnProcessor2_0()  # type: ignore[no-untyped-call]
        self.role = Role.ABSENT
        self.reference: tuple[Tensor, Tensor] | None = None

    def forward(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """(B, N, C) tokens after the UNet's own attention and this one; B is a multiple of VIEWS where it paints."""
        hidden: Tensor = self.own(attn, hidden_states, encoder_hidden_states, attention_mask, temb)
        if self.role is Role.REMEMBER:
            keys, values = self.to_k_ref(hidden_states), self.to_v_ref(hidden_states)
            self.reference = _heads(keys, attn.heads), _heads(values, attn.heads)
        elif self.role is Role.PAINT:
            hidden = hidden + self._across_views(hidden_states, attn.heads) + self._reference(hidden_states, attn.heads)
        return hidden

    def _across_views(self, hidden: Tensor, heads: int) -> Tensor:
        side = math.isqrt(hidden.shape[1])
        grid = (-1, VIEWS, side, side, heads, hidden.shape[2] // heads)
        tokens = torch.stack([layer(hidden).view(grid) for layer in (self.to_q_mv, self.to_k_mv, self.to_v_mv)])
        ring = along_rows(tokens[:, :, list(RING)])
        upright = tokens[:, :, list(MERIDIAN)]
        upright[:, :, 0] = upright[:, :, 0].flip(-3)
        meridian = along_rows(upright.transpose(-4, -3)).transpose(-4, -3)
        front, back = (ring[:, 0] + meridian[:, 0].flip(-3)) / 2, (ring[:, 2] + meridian[:, 1]) / 2
        seen = torch.stack([front, ring[:, 1], back, ring[:, 3], meridian[:, 2], meridian[:, 3]], 1)
        mixed: Tensor = self.to_out_mv[0](seen.reshape(hidden.shape))
        return mixed

    def _reference(self, hidden: Tensor, heads: int) -> Tensor:
        """Of a blind half of the batch, under guidance, zeros are attended to, and zeros come of it."""
        assert self.reference is not None, "there is no painting before the reference was seen"
        sighted = hidden[-VIEWS:]
        query = _heads(self.to_q_ref(sighted).flatten(0, 1)[None], heads)
        read = scaled_dot_product_attention(query, *self.reference).transpose(1, 2).reshape(sighted.shape)
        blind = hidden.new_zeros(len(hidden) - VIEWS, *hidden.shape[1:])
        mixed: Tensor = self.to_out_ref[0](torch.cat([blind, read]))
        return mixed


def along_rows(tokens: Tensor) -> Tensor:
    """Attention among the tokens in row i of all pictures, for each i.

    Args:
        tokens: (3, B, V, H, W, heads, D) queries, keys and values.

    Returns:
        (B, V, H, W, heads, D).
    """
    _, batch, views, height, width, heads, channels = tokens.shape
    lines = tokens.permute(0, 1, 3, 5, 2, 4, 6).reshape(3, batch * height, heads, views * width, channels)
    mixed = scaled_dot_product_attention(*lines)
    split: Tensor = mixed.view(batch, height, heads, views, width, channels).permute(0, 3, 1, 4, 2, 5)
    return split


def _heads(tokens: Tensor, heads: int) -> Tensor:
    """(B, N, C) to (B, heads, N, C / heads)."""
    split: Tensor = tokens.unflatten(-1, (heads, -1)).transpose(1, 2)
    return split


class MultiviewModel(nn.Module):
    """SDXL's UNet with the adapter in its layers.

    Args:
        unet: SDXL's, a `diffusers.UNet2DConditionModel`; its self-attention layers are changed.
    """

    def __init__(self, unet: Any) -> None:
        super().__init__()
        channels = unet.config["block_out_channels"]
        processors = dict(unet.attn_processors)
        for name, layer in unet.named_modules():
            if name.endswith("attn1"):
                processors[f"{name}.processor"] = ViewAttention(layer.to_q.in_features)
        unet.set_attn_processor(processors)
        self.unet: Any = unet
        self.guide: Any = T2IAdapter(  # type: ignore[no-untyped-call]
            in_channels=MAP_CHANNELS,
            channels=[*channels, channels[-1]],
            num_res_blocks=2,
            downscale_factor=MAP_SHRINKAGE,
            adapter_type="full_adapter_xl",
        )

    def adapter(self) -> dict[str, Tensor]:
        """The adapter's weights under their published names."""
        layers = {key: value for key, value in self.unet.state_dict().items() if "_mv." in key or "_ref." in key}
        return {**layers, **self.guide.state_dict()}

    def load_adapter(self, weights: Mapping[str, Tensor]) -> None:
        """Take the adapter's weights, under their published names, in the UNet's dtype."""
        places = {key: f"unet.{key}" if ".processor." in key else f"guide.{key}" for key in weights}
        own = {places[key]: value.to(self.unet.dtype) for key, value in weights.items()}
        self.load_state_dict(own, strict=False, assign=True)

    def remember(self, latents: Tensor, condition: dict[str, Tensor]) -> None:
        """Look at the reference picture, without noise, (1, 4, H, W); what was seen before is forgotten.

        Args:
            condition: of the prompt, as `forward` takes it, for one picture.
        """
        self._play(Role.REMEMBER)
        self._pass(latents, latents.new_zeros(()), condition, None)

    def forward(self, latents: Tensor, time: Tensor, condition: dict[str, Tensor], maps: list[Tensor]) -> Tensor:
        """Predicted noise of views (B, 4, H, W); B is VIEWS, or twice that, of which the first half is blind.

        Args:
            latents: noisy.
            time: step of the schedule.
            condition: `encoder_hidden_states` (B, T, C), `text_embeds` (B, C) and `time_ids` (B, 6).
            maps: what `guide` makes of the maps of the six views.
        """
        self._play(Role.PAINT)
        rounds = len(latents) // VIEWS
        return self._pass(latents, time, condition, [features.repeat(rounds, 1, 1, 1) for features in maps])

    def plain(self, latents: Tensor, time: Tensor, condition: dict[str, Tensor]) -> Tensor:
        """Predicted noise without the adapter, as SDXL has it."""
        self._play(Role.ABSENT)
        return self._pass(latents, time, condition, None)

    def _play(self, role: Role) -> None:
        for processor in self.unet.attn_processors.values():
            if isinstance(processor, ViewAttention):
                processor.role = role

    def _pass(self, latents: Tensor, time: Tensor, condition: dict[str, Tensor], maps: list[Tensor] | None) -> Tensor:
        noise: Tensor = self.unet(
            latents,
            time,
            encoder_hidden_states=condition["encoder_hidden_states"],
            added_cond_kwargs={key: condition[key] for key in ("text_embeds", "time_ids")},
            down_intrablock_additional_residuals=maps,
            return_dict=False,
        )[0]
        return noise
