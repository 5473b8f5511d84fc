"""Held-out quality of a plan model: greedy answers against the true documents."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from tokenizers import Tokenizer
from torch import Tensor
from transformers import Qwen3VLForConditionalGeneration

from articulation.errors import InvalidArticulation
from articulation.plan import Plan
from services.vlm.plan_format import from_document, parse
from training.vlm_data import PlanData, prompt_text
from training.vlm_model import Layout, decode, encode_images, patches
from training.vlm_tokenizer import END, PAD


@torch.no_grad()
def answers(
    model: Qwen3VLForConditionalGeneration, table: Layout, patch: int, images: Tensor, length: int, tokenizer: Tokenizer
) -> list[str]:
    """Greedy, unconstrained answers without hints to (B, S, S, 3) uint8 images, at most `length` tokens in all."""
    vocabulary = tokenizer.get_vocab()
    end, pad = vocabulary[END], vocabulary[PAD]
    prompt = tokenizer.encode(prompt_text(table.images)).ids
    ids = torch.full((len(images), length), pad, device=images.device)
    ids[:, : len(prompt)] = torch.tensor(prompt, device=images.device)
    tokens = encode_images(model, table, patches(images.float() / 255, patch))
    embedding = model.model.language_model.embed_tokens.weight
    running = torch.ones(len(images), dtype=torch.bool, device=images.device)
    for place in range(len(prompt), length):
        hidden = decode(model, table, tokens, ids[:, :place])[:, -1]
        ids[:, place] = torch.where(running, (hidden @ embedding.T).argmax(-1), pad)
        running &= ids[:, place] != end
        if place % 32 == 0 and not running.any():
            break
    return tokenizer.decode_batch(ids[:, len(prompt) :].tolist(), skip_special_tokens=True)


def score(texts: list[str], data: PlanData) -> dict[str, float]:
    """Mean quality, where there is anything to measure; an unreadable answer counts in all but `box_` and `view_error`.

    - `valid`: answers that parse; `category`, `count`: right category, right number of parts;
    - `type_error`, `axis_error`: moving parts of the truth whose matched part is missing or has another joint type,
      or type or axis;
    - `box_error`: mean distance of a face of matched boxes, `view_error`: mean of azimuth and elevation [deg].
    """
    rows = [_score(text, from_document(document)) for text, document in zip(texts, data.documents, strict=False)]
    values = {key: np.array([row[key] for row in rows if not np.isnan(row[key])]) for key in rows[0]}
    return {key: float(known.mean()) for key, known in values.items() if len(known)}


def _score(text: str, truth: Plan) -> dict[str, float]:
    moving = [i for i, part in enumerate(truth.parts) if part.joint.type.moves]
    try:
        plan = parse(text)
    except InvalidArticulation:
        nothing = {"box_error": np.nan, "view_error": np.nan}
        return {"valid": 0.0, "category": 0.0, "count": 0.0, "type_error": 1.0, "axis_error": 1.0, **nothing}
    mine, theirs = _faces(plan), _faces(truth)
    cost = np.abs(mine[:, None] - theirs[None]).mean(-1)
    matched = {int(t): int(m) for m, t in zip(*linear_sum_assignment(cost), strict=True)}
    types = [i in matched and plan.parts[matched[i]].joint.type is truth.parts[i].joint.type for i in moving]
    axes = [
        right and float(plan.parts[matched[i]].joint.axis @ truth.parts[i].joint.axis) > 0.99
        for i, right in zip(moving, types, strict=True)
    ]
    return {
        "valid": 1.0,
        "category": float(plan.category == truth.category),
        "count": float(len(plan.parts) == len(truth.parts)),
        "type_error": 1 - float(np.mean(types)) if moving else np.nan,
        "axis_error": 1 - float(np.mean(axes)) if moving else np.nan,
        "box_error": float(np.mean([cost[m, t] for t, m in matched.items()])),
        "view_error": float(np.rad2deg(np.abs(plan.camera.to_array() - truth.camera.to_array())[:2]).mean()),
    }


def _faces(plan: Plan) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(K, 6) lower then upper corner of every part's box."""
    boxes = np.stack([part.box.to_array() for part in plan.parts])
    return np.concatenate([boxes[:, :3] - boxes[:, 3:], boxes[:, :3] + boxes[:, 3:]], 1)
