"""The part DiT: PartCrafter's layout, and what SPARK adds to it."""

import pytest
import torch
from part_dit_toys import randomise, toy_transformer

from services.part_dit.attention import Attention
from services.part_dit.transformer import ADDED_MODULES, PartCrafterDiTModel
from training.published_layout import FULL as FULL_SIZES
from training.published_layout import transformer_shapes

FULL = {"global_attn_block_ids": list(range(0, 21, 2))}


def parameters(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def test_the_full_configuration_has_the_published_names_and_shapes() -> None:
    with torch.device("meta"):
        model = PartCrafterDiTModel(**FULL)
    assert parameters(model) == dict(transformer_shapes(FULL_SIZES))


def test_additions_come_under_new_names_only() -> None:
    with torch.device("meta"):
        model = PartCrafterDiTModel(
            **FULL,
            hierarchy_attn_block_ids=[11],
            enable_position_embedding=True,
            enable_box_embedding=True,
            num_latent_tokens=512,
            enable_box_token=True,
        )
    kept = {k: v for k, v in parameters(model).items() if not k.startswith(ADDED_MODULES)}
    assert kept == dict(transformer_shapes(FULL_SIZES))


def call(model: PartCrafterDiTModel, count: int = 3, **changes: object) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    inputs = {
        "hidden_states": torch.randn(count, 6, 8, generator=generator),
        "timestep": torch.full((count,), 300.0),
        "encoder_hidden_states": torch.randn(count, 5, 24, generator=generator),
        "global_encoder_hidden_states": torch.randn(1, 5, 24, generator=generator),
        "parent_index": torch.arange(count) - 1,
        "boxes": torch.rand(count, 6, generator=generator),
    }
    with torch.no_grad():
        return model(**{**inputs, **changes})


def test_additions_start_as_no_ops() -> None:
    torch.manual_seed(0)
    plain = toy_transformer(
        hierarchy_attn_block_ids=[],
        enable_position_embedding=False,
        enable_box_embedding=False,
        num_latent_tokens=None,
    )
    randomise(plain)
    extended = toy_transformer()
    missing, unexpected = extended.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    assert missing
    assert all(key.startswith(ADDED_MODULES) for key in missing)
    torch.testing.assert_close(call(extended), call(plain))


def test_flags_of_additions_survive_saving(transformer: PartCrafterDiTModel, tmp_path: object) -> None:
    transformer.save_pretrained(tmp_path)
    loaded = PartCrafterDiTModel.from_pretrained(tmp_path)
    torch.testing.assert_close(call(loaded), call(transformer))


def test_global_blocks_take_the_first_part_image_by_default(transformer: PartCrafterDiTModel) -> None:
    image = torch.randn(1, 5, 24)
    parts = image.expand(3, -1, -1)
    explicit = call(transformer, encoder_hidden_states=parts, global_encoder_hidden_states=image)
    default = call(transformer, encoder_hidden_states=parts, global_encoder_hidden_states=None)
    torch.testing.assert_close(explicit, default)


def test_each_condition_changes_the_output(transformer: PartCrafterDiTModel) -> None:
    base = call(transformer)
    for changes in (
        {"encoder_hidden_states": torch.zeros(3, 5, 24)},
        {"global_encoder_hidden_states": torch.zeros(1, 5, 24)},
        {"parent_index": torch.tensor([-1, 0, 0])},
        {"boxes": None},
        {"timestep": torch.full((3,), 900.0)},
        {"link_index": torch.tensor([0, 1, 5])},
        {"part_index": torch.tensor([0, 1, 5])},
    ):
        assert (call(transformer, **changes) - base).abs().max() > 1e-4, changes


def test_an_unknown_box_is_no_box(transformer: PartCrafterDiTModel) -> None:
    unknown = call(transformer, box_known=torch.zeros(3, dtype=torch.bool))
    torch.testing.assert_close(unknown, call(transformer, boxes=None))


@pytest.mark.parametrize("counts", [(3, 1, 4), (2, 2, 2)])
def test_a_batch_of_objects_equals_one_by_one(transformer: PartCrafterDiTModel, counts: tuple[int, ...]) -> None:
    total, objects = sum(counts), len(counts)
    latents, local = torch.randn(total, 6, 8), torch.randn(total, 5, 24)
    shared, boxes = torch.randn(objects, 5, 24), torch.rand(total, 6)
    parents = torch.cat([torch.arange(n) - 1 for n in counts])
    time = torch.cat([torch.full((n,), 100.0 * n) for n in counts])
    with torch.no_grad():
        together = transformer(
            latents,
            time,
            local,
            num_parts=counts,
            global_encoder_hidden_states=shared,
            parent_index=parents,
            boxes=boxes,
        )
        start = 0
        for index, count in enumerate(counts):
            rows = slice(start, start + count)
            alone = transformer(
                latents[rows],
                time[rows],
                local[rows],
                global_encoder_hidden_states=shared[index : index + 1],
                parent_index=parents[rows],
                boxes=boxes[rows],
            )
            torch.testing.assert_close(together[rows], alone)
            start += count


def test_parts_are_a_set_without_index_embeddings() -> None:
    torch.manual_seed(0)
    model = toy_transformer(enable_part_embedding=False, enable_position_embedding=False)
    randomise(model)
    latents, local, boxes = torch.randn(4, 6, 8), torch.randn(4, 5, 24), torch.rand(4, 6)
    parents = torch.tensor([-1, 0, 1, 0])
    order = torch.tensor([2, 0, 3, 1])
    place = order.argsort()
    moved = torch.where(parents[order] < 0, -1, place[parents[order]])
    base = call(model, 4, hidden_states=latents, encoder_hidden_states=local, parent_index=parents, boxes=boxes)
    permuted = call(
        model,
        4,
        hidden_states=latents[order],
        encoder_hidden_states=local[order],
        parent_index=moved,
        boxes=boxes[order],
    )
    torch.testing.assert_close(permuted, base[order])


def test_a_box_token_goes_through_layers_of_its_own() -> None:
    torch.manual_seed(0)
    model = toy_transformer(enable_box_token=True)
    randomise(model)
    noisy = torch.randn(3, 7, 8)
    base = call(model, hidden_states=noisy)
    assert base.shape == noisy.shape
    assert bool((base[:, -1, 6:] == 0).all())
    assert bool((base[:, -1, :6] != 0).all())
    unused = noisy.clone()
    unused[:, -1, 6:] = 5
    torch.testing.assert_close(call(model, hidden_states=unused), base)
    used = noisy.clone()
    used[0, -1, 0] = 5
    assert (call(model, hidden_states=used) - base).abs().max() > 1e-4


def test_a_box_token_needs_room_for_a_box() -> None:
    with pytest.raises(ValueError, match="6 channels"):
        toy_transformer(enable_box_token=True, in_channels=4)


def test_part_counts_must_add_up(transformer: PartCrafterDiTModel) -> None:
    with pytest.raises(ValueError, match="do not add up"):
        call(transformer, num_parts=(1, 1))


def test_a_hierarchy_needs_parents(transformer: PartCrafterDiTModel) -> None:
    with pytest.raises(ValueError, match="parent_index"):
        call(transformer, parent_index=None)


def test_attention_packs_head_by_head() -> None:
    torch.manual_seed(0)
    attention = Attention(8, 2, qk_norm=False)
    tokens = torch.randn(1, 3, 8)
    packed = torch.cat([layer(tokens) for layer in (attention.to_q, attention.to_k, attention.to_v)], dim=-1)
    heads = []
    for head in packed[0].split(12, dim=-1):
        query, key, value = head.split(4, dim=-1)
        heads.append((query @ key.T / 2).softmax(-1) @ value)
    expected = attention.to_out[0](torch.cat(heads, dim=-1))
    torch.testing.assert_close(attention(tokens)[0], expected)
