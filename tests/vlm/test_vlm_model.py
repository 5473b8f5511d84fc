"""The batched forward pass against the stock one, and the loss."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from plan_folders import write_random_folder
from transformers import AutoImageProcessor, AutoModelForImageTextToText
from transformers.vision_utils import get_vision_interpolation_indices_and_weights

from training.vlm_folder import PLACES, same_model
from training.vlm_loss import DECISION_WEIGHT, soft_targets
from training.vlm_model import (
    TOY,
    Memory,
    ModelSize,
    build_model,
    decode,
    decode_next,
    encode_images,
    layout,
    patches,
)
from training.vlm_tokenizer import IMAGE, build_tokenizer

TOKENIZER = build_tokenizer()
VOCABULARY = TOKENIZER.get_vocab()


@pytest.mark.parametrize("size", [TOY, ModelSize()], ids=["toy", "compact"])
def test_batched_logits_equal_the_stock_ones(size: ModelSize) -> None:
    torch.manual_seed(0)
    model = build_model(size, VOCABULARY).eval()
    tokens = size.grid**2
    ids = torch.randint(10, 1700, (2, 5 + tokens + 9))
    ids[:, 5 : 5 + tokens] = VOCABULARY[IMAGE]
    pixels = patches(torch.rand(2, size.image, size.image, 3), size.patch)
    twice = pixels.reshape(2, -1, 3, 1, size.patch**2).expand(-1, -1, -1, 2, -1).flatten(0, 1).flatten(1)
    with torch.no_grad():
        stock = model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=twice,
            image_grid_thw=torch.tensor([[1, 2 * size.grid, 2 * size.grid]] * 2),
            mm_token_type_ids=(ids == VOCABULARY[IMAGE]).int(),
        ).logits
        table = layout(model, size, 5, ids.shape[1])
        hidden = decode(model, table, encode_images(model, table, pixels).tokens, ids)
    torch.testing.assert_close(hidden @ model.lm_head.weight.T, stock, atol=1e-5, rtol=1e-4)


def test_tokens_one_by_one_give_what_the_whole_sequence_gives() -> None:
    torch.manual_seed(0)
    model = build_model(TOY, VOCABULARY).eval()
    ids = torch.randint(10, 1700, (3, 5 + TOY.grid**2 + 12))
    table = layout(model, TOY, 5, ids.shape[1])
    with torch.no_grad():
        tokens = encode_images(model, table, patches(torch.rand(3, TOY.image, TOY.image, 3), TOY.patch)).tokens
        whole = decode(model, table, tokens, ids)
        memory: Memory = []
        steps = [decode(model, table, tokens, ids[:, :-8], memory=memory)]
        steps += [decode_next(model, table, one, memory) for one in ids[:, -8:].split(1, 1)]
    torch.testing.assert_close(torch.cat(steps, 1), whole, atol=1e-5, rtol=1e-4)


def test_patches_are_those_of_the_shipped_image_processor(tmp_path: Path) -> None:
    write_random_folder(tmp_path)
    picture = np.random.default_rng(0).integers(0, 256, (TOY.image, TOY.image, 3), dtype=np.uint8)
    processed = AutoImageProcessor.from_pretrained(tmp_path)(images=[Image.fromarray(picture)], return_tensors="pt")
    stock = processed["pixel_values"].reshape(-1, 3, 2, TOY.patch**2)
    ours = patches(torch.from_numpy(picture)[None].float() / 255, TOY.patch)[0].reshape(-1, 3, TOY.patch**2)
    torch.testing.assert_close(ours, stock[:, :, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(ours, stock[:, :, 1], atol=1e-5, rtol=0)


def test_stored_weights_go_into_a_model_like_theirs_only(tmp_path: Path) -> None:
    write_random_folder(tmp_path)
    model = build_model(TOY, VOCABULARY)
    stored = same_model(tmp_path, model, TOKENIZER)
    assert stored.keys() == dict(model.named_parameters()).keys()
    assert not same_model(tmp_path, build_model(replace(TOY, text_mlp=320), VOCABULARY), TOKENIZER)
    assert not same_model(tmp_path / "none", model, TOKENIZER)


def test_weights_for_smaller_pictures_see_larger_ones_as_the_stock_model_does(tmp_path: Path) -> None:
    write_random_folder(tmp_path)
    size = replace(TOY, image=TOY.image * 3 // 2)
    stock = AutoModelForImageTextToText.from_pretrained(
        tmp_path, dtype="float32"
    ).model.visual.pos_embed.weight.detach()
    larger = torch.tensor([[1, 2 * size.grid, 2 * size.grid]])
    taps, weights = get_vision_interpolation_indices_and_weights(
        larger, 2 * TOY.grid, mode="bilinear", align_corners=True, spatial_merge_size=2
    )
    expected = (stock[taps] * weights[..., None]).sum(1)
    places = same_model(tmp_path, build_model(size, VOCABULARY), TOKENIZER)[PLACES]
    in_order = places.unflatten(0, (size.grid, 2, size.grid, 2)).transpose(1, 2).flatten(0, 3)
    torch.testing.assert_close(in_order, expected, atol=1e-5, rtol=1e-5)


def test_the_compact_model_keeps_to_its_size() -> None:
    assert sum(p.numel() for p in build_model(ModelSize(), VOCABULARY).parameters()) <= 22_000_000


def test_soft_targets_spread_integers_over_neighbours_only() -> None:
    ids, weights = soft_targets(TOKENIZER, "cpu")
    names = {index: token for token, index in VOCABULARY.items()}
    assert [names[i] for i in ids[VOCABULARY[",-17"]].tolist()] == [",-19", ",-18", ",-17", ",-16", ",-15"]
    door = VOCABULARY["door"]
    assert ids[door].eq(door).all()
    assert weights[VOCABULARY[",-17"]].sum() == pytest.approx(1)
    assert weights[door].sum() == DECISION_WEIGHT
