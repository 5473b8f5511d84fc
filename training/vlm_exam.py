"""The held-out exam of a training run: it picks the weights that are shipped, so it never sees the test split."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from articulation.plan import Plan
from services.vlm.plan_format import parse
from training.render import Background
from training.vlm_answers import Answers
from training.vlm_data import Studio, joined, padded_sequences
from training.vlm_evaluate import answers, by_category, judge, measure, quality
from training.vlm_loss import Student, plan_loss, shipped
from training.vlm_model import Layout, patches

CHUNK = 64
"""Views taken at a time."""
BATCH = 256
"""Views whose loss is measured at a time."""
NEGATIVES = 0.25
"""Pictures that are to be refused, for each object."""


@dataclass(frozen=True, eq=False)
class Result:
    """How some weights did.

    Attributes:
        quality: see `training.vlm_evaluate.quality`.
        metrics: of all objects (`training.vlm_evaluate.measure`); `nll` [nat a token] under teacher forcing; and
            `negatives_refused`, the share of pictures to be refused that were.
        categories: the same measures for the objects of each category.
        weights: of the VLM, rounded to bfloat16.
    """

    quality: float
    metrics: dict[str, float]
    categories: dict[str, dict[str, float]]
    weights: dict[str, Tensor]


class Exam:
    """One photograph of each held-out object, and pictures that are to be refused.

    Args:
        studio: of the split VAL.
        library_answers: of its objects.
        objects: how many it has.
    """

    def __init__(self, studio: Studio, library_answers: Answers, objects: int, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        rows = torch.arange(objects).split(CHUNK)
        self._views = joined([studio.objects(row, studio.cameras(row), Background.RANDOM) for row in rows])
        self._negatives = studio.refused(max(1, int(NEGATIVES * objects)))
        self._ids, self._targets = padded_sequences(library_answers, self._views)
        self._truths = [self._truth(row) for row in self._targets.cpu()]

    def __len__(self) -> int:
        return len(self._views)

    def _truth(self, targets: Tensor) -> Plan:
        return parse(self._tokenizer.decode(targets[targets >= 0].tolist()))

    @torch.no_grad()
    def sit(
        self, student: Student, average: dict[str, Tensor], table: Layout, soft: tuple[Tensor, Tensor], patch: int
    ) -> Result:
        """Judge weights as they would be shipped.

        Args:
            student: holds the weights in the meantime, and afterwards.
            average: a student's state.
        """
        rounded = {name: average[name].bfloat16() for name, _ in student.named_parameters()}
        student.load_state_dict(rounded, strict=False)
        written = answers(student.vlm, table, patch, self._views, self._tokenizer)
        refused = answers(student.vlm, table, patch, self._negatives, self._tokenizer)
        judged = [judge(text, truth) for text, truth in zip(written, self._truths, strict=True)]
        metrics = measure(judged)
        metrics["nll"] = self._nll(student, table, soft, patch)
        metrics["negatives_refused"] = sum(text.startswith('{"refused"') for text in refused) / len(refused)
        weights = {name: value.cpu() for name, value in shipped(rounded).items()}
        return Result(quality(metrics), metrics, by_category(judged), weights)

    def _nll(self, student: Student, table: Layout, soft: tuple[Tensor, Tensor], patch: int) -> float:
        total = 0.0
        for start in range(0, len(self), BATCH):
            rows = slice(start, start + BATCH)
            pixels = patches(self._views.images[rows].float() / 255, patch)
            labels = self._views.links[rows], self._views.parts[rows]
            losses = plan_loss(student, table, soft, pixels, labels, (self._ids[rows], self._targets[rows]), 0.0)
            total += float(losses["nll"]) * len(pixels)
        return total / len(self)
