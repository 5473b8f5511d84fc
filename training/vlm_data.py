"""Photographs of library objects with what is to be said about them, and a ring of them that training renews."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from articulation.typing import AnyArray, Array, IntArray
from services.vlm.plan_format import CAMERA, REFUSALS
from services.vlm.vocabulary import MAX_PARTS
from training import negatives
from training.draw import Split
from training.letterbox import letterbox
from training.library import Library
from training.objects import sample_cameras
from training.render import Background, render
from training.vlm_answers import OPENING, Answers, Asked, CameraTokens, asked, prompt_text, random_hints, sequences
from training.vlm_dense import PART_COLUMNS, UNKNOWN, dense_links, part_table
from training.vlm_model import ModelSize
from training.vlm_tokenizer import PAD_ID

PLAIN = 0.1
"""Share of chunks that show objects alone on white."""
REFUSED = 0.05
"""Share of chunks of pictures that are to be refused."""
LONGEST_QUESTION = 64
"""Most tokens of a question after the image; hints beyond it are left out."""
LENGTH_STEP = 64
"""Sequences are padded to a multiple of this."""
LENGTH_GROUPS = 4
"""A batch is drawn from one of so many groups of views of about equal length, so that little of it is padding."""


@dataclass(frozen=True, eq=False)
class Views:
    """V photographs on the training device.

    Attributes:
        images: (V, S, S, 3) uint8.
        asked: what is asked and answered.
        links: (V, N, 4) uint8 and parts (V, MAX_PARTS, PART_COLUMNS) float16, see `training.vlm_dense`.
        lengths: (V,) int64 on the host, tokens of a sequence.
    """

    images: Tensor
    asked: Asked
    links: Tensor
    parts: Tensor
    lengths: IntArray

    def __len__(self) -> int:
        return len(self.lengths)

    def columns(self) -> list[Tensor]:
        """All tensors, views first."""
        return [self.images, self.links, self.parts, *(getattr(self.asked, x.name) for x in fields(Asked))]

    def at(self, rows: IntArray) -> Views:
        """The views at `rows`, without waiting for the device."""
        index = sent(rows, self.images.device)
        return _views([column[index] for column in self.columns()], self.lengths[rows])


def _views(columns: Sequence[Tensor], lengths: IntArray) -> Views:
    images, links, parts, *rest = columns
    return Views(images, Asked(*rest), links, parts, lengths)


def sent(values: AnyArray, device: torch.device) -> Tensor:
    """An array on the device, without waiting for it."""
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def joined(views: Sequence[Views]) -> Views:
    """Views one after the other."""
    columns = zip(*(x.columns() for x in views), strict=True)
    return _views([torch.cat(column) for column in columns], np.concatenate([x.lengths for x in views]))


class Studio:
    """Takes photographs of a library's objects.

    Args:
        library: on the device that renders, with documents.
        answers: of its documents.
        split: whose cameras are used.
        seed: of everything random.
    """

    def __init__(
        self, library: Library, answers: Answers, tokenizer: Tokenizer, size: ModelSize, split: Split, seed: int
    ) -> None:
        self._library = library
        self._answers = answers
        self._tokenizer = tokenizer
        self._size = size
        self._split = split
        self._half_extent = library.half_extent.cpu().numpy()
        self._camera_tokens = CameraTokens(tokenizer)
        self._before = tokenizer.encode(prompt_text(size.grid**2)).ids[: size.grid**2 + opening_tokens(tokenizer)]
        self._plain = tokenizer.encode(asked()).ids
        self._rng = np.random.default_rng(seed)
        self._choice = torch.Generator().manual_seed(seed)
        self._generator = torch.Generator(library.device).manual_seed(seed)

    @property
    def longest(self) -> int:
        """Tokens that no sequence exceeds."""
        return len(self._before) + LONGEST_QUESTION + int(self._answers.lengths.max())

    def random(self, count: int) -> Views:
        """Random objects of about equal cost, on white or as photographs, or pictures that are to be refused."""
        kind = self._rng.random()
        if kind < REFUSED:
            return self.refused(count)
        around = Background.WHITE if kind < REFUSED + PLAIN else Background.RANDOM
        rows = self._library.similar(count, self._choice)
        return self.objects(rows, self.cameras(rows), around, self._hints(rows))

    def _hints(self, rows: Tensor) -> list[list[str]]:
        return [random_hints(self._library.documents[row], self._rng) for row in rows.tolist()]

    def cameras(self, rows: Tensor) -> Array:
        """(V, 6) random cameras that frame the objects at `rows`."""
        return sample_cameras(self._rng, self._split, self._half_extent[rows.numpy()])

    def objects(
        self, rows: Tensor, cameras: Array, around: Background, hints: Sequence[Sequence[str]] | None = None
    ) -> Views:
        """One view of each of some objects.

        Args:
            rows: (V,) int64 on the host.
            cameras: (V, 6) as `Camera.to_array`.
            hints: for each view what the prompt states; default: nothing.
        """
        device = self._library.device
        scene = self._library.scene(rows)
        closed = torch.zeros(scene.link_valid.shape, device=device)
        seen = render(
            scene, sent(cameras.astype(np.float32), device), closed, scene.link_valid, self._size.image, around,
            self._generator, samples=2 if self._rng.random() < negatives.SMOOTH else 1,
        )  # fmt: skip
        question, lengths = self._questions(hints or [()] * len(rows))
        said = Asked(
            sent(rows.numpy(), device),
            sent(self._camera_tokens(cameras), device),
            sent(question, device),
            sent(lengths, device),
        )
        links = dense_links(seen.link, self._size)
        lengths = lengths + self._answers.lengths[rows.numpy()]
        pictures = letterbox(seen.rgb, seen.link < 0, self._generator)
        return Views(_bytes(pictures), said, links, part_table(scene), lengths)

    def refused(self, count: int) -> Views:
        """Pictures without a whole articulated object, hinted at as often as others: a hint is no proof of one."""
        device = self._library.device
        images, reasons = negatives.draw(self._library, count, self._size.image, self._generator)
        question, lengths = self._questions(self._hints(self._library.similar(count, self._choice)))
        said = Asked(
            self._answers.documents + reasons.to(device),
            torch.full((count, len(CAMERA)), PAD_ID, device=device),
            sent(question, device),
            sent(lengths, device),
        )
        links = torch.full((count, 4 * self._size.grid**2, 4), UNKNOWN, dtype=torch.uint8, device=device)
        parts = torch.zeros((count, MAX_PARTS, PART_COLUMNS), dtype=torch.float16, device=device)
        longest = int(self._answers.lengths[-len(REFUSALS) :].max())
        return Views(_bytes(images), said, links, parts, lengths + longest)

    def _questions(self, hints: Sequence[Sequence[str]]) -> tuple[IntArray, IntArray]:
        """(V, P) tokens of opening, image and question, and their numbers."""
        ids = np.full((len(hints), len(self._before) + LONGEST_QUESTION), PAD_ID)
        ids[:, : len(self._before)] = self._before
        lengths = np.zeros(len(hints), dtype=np.int64)
        for row, stated in enumerate(hints):
            question = self._tokenizer.encode(asked(stated)).ids if stated else self._plain
            if len(question) > LONGEST_QUESTION:
                question = self._plain
            lengths[row] = len(self._before) + len(question)
            ids[row, len(self._before) : lengths[row]] = question
        return ids, lengths


def opening_tokens(tokenizer: Tokenizer) -> int:
    """Tokens before the image."""
    return len(tokenizer.encode(OPENING).ids)


def _bytes(images: Tensor) -> Tensor:
    return (images * 255).round().to(torch.uint8)


class Ring:
    """The latest views, from which batches are drawn while new ones replace the oldest.

    Args:
        capacity: views kept, rounded down to whole chunks.
        chunk: views taken together.
    """

    def __init__(self, studio: Studio, answers: Answers, capacity: int, chunk: int, seed: int) -> None:
        self._studio = studio
        self._answers = answers
        self._chunk = chunk
        self._rng = np.random.default_rng(seed)
        start = studio.random(chunk)
        slots = max(1, capacity // chunk) * chunk
        columns = [column.new_empty((slots, *column.shape[1:])) for column in start.columns()]
        self._views = _views(columns, np.zeros(slots, dtype=np.int64))
        self.taken = 0
        self._put(start)

    def fill(self, count: int) -> float:
        """Have at least `count` views; returns how many are taken in a second."""
        before, started = self.taken, time.monotonic()
        while self.taken < min(count, len(self._views)):
            self.renew()
        if self._views.images.is_cuda:
            torch.cuda.synchronize()
        return (self.taken - before) / (time.monotonic() - started)

    def renew(self) -> None:
        """Take a chunk of new views."""
        self._put(self._studio.random(self._chunk))

    def _put(self, views: Views) -> None:
        first = self.taken % len(self._views)
        for slots, new in zip(self._views.columns(), views.columns(), strict=True):
            slots[first : first + len(views)] = new
        self._views.lengths[first : first + len(views)] = views.lengths
        self.taken += len(views)
        self._by_length = self._views.lengths[: min(self.taken, len(self._views))].argsort(kind="stable")

    def batch(self, count: int, group: float) -> tuple[Views, Tensor, Tensor]:
        """Random views of about equal length, and their sequences.

        Args:
            group: in [0, 1), picks the group of lengths; alike in processes that train together, so that none waits.
        """
        present = len(self._by_length)
        groups = max(1, min(LENGTH_GROUPS, present // count))
        chosen = int(group * groups)
        alike = self._by_length[chosen * present // groups : (chosen + 1) * present // groups]
        rows = alike[self._rng.integers(0, len(alike), count)]
        views = self._views.at(rows)
        return views, *padded_sequences(self._answers, views)


def padded_sequences(answers: Answers, views: Views) -> tuple[Tensor, Tensor]:
    """Sequences of the views, padded to a multiple of `LENGTH_STEP`; see `training.vlm_answers.sequences`."""
    return sequences(answers, views.asked, -(-int(views.lengths.max()) // LENGTH_STEP) * LENGTH_STEP)


def augment(images: Tensor) -> Tensor:
    """(B, S, S, 3) uint8 -> [0, 1] with random exposure, contrast, colours, blur and noise; some grey, some patched.

    The patches are too small to hide a part.
    """
    batch, side, device = len(images), images.shape[1], images.device

    def normal(*shape: int) -> Tensor:
        return torch.randn((batch, *shape), device=device)

    def uniform(*shape: int) -> Tensor:
        return torch.rand((batch, *shape), device=device)

    x = images.float() / 255
    x = x * torch.exp(0.1 * normal(1, 1, 1) + 0.03 * normal(1, 1, 3)) + 0.03 * normal(1, 1, 1)
    x = 0.5 + (x - 0.5) * torch.exp(0.1 * normal(1, 1, 1))
    saturation = torch.where(uniform(1, 1, 1) < 0.05, 0.0, torch.exp(0.1 * normal(1, 1, 1)))
    x = torch.lerp(x.mean(-1, keepdim=True), x, saturation)
    soft = functional.avg_pool2d(x.movedim(-1, 1), 3, 1, 1, count_include_pad=False).movedim(1, -1)
    x = torch.lerp(x, soft, uniform(1, 1, 1))
    x = x + 0.02 * uniform(1, 1, 1) * torch.randn(x.shape, device=device)
    ticks = torch.arange(side, device=device) / side
    center, reach = uniform(2, 1), 0.02 * uniform(1) * (uniform(1) < 0.3)
    near = ((ticks - center[:, 0]).abs() < reach)[:, :, None] & ((ticks - center[:, 1]).abs() < reach)[:, None]
    return torch.where(near[..., None], uniform(1, 1, 3), x).clamp(0, 1)
