"""Model folders for tests: toy size, random weights."""

from itertools import count
from pathlib import Path

import numpy as np
import torch

from services.vlm.plan_format import REFUSALS
from services.vlm.transformers_engine import TransformersEngine
from services.vlm.vocabulary import CATEGORIES
from training.vlm_folder import write_folder
from training.vlm_model import TOY, build_model
from training.vlm_tokenizer import build_tokenizer

PLAN_OR_NOT = {
    "anyOf": [
        {"type": "object", "properties": {key: {"enum": list(words)}}, "required": [key], "additionalProperties": False}
        for key, words in (("category", CATEGORIES), ("refused", REFUSALS))
    ]
}
"""How the two kinds of answer begin."""


def write_random_folder(folder: Path) -> Path:
    """A complete folder whose weights are noise, large enough that different pictures give different answers.

    Of random weights, the first that begin a plan and no refusal, whatever the picture.
    """
    tokenizer = build_tokenizer()
    pictures = [np.random.default_rng(i).integers(0, 256, (64, 64, 3), dtype=np.uint8) // (i + 1) for i in range(4)]
    for seed in count():
        torch.manual_seed(seed)
        model = build_model(TOY, tokenizer.get_vocab())
        weights = {name: value + 0.05 * torch.randn_like(value) for name, value in model.named_parameters()}
        write_folder(folder, model, weights, tokenizer, TOY)
        engine = TransformersEngine.load(folder)
        answers = [engine.complete(x, [], PLAN_OR_NOT, None, lambda: False).text for x in pictures]
        if all(text.startswith('{"category"') for text in answers):
            break
    return folder
