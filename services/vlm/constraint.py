"""Decoding under a JSON Schema: a `LogitsProcessor` around llguidance."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedTokenizerFast


def grammar_tokenizer(tokenizer: PreTrainedTokenizerFast, vocabulary_rows: int) -> LLTokenizer:
    """The tokenizer as llguidance sees it; made once a model.

    Args:
        vocabulary_rows: width of the model's logits, which may exceed the vocabulary.
    """
    return from_tokenizer(tokenizer, n_vocab=vocabulary_rows)


class SchemaConstraint(LogitsProcessor):
    """Forbids every token that would leave the schema, and the end of the answer before it is complete.

    For one sequence, from its first new token on. Text is compact: no spaces between values.
    """

    def __init__(self, tokenizer: LLTokenizer, schema: dict[str, Any]) -> None:
        grammar = LLMatcher.grammar_from_json_schema(schema, defaults={"whitespace_flexible": False})
        self._matcher = LLMatcher(tokenizer, grammar)
        self._check()
        self._started = False

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(1, T) tokens so far and (1, V) scores -> (1, V) scores, minus infinity where the grammar forbids."""
        if self._started:
            self._matcher.consume_token(int(input_ids[0, -1]))
            self._check()
        self._started = True
        bias = np.frombuffer(self._matcher.compute_logit_bias(), dtype=np.uint8)[: scores.shape[-1]]
        forbidden = torch.from_numpy(bias == 0).to(scores.device)
        return scores.masked_fill(forbidden, -torch.inf)

    def _check(self) -> None:
        if self._matcher.is_error():
            raise ValueError(f"the grammar stopped: {self._matcher.get_error()}")
