"""The compact VLM's byte-level BPE tokenizer: every integer, word and skeleton fragment of a plan is one token.

A plan of four parts is then about 90 tokens. Nothing is learnt from text statistics: the vocabulary follows from the
format's own ranges and words, so that two trainings give the same ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from articulation.joint import JointType
from articulation.materials import MATERIALS
from services.vlm.hints import NUMBER_WORDS, plural
from services.vlm.plan_format import REFUSALS, dumps, refusal
from services.vlm.vocabulary import AXES, CATEGORIES, JOINT_TYPES, LABELS

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END, IMAGE, VIDEO = "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"
SPECIAL = (PAD, START, END, VISION_START, VISION_END, IMAGE, VIDEO)
PAD_ID = SPECIAL.index(PAD)

INTEGERS = (-200, 600)
"""Integers in this range are one token: all but the sizes and zooms of objects that nobody generates."""

_PIECES = Regex(
    r""",?-?\d+|[+-][xyz]|[\]}",{\[]*"[a-z_]+":(?:[\["{]*[a-z_]+":)?[\["{]*"""
    r"""| ?[A-Za-z_]+|\s+|[^\sA-Za-z_\d+-]+|[+-]"""
)
"""An integer with the comma before it; an axis; the text between two values; a word; the rest."""


def build_tokenizer() -> Tokenizer:
    """The tokenizer with its special tokens first, from id 0."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(_PIECES, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=8192,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    return tokenizer


def _corpus() -> Iterator[str]:
    """Every integer, word and fragment of the format, each in a place where it may stand."""
    for number in range(INTEGERS[0], INTEGERS[1] + 1):
        yield f"{number},{number}"
    for words in (CATEGORIES, LABELS, MATERIALS, REFUSALS, [kind.value for kind in JOINT_TYPES]):
        yield from words
    yield from AXES
    yield from ("system", "user", "assistant", "\n", " no", "Plan", " the", " object", " Known", ".", ";", ":")
    yield from (f" {word}" for word in (*NUMBER_WORDS, *LABELS, *map(plural, LABELS)))
    yield from _skeletons()


def _skeletons() -> Iterator[str]:
    """Refusals, and documents in which each kind of joint follows each other kind, and ends the list."""
    yield from (dumps(refusal(reason)) for reason in REFUSALS)
    joints: dict[JointType, dict[str, object]] = {
        JointType.FIXED: {"type": "fixed"},
        JointType.REVOLUTE: {"type": "revolute", "axis": "+x", "origin": [0, 0, 0], "range": [0, 1]},
        JointType.CONTINUOUS: {"type": "continuous", "axis": "+x", "origin": [0, 0, 0]},
        JointType.PRISMATIC: {"type": "prismatic", "axis": "+x", "range": [0, 1]},
    }
    for first in JOINT_TYPES:
        for second in JOINT_TYPES:
            parts = [
                {"label": "body", "material": "wood", "parent": 0, "box": [0] * 6, "joint": joints[kind]}
                for kind in (first, second)
            ]
            yield dumps({"category": "box", "size_cm": 1, "camera": [0] * 6, "parts": parts})


def save_tokenizer(tokenizer: Tokenizer, folder: Path, chat_template: str) -> None:
    """Write the files that `AutoTokenizer` and vLLM read."""
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "eos_token": END,
        "bos_token": None,
        "unk_token": None,
        "model_max_length": 4096,
        "clean_up_tokenization_spaces": False,
        "chat_template": chat_template,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
