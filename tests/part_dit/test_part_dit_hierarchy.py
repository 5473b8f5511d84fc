"""Attention along the kinematic tree against a loop over its edges."""

import pytest
import torch
from part_dit_toys import randomise

from services.part_dit.hierarchy import HierarchyBlock

CHAIN, STAR, FOREST = [-1, 0, 1, 2], [-1, 0, 0, 0], [-1, 0, 1, 1]


@pytest.fixture
def block() -> HierarchyBlock:
    torch.manual_seed(0)
    built = HierarchyBlock(16, 2).eval()
    randomise(built)
    return built


def by_hand(block: HierarchyBlock, tokens: torch.Tensor, parents: list[int]) -> torch.Tensor:
    """(K, S, D), one edge after the other."""
    normed = block.norm_parent(tokens)
    first = tokens.clone()
    for child, parent in enumerate(parents):
        if parent >= 0:
            first[child] += block.attn_parent(normed[child : child + 1], normed[parent : parent + 1])[0]
    normed = block.norm_children(first)
    second = first.clone()
    for parent in range(len(parents)):
        children = [i for i, p in enumerate(parents) if p == parent]
        if children:
            keys = normed[children].flatten(0, 1)[None]
            second[parent] += block.attn_children(normed[parent : parent + 1], keys)[0]
    return second


@pytest.mark.parametrize("parents", [CHAIN, STAR, FOREST])
def test_masked_attention_equals_a_loop_over_edges(block: HierarchyBlock, parents: list[int]) -> None:
    tokens = torch.randn(4, 3, 16)
    with torch.no_grad():
        expected = by_hand(block, tokens, parents)
        torch.testing.assert_close(block(tokens[None], torch.tensor([parents]))[0], expected)


def test_a_lone_part_is_left_as_it_is(block: HierarchyBlock) -> None:
    tokens = torch.randn(2, 1, 3, 16)
    torch.testing.assert_close(block(tokens, torch.full((2, 1), -1)), tokens)


def test_chain_and_star_differ(block: HierarchyBlock) -> None:
    tokens = torch.randn(1, 4, 3, 16)
    assert (block(tokens, torch.tensor([CHAIN])) - block(tokens, torch.tensor([STAR]))).abs().max() > 1e-3


def test_strangers_do_not_speak(block: HierarchyBlock) -> None:
    tokens = torch.randn(1, 4, 3, 16)
    changed = tokens.clone()
    changed[0, 3] += 1
    before, after = (block(value, torch.tensor([STAR]))[0] for value in (tokens, changed))
    torch.testing.assert_close(before[1:3], after[1:3])
