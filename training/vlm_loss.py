"""What the compact VLM is trained on: the tokens of the answer, and what each spot of the picture shows."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import Qwen3VLForConditionalGeneration

from training.vlm_dense import DenseHead
from training.vlm_model import Layout, ModelSize, decode, encode_images

SPREAD = (0.05, 0.12, 0.66, 0.12, 0.05)
"""Target probability of an integer and of its neighbours: numbers are near each other, which single tokens are not."""
DECISION_WEIGHT = 2.0
"""Of a token that is no integer: it is right or wrong, and a wrong one costs a part."""
DROPOUT = 0.05
DENSE_WEIGHT = 0.5
NUMBERS_WEIGHT = 2.0
"""Of the dense head's numbers beside its joint types."""


class Student(nn.Module):
    """The VLM, and the head that only training needs."""

    def __init__(self, vlm: Qwen3VLForConditionalGeneration, size: ModelSize) -> None:
        super().__init__()
        self.vlm = vlm
        self.dense = DenseHead(size.vision_width)


def shipped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The VLM's entries of a student's state."""
    return {name.removeprefix("vlm."): value for name, value in state.items() if name.startswith("vlm.")}


def soft_targets(tokenizer: Tokenizer, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """For each token the tokens that share its target probability.

    Returns:
        (V, 5) ids and (V, 5) weights: an integer and its neighbours with the same comma, any other token alone, which
        counts `DECISION_WEIGHT`.
    """
    vocabulary = tokenizer.get_vocab()
    ids = torch.arange(len(vocabulary))[:, None].repeat(1, len(SPREAD))
    weights = torch.zeros(ids.shape)
    weights[:, len(SPREAD) // 2] = DECISION_WEIGHT
    for token, index in vocabulary.items():
        comma, digits = ("," if token.startswith(",") else ""), token.removeprefix(",")
        if not digits.removeprefix("-").isdecimal():
            continue
        weights[index, len(SPREAD) // 2] = 1
        near = [f"{comma}{int(digits) + step}" for step in range(-2, 3)]
        if str(int(digits)) == digits and all(name in vocabulary for name in near):
            ids[index] = torch.tensor([vocabulary[name] for name in near])
            weights[index] = torch.tensor(SPREAD)
    return ids.to(device), weights.to(device)


def plan_loss(
    student: Student,
    table: Layout,
    soft: tuple[Tensor, Tensor],
    pixels: Tensor,
    labels: tuple[Tensor, Tensor],
    sequences: tuple[Tensor, Tensor],
    dropout: float = DROPOUT,
) -> dict[str, Tensor]:
    """All losses of a batch.

    Args:
        pixels: (B, N, C) patches.
        labels: links and parts of `training.vlm_dense`.
        sequences: ids and targets (B, T) of `training.vlm_answers.sequences`.

    Returns:
        `loss`, which is minimised; `nll`, the negative log-likelihood of the true tokens, per answer token [nat];
        `seen_type` [nat] and `seen_numbers` [model units, radians], the dense head's.
    """
    ids, targets = sequences
    seen = encode_images(student.vlm, table, pixels, dropout)
    hidden = decode(student.vlm, table, seen.tokens, ids, dropout)[:, table.start : -1]
    logits = functional.linear(hidden, student.vlm.model.language_model.embed_tokens.weight)
    logp = logits.float().log_softmax(-1)
    wanted = targets[:, table.start + 1 :]
    mask = (wanted >= 0).float()
    near, weights = soft[0][wanted.clamp(min=0)], soft[1][wanted.clamp(min=0)]
    cross = -(logp.gather(-1, near) * weights).sum(-1)
    exact = -logp.gather(-1, wanted.clamp(min=0)[..., None])[..., 0]
    answer, nll = (cross * mask).sum() / mask.sum(), (exact * mask).sum() / mask.sum()
    kind, numbers = student.dense(seen.patches, *labels)
    loss = answer + DENSE_WEIGHT * (kind + NUMBERS_WEIGHT * numbers)
    return {"loss": loss, "nll": nll, "seen_type": kind, "seen_numbers": numbers}
