"""What makes sampling fast changes nothing: each shortcut against the plain computation."""

from collections.abc import Callable, Iterator

import pytest
import torch
from part_dit_toys import toy_transformer
from torch import Tensor, nn

from services.part_dit.attention import Attention
from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.transformer import PartCrafterDiTModel

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def images(count: int) -> Tensor:
    return torch.randn(count, 5, 24, generator=torch.Generator().manual_seed(count))


@torch.no_grad()
def test_what_is_seen_is_worked_out_once_for_all_steps(transformer: PartCrafterDiTModel) -> None:
    sight = transformer.look(images(3), images(1))
    parents = torch.tensor([-1, 0, 1])
    for seed, time in ((0, 900.0), (1, 100.0)):
        noisy = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(seed))
        times = torch.full((3,), time)
        plain = transformer(noisy, times, images(3), global_encoder_hidden_states=images(1), parent_index=parents)
        torch.testing.assert_close(transformer(noisy, times, sight, parent_index=parents), plain, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("counts", [(2, 2), (1, 3)])
def test_parts_that_see_nothing_are_parts_that_see_zeros(
    transformer: PartCrafterDiTModel, counts: tuple[int, int]
) -> None:
    noisy = torch.randn(8, 6, 8, generator=torch.Generator().manual_seed(0))
    same = {"num_parts": counts * 2, "parent_index": torch.full((8,), -1)}
    own, whole = (torch.cat([torch.zeros_like(seen), seen]) for seen in (images(4), images(2)))
    plain = transformer(noisy, torch.full((8,), 500.0), own, global_encoder_hidden_states=whole, **same)
    sight = transformer.look(images(4), images(2), counts, blind=4)
    torch.testing.assert_close(transformer(noisy, torch.full((8,), 500.0), sight, **same), plain, **CLOSE)


@torch.no_grad()
def test_attention_over_unequal_groups_is_that_of_each_group() -> None:
    torch.manual_seed(0)
    attention = Attention(16, 2)
    tokens = torch.randn(6, 5, 16)
    alone = [attention(group.flatten(0, 1)[None]).view_as(group) for group in tokens.split([1, 3, 2])]
    torch.testing.assert_close(attention(tokens, groups=(1, 3, 2)), torch.cat(alone), **CLOSE)


@pytest.fixture
def fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@torch.no_grad()
def test_compiled_blocks_share_one_graph_a_kind(pipeline: PartDiTPipeline, fresh_compiler: None) -> None:
    """Local, global, and both with a skip, without a break: a kind that were compiled block by block takes minutes."""
    graphs = []

    def record(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., object]:
        graphs.append(graph)
        return graph.forward

    torch.manual_seed(0)
    transformer = toy_transformer(num_layers=9, global_attn_block_ids=[0, 2, 4, 6, 8], hierarchy_attn_block_ids=[])
    built = PartDiTPipeline(
        pipeline.vae, transformer, pipeline.scheduler, pipeline.image_encoder_dinov2, pipeline.feature_extractor_dinov2
    )

    def run() -> Tensor:
        return built.sample(
            images(3), images(1), torch.tensor([-1, 0, 0]), None, torch.Generator().manual_seed(0),
            num_inference_steps=2, guidance_scale=7.0,
        ).latents  # fmt: skip

    plain = run()
    blocks: list[nn.Module] = [*transformer.blocks, *pipeline.vae.decoder.blocks]
    try:
        built.compile_blocks(backend=record)
        torch.testing.assert_close(run(), plain, **CLOSE)
    finally:
        for block in blocks:
            block._compiled_call_impl = None
    assert len(graphs) == 4
