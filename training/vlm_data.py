"""Pictures and token sequences of generated objects, cached on the training device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from services.vlm.plan_format import dumps
from services.vlm.prompt import with_hints
from training.objects import Split
from training.render import Background, render
from training.scene import pack
from training.vlm_samples import Sample, samples
from training.vlm_tokenizer import END, IMAGE, PAD, START, VISION_END, VISION_START

PROMPT = "Plan the object."
"""What the compact model is asked; shipped as the model folder's `prompt.txt`."""

OPENING = f"{START}user\n{VISION_START}"
RENDER_BATCH = 128
PLAIN_EVERY = 6
"""One batch in so many shows its objects on white."""


@dataclass(frozen=True, eq=False)
class PlanData:
    """N samples on one device.

    Attributes:
        images: (N, S, S, 3) uint8.
        ids: (N, T) int64 tokens: opening, image, prompt, answer, padding.
        targets: (N, T) int64: `ids` where the answer stands, -1 elsewhere.
        documents: N documents, which the answers spell.
    """

    images: Tensor
    ids: Tensor
    targets: Tensor
    documents: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.documents)


def build_data(
    seeds: Sequence[int], split: Split, tokenizer: Tokenizer, side: int, image_tokens: int, device: str, processes: int
) -> PlanData:
    """Generate, render and tokenise one view of every object.

    Args:
        side: of the pictures [px].
        image_tokens: placeholders in each sequence.
    """
    drawn = samples(seeds, split, processes)
    ids, targets = _tokenise(drawn, tokenizer, image_tokens)
    images = _render(drawn, side, device)
    return PlanData(images, ids.to(device), targets.to(device), [sample.document for sample in drawn])


def prompt_text(image_tokens: int, hints: Sequence[str] = ()) -> str:
    """The conversation up to the answer, exactly as the chat template writes it."""
    asked = with_hints(PROMPT, hints)
    return f"{OPENING}{IMAGE * image_tokens}{VISION_END}{asked}{END}\n{START}assistant\n"


def _tokenise(drawn: list[Sample], tokenizer: Tokenizer, image_tokens: int) -> tuple[Tensor, Tensor]:
    """(N, T) ids and targets, padded to the longest."""
    asked = tokenizer.encode_batch_fast([prompt_text(image_tokens, sample.hints) for sample in drawn])
    answers = tokenizer.encode_batch_fast([dumps(sample.document) + END for sample in drawn])
    length = max(len(a.ids) + len(b.ids) for a, b in zip(asked, answers, strict=True))
    ids = np.full((len(drawn), length), tokenizer.token_to_id(PAD))
    targets = np.full_like(ids, -1)
    for row, (question, answer) in enumerate(zip(asked, answers, strict=True)):
        start, end = len(question.ids), len(question.ids) + len(answer.ids)
        ids[row, :start] = question.ids
        ids[row, start:end] = targets[row, start:end] = answer.ids
    return torch.from_numpy(ids), torch.from_numpy(targets)


def _render(drawn: list[Sample], side: int, device: str) -> Tensor:
    """(N, S, S, 3) uint8 views of the closed objects, most of them in random surroundings."""
    generator = torch.Generator(device).manual_seed(0)
    cameras = torch.tensor(np.stack([sample.camera for sample in drawn]), dtype=torch.float32, device=device)
    images = torch.empty((len(drawn), side, side, 3), dtype=torch.uint8, device=device)
    for start in range(0, len(drawn), RENDER_BATCH):
        rows = slice(start, start + RENDER_BATCH)
        scene = pack([sample.spec for sample in drawn[rows]], device)
        closed = torch.zeros(scene.link_valid.shape, device=device)
        plain = start // RENDER_BATCH % PLAIN_EVERY == PLAIN_EVERY - 1
        around = Background.WHITE if plain else Background.RANDOM
        seen = render(scene, cameras[rows], closed, scene.link_valid, side, around, generator)
        images[rows] = (seen.rgb * 255).round().to(torch.uint8)
    return images


def augment(images: Tensor) -> Tensor:
    """(B, S, S, 3) uint8 -> [0, 1] with random exposure, colour cast, blur and noise."""
    shape, device = (len(images), 1, 1, 1), images.device
    exposure = torch.exp(0.15 * torch.randn(shape, device=device))
    cast = torch.exp(0.06 * torch.randn((len(images), 1, 1, 3), device=device))
    x = (images.float() / 255) * exposure * cast + 0.04 * torch.randn(shape, device=device)
    soft = functional.avg_pool2d(x.movedim(-1, 1), 3, 1, 1, count_include_pad=False).movedim(1, -1)
    x = torch.lerp(x, soft, torch.rand(shape, device=device))
    noise = 0.03 * torch.rand(shape, device=device) * torch.randn_like(x)
    return (x + noise).clamp(0, 1)
