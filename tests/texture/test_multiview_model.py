"""The multi-view adapter in SDXL's UNet, against diffusers' own UNet and against attention written out plainly."""

import math
from collections.abc import Iterator

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from services.texture.multiview import MERIDIAN, RING, VIEWS, MultiviewModel, Role, ViewAttention, along_rows
from training.published_texture import SMALL, TIME_IDS, TOKENS, configs

SIDE = 6
HEADS, WIDTH = 2, 8


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def unet(seed: int = 0) -> UNet2DConditionModel:
    torch.manual_seed(seed)
    return UNet2DConditionModel.from_config(configs(SMALL)["base/unet/config.json"]).eval()


def condition(count: int) -> dict[str, Tensor]:
    return {
        "encoder_hidden_states": torch.randn(count, TOKENS, SMALL.prompt),
        "text_embeds": torch.randn(count, SMALL.second.projection),
        "time_ids": torch.full((count, TIME_IDS), 48.0),
    }


def stock_noise(latents: Tensor, given: dict[str, Tensor]) -> Tensor:
    return unet()(
        latents,
        500,
        encoder_hidden_states=given["encoder_hidden_states"],
        added_cond_kwargs={"text_embeds": given["text_embeds"], "time_ids": given["time_ids"]},
    ).sample


def test_without_the_adapter_it_is_sdxl_s_unet_to_the_last_bit() -> None:
    latents, given = torch.randn(2, 4, SIDE, SIDE), condition(2)
    assert torch.equal(MultiviewModel(unet()).plain(latents, torch.tensor(500), given), stock_noise(latents, given))


def test_an_adapter_of_zeros_changes_nothing_and_another_one_does() -> None:
    model, latents, given = MultiviewModel(unet()), torch.randn(VIEWS, 4, SIDE, SIDE), condition(VIEWS)
    maps = model.guide(torch.rand(VIEWS, 6, 48, 48))
    model.remember(torch.randn(1, 4, SIDE, SIDE), {key: value[:1] for key, value in given.items()})
    expected = stock_noise(latents, given)
    assert (model(latents, torch.tensor(500), given, maps) - expected).abs().max() > 1e-3
    for name, weights in model.adapter().items():
        if "to_out_" in name:
            weights.zero_()
    assert torch.equal(model(latents, torch.tensor(500), given, [0 * own for own in maps]), expected)


def layer() -> tuple[ViewAttention, Attention]:
    torch.manual_seed(1)
    return ViewAttention(WIDTH), Attention(WIDTH, heads=HEADS, dim_head=WIDTH // HEADS)


def tokens_of(views: int = VIEWS, side: int = 3) -> Tensor:
    return torch.randn(views, side * side, WIDTH, generator=torch.Generator().manual_seed(2))


def dense(query: Tensor, key: Tensor, value: Tensor, allowed: Tensor) -> Tensor:
    """Attention of (N, C) tokens to those that a (N, N) mask allows, head by head, in plain steps."""
    mixed = []
    for q, k, v in zip(*(x.chunk(HEADS, -1) for x in (query, key, value)), strict=True):
        scores = (q @ k.T / math.sqrt(q.shape[-1])).masked_fill(~allowed, -torch.inf)
        mixed.append(scores.softmax(-1) @ v)
    return torch.cat(mixed, -1)


def test_views_attend_along_the_lines_that_they_share() -> None:
    side = 3
    (own, _), hidden = layer(), tokens_of(side=side)
    view = torch.arange(VIEWS).repeat_interleave(side * side)
    row = torch.arange(side).repeat_interleave(side).repeat(VIEWS)
    column = torch.arange(side).repeat(side * VIEWS)
    place = torch.where(view == 0, side - 1 - column, column)  # the front view shows left what the others show right
    flat = hidden.flatten(0, 1)
    query, key, value = own.to_q_mv(flat), own.to_k_mv(flat), own.to_v_mv(flat)
    total, count = torch.zeros_like(flat), torch.zeros(len(flat), 1)
    for members, line in ((RING, row), (MERIDIAN, place)):
        inside = torch.isin(view, torch.tensor(members))
        allowed = inside[:, None] & inside[None] & (line[:, None] == line[None])
        found = dense(query, key, value, allowed | ~inside[:, None])
        total[inside] += found[inside]
        count[inside] += 1
    expected = own.to_out_mv[0](total / count).unflatten(0, (VIEWS, -1))
    torch.testing.assert_close(own._across_views(hidden, HEADS), expected)


def test_one_picture_of_one_row_is_ordinary_self_attention() -> None:
    tokens = torch.randn(3, 2, 1, 1, 5, HEADS, 4)
    ordinary = scaled_dot_product_attention(*tokens[:, :, 0, 0].transpose(2, 3)).transpose(1, 2)
    torch.testing.assert_close(along_rows(tokens)[:, 0, 0], ordinary)


def test_every_view_reads_the_whole_reference_and_the_blind_half_reads_zeros() -> None:
    (own, attn), hidden, seen = layer(), tokens_of(2 * VIEWS), tokens_of(1)
    own.role = Role.REMEMBER
    own(attn, seen)
    everything = torch.ones(len(hidden[0]), len(seen[0]), dtype=torch.bool)
    shown = [torch.zeros_like(seen[0])] * VIEWS + [seen[0]] * VIEWS
    expected = [
        own.to_out_ref[0](dense(own.to_q_ref(tokens), own.to_k_ref(source), own.to_v_ref(source), everything))
        for tokens, source in zip(hidden, shown, strict=True)
    ]
    torch.testing.assert_close(own._reference(hidden, HEADS), torch.stack(expected))


def test_what_is_added_is_added_to_the_layer_s_own_attention() -> None:
    (own, attn), hidden = layer(), tokens_of()
    plain = own(attn, hidden)
    own.role = Role.REMEMBER
    own(attn, tokens_of(1))
    own.role = Role.PAINT
    expected = plain + own._across_views(hidden, HEADS) + own._reference(hidden, HEADS)
    torch.testing.assert_close(own(attn, hidden), expected)
