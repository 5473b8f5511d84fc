"""Model folders for tests: toy size, random weights."""

from pathlib import Path

import numpy as np
import torch

from services.vlm.prompt import plan_prompt
from services.vlm.transformers_engine import TransformersEngine
from training.vlm_folder import write_folder
from training.vlm_model import TOY, build_model
from training.vlm_tokenizer import build_tokenizer

PLAN_BEGINS = '{"category":"'
LOUD = 10.0
"""How much longer that token's embedding is than others."""


def write_random_folder(folder: Path) -> Path:
    """A complete folder whose weights are noise, large enough that different pictures give different answers.

    But for one token: the model always begins a plan, and never a refusal, which the schema admits there too.
    """
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    model = build_model(TOY, tokenizer.get_vocab())
    weights = {name: value + 0.05 * torch.randn_like(value) for name, value in model.named_parameters()}
    write_folder(folder, model, weights, tokenizer, TOY)
    embedding = next(value for name, value in weights.items() if name.endswith("embed_tokens.weight"))
    with torch.no_grad():
        direction = torch.nn.functional.normalize(_thought(folder), dim=0)
        embedding[tokenizer.token_to_id(PLAN_BEGINS)] = LOUD * embedding.norm(dim=1).mean() * direction
    write_folder(folder, model, weights, tokenizer, TOY)
    return folder


def _thought(folder: Path) -> torch.Tensor:
    """(C,) what the model's output layer sees before the first token of an answer about a grey picture."""
    engine = TransformersEngine.load(folder)
    inputs = engine._inputs(np.full((64, 64, 3), 128, np.uint8), plan_prompt(folder).turns((), None))
    hidden: torch.Tensor = engine._model.model(**inputs).last_hidden_state
    return hidden[0, -1]
