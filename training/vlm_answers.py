"""What the compact VLM is to write, as token ids: every object's document, made once, and what a view adds to it.

A document is the same for all views of an object but for six camera integers, each of them one token, and the prompt
before it may state some part counts. So the ids of documents lie in one table on the device, and a batch of sequences
is put together there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from articulation.camera import Camera
from articulation.typing import Array, IntArray
from services.vlm.hints import describe
from services.vlm.plan_format import CAMERA, REFUSALS, camera_to_list, dumps, refusal
from services.vlm.prompt import with_hints
from training.vlm_tokenizer import END, IMAGE, INTEGERS, PAD_ID, START, VISION_END, VISION_START

PROMPT = "Plan the object."
"""What the compact model is asked; shipped as the model folder's `prompt.txt`."""

OPENING = f"{START}user\n{VISION_START}"
HINTED = 0.25
"""Share of views whose prompt states some of the part counts."""
COUNTED = 0.7
"""Share of an object's labels that such a prompt counts."""

_AT_A_TIME = 16384


def prompt_text(image_tokens: int, hints: Sequence[str] = ()) -> str:
    """The conversation up to the answer, exactly as the chat template writes it."""
    return f"{OPENING}{IMAGE * image_tokens}{asked(hints)}"


def asked(hints: Sequence[str] = ()) -> str:
    """What follows the image in `prompt_text`."""
    return f"{VISION_END}{with_hints(PROMPT, hints)}{END}\n{START}assistant\n"


def random_hints(document: str, rng: np.random.Generator) -> list[str]:
    """True statements about the number of parts in a document; most often none."""
    if rng.random() > HINTED:
        return []
    counts = Counter(part["label"] for part in json.loads(document)["parts"][1:])
    return [describe({label: count}) for label, count in counts.items() if rng.random() < COUNTED]


@dataclass(frozen=True, eq=False)
class Answers:
    """Token ids of N documents, then of the refusals in the order of `REFUSALS`.

    Attributes:
        ids: (N + R, D) int16 on the training device, padded.
        camera: (N + R,) int64 there: place of a document's first camera integer; for a refusal, of six paddings.
        lengths: (N + R,) int64 on the host, tokens with the end token.
    """

    ids: Tensor
    camera: Tensor
    lengths: IntArray

    @property
    def documents(self) -> int:
        """N, the row of the first refusal."""
        return len(self.ids) - len(REFUSALS)


def tokenise(documents: Sequence[str], tokenizer: Tokenizer, device: torch.device | str) -> Answers:
    """Spell documents, whatever camera they state, and refusals."""
    texts = [*documents, *(dumps(refusal(reason)) for reason in REFUSALS)]
    rows: list[IntArray] = []
    for start in range(0, len(texts), _AT_A_TIME):
        encoded = tokenizer.encode_batch_fast([text + END for text in texts[start : start + _AT_A_TIME]])
        rows += [np.array(one.ids, dtype=np.int16) for one in encoded]
    lengths = np.array([len(row) for row in rows])
    ids = np.full((len(rows), lengths.max() + len(CAMERA)), PAD_ID, dtype=np.int16)
    ids[np.arange(ids.shape[1]) < lengths[:, None]] = np.concatenate(rows)
    before = ids == tokenizer.token_to_id(_before_camera(tokenizer))
    camera = np.where(before.any(1), before.argmax(1) + 1, ids.shape[1] - len(CAMERA))
    return Answers(torch.from_numpy(ids).to(device), torch.from_numpy(camera).to(device), lengths)


def _before_camera(tokenizer: Tokenizer) -> str:
    """The token between size and camera."""
    tokens = tokenizer.encode('9,"camera":[9').tokens
    if len(tokens) != 3:
        raise ValueError(f"a size, a fragment and a number, not {tokens}")
    return tokens[1]


class CameraTokens:
    """Spells the document's camera integers."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        low, high = INTEGERS
        vocabulary = tokenizer.get_vocab()
        numbers = range(low, high + 1)
        self._ids = np.array([[vocabulary[f"{comma}{n}"] for n in numbers] for comma in ("", ",")])

    def __call__(self, cameras: Array) -> IntArray:
        """(B, 6) cameras as `Camera.to_array` -> (B, 6) token ids."""
        low, high = INTEGERS
        values = np.array([camera_to_list(Camera.from_array(row)) for row in cameras]).clip(low, high) - low
        comma = np.minimum(np.arange(len(CAMERA)), 1)
        ids: IntArray = self._ids[comma, values]
        return ids


@dataclass(frozen=True, eq=False)
class Asked:
    """What B views add to their objects' answers, on the training device.

    Attributes:
        answer: (B,) int64 rows of the answers' table.
        camera: (B, 6) token ids, padding for a refusal.
        prompt: (B, P) token ids of opening, image and question, padded.
        prompt_lengths: (B,).
    """

    answer: Tensor
    camera: Tensor
    prompt: Tensor
    prompt_lengths: Tensor


def sequences(answers: Answers, views: Asked, length: int) -> tuple[Tensor, Tensor]:
    """Whole sequences: prompt, answer under the view's camera, padding.

    Args:
        length: T, of which no sequence may be longer.

    Returns:
        (B, T) int64 ids, and targets that are -1 outside of the answer.
    """
    answer = answers.ids[views.answer].long()
    place = answers.camera[views.answer][:, None] + torch.arange(len(CAMERA), device=answer.device)
    row = torch.cat([views.prompt, answer.scatter(1, place, views.camera)], 1)
    start = views.prompt_lengths[:, None]
    t = torch.arange(length, device=answer.device)
    after = (views.prompt.shape[1] + t - start).clamp(max=row.shape[1] - 1)
    ids = row.gather(1, torch.where(t < start, t, after))
    return ids, torch.where((t >= start) & (ids != PAD_ID), ids, -1)
