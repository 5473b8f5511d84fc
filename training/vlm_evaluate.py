"""Held-out quality of a plan model: greedy answers against the true documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import Qwen3VLForConditionalGeneration

from articulation.errors import InvalidArticulation
from articulation.metrics import ArticulationScores, JointScores, PartMatch, articulation_scores
from articulation.plan import Plan
from services.vlm.plan_format import Refused, parse
from training.vlm_data import Views
from training.vlm_matching import match_boxes
from training.vlm_model import Layout, decode, decode_next, encode_images, patches
from training.vlm_tokenizer import END, PAD_ID

CHECK_EVERY = 32
"""Tokens between looks at whether all answers are complete."""

MISSED = JointScores(False, None, None, None, None, False)


@torch.no_grad()
def answers(
    model: Qwen3VLForConditionalGeneration, table: Layout, patch: int, views: Views, tokenizer: Tokenizer
) -> list[str]:
    """Greedy, unconstrained answers to views that were asked without hints, as long as the layout's tables."""
    prompt = int(views.asked.prompt_lengths[0])
    length = table.text[0].shape[2]
    end = tokenizer.token_to_id(END)
    head = model.model.language_model.embed_tokens.weight.T
    memory: list[tuple[Tensor, Tensor]] = []
    seen = encode_images(model, table, patches(views.images.float() / 255, patch))
    hidden = decode(model, table, seen.tokens, views.asked.prompt[:, :prompt], memory=memory)[:, -1:]
    written: list[Tensor] = []
    running = torch.ones((len(views), 1), dtype=torch.bool, device=views.images.device)
    for place in range(prompt, length):
        token = torch.where(running, (hidden @ head).argmax(-1), PAD_ID)
        written.append(token)
        running = running & (token != end)
        if place + 1 == length or (place % CHECK_EVERY == 0 and not running.any()):
            break
        hidden = decode_next(model, table, token, memory)
    return tokenizer.decode_batch(torch.cat(written, 1).tolist(), skip_special_tokens=True)


@dataclass(frozen=True)
class Answer:
    """One answer against the truth.

    Attributes:
        plan: None where the answer is a refusal or nothing that can be read.
        tree: where there is a plan; parts matched by their boxes.
        boxes: mean distance of a face of matched boxes [model units].
    """

    truth: Plan
    plan: Plan | None
    refused: bool
    tree: ArticulationScores | None = None
    boxes: float | None = None

    @property
    def joints(self) -> tuple[JointScores, ...]:
        """One for each true part that moves."""
        return self.tree.joints if self.tree else (MISSED,) * len(self.truth.articulation().moving)

    @property
    def count(self) -> bool:
        """Whether the number of parts is right."""
        return self.tree is not None and self.tree.part_count_right


def judge(text: str, truth: Plan) -> Answer:
    """Compare one answer with the true plan."""
    try:
        plan = parse(text)
    except InvalidArticulation as error:
        return Answer(truth, None, isinstance(error, Refused))
    apart = match_boxes(plan, truth)
    match = PartMatch(tuple(apart), (), abs(len(plan.parts) - len(truth.parts)), 0.0)
    tree = articulation_scores(plan.articulation(), truth.articulation(), match)
    return Answer(truth, plan, False, tree, float(np.mean(list(apart.values()))))


def measure(judged: Sequence[Answer]) -> dict[str, float]:
    """Mean quality, where there is anything to measure.

    An answer without a plan has no count, no labels and no tree, and misses all joints; other errors are means over
    what there is.

    - `valid`: answers that are plans; `refused`: refusals; `category`; `count`: number of parts; `labels`: all labels;
    - `type_error`, `success`: of true parts that move; `axis_error_rad` (signed), `origin_error`, `range_iou`: of
      joints of the right type; `tree_accuracy`: of true parts;
    - `box_error`: mean distance of a face of matched boxes, `view_error`: mean of azimuth and elevation [deg];
    - `exact`: right count, labels and tree, and every joint a success.
    """
    planned = [(x, x.plan, x.tree) for x in judged if x.plan is not None and x.tree is not None]
    joints = [joint for x in judged for joint in x.joints]
    labels = [(x, x.plan is not None and _labels(x.plan) == _labels(x.truth)) for x in judged]
    values: dict[str, Sequence[float | None]] = {
        "valid": [x.plan is not None for x in judged],
        "refused": [x.refused for x in judged],
        "category": [x.plan is not None and x.plan.category == x.truth.category for x in judged],
        "count": [x.count for x in judged],
        "labels": [right for _, right in labels],
        "type_error": [not joint.type_right for joint in joints],
        "success": [joint.success for joint in joints],
        "axis_error_rad": [joint.axis for joint in joints],
        "origin_error": [joint.origin for joint in joints],
        "range_iou": [joint.range_iou for joint in joints],
        "tree_accuracy": [x.tree.tree_accuracy if x.tree else 0.0 for x in judged],
        "box_error": [x.boxes for x in judged],
        "view_error": [_view_error(plan, x.truth) for x, plan, _ in planned],
        "exact": [
            right and x.count and x.tree is not None and x.tree.tree_accuracy == 1 and x.tree.success_rate == 1
            for x, right in labels
        ],
    }
    known = {key: [x for x in column if x is not None] for key, column in values.items()}
    return {key: float(np.mean(column)) for key, column in known.items() if column}


def by_category(judged: Sequence[Answer]) -> dict[str, dict[str, float]]:
    """`measure` for each true category, in alphabetical order."""
    names = sorted({x.truth.category for x in judged})
    return {name: measure([x for x in judged if x.truth.category == name]) for name in names}


def quality(metrics: Mapping[str, float]) -> float:
    """One number in [0, 1], by which a run chooses the weights that it ships."""
    return (metrics["count"] + metrics["success"] + metrics["tree_accuracy"] + metrics["exact"]) / 4


def _labels(plan: Plan) -> Counter[str]:
    return Counter(part.label for part in plan.parts)


def _view_error(plan: Plan, truth: Plan) -> float:
    return float(np.rad2deg(np.abs(plan.camera.to_array() - truth.camera.to_array())[:2]).mean())
