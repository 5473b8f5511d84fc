"""Model folders for tests: toy size, random weights."""

from pathlib import Path

import torch

from training.vlm_folder import write_folder
from training.vlm_model import TOY, build_model
from training.vlm_tokenizer import build_tokenizer


def write_random_folder(folder: Path, seed: int = 0) -> Path:
    """A complete folder whose weights are noise, large enough that different pictures give different answers."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer()
    model = build_model(TOY, tokenizer.get_vocab())
    weights = {name: value + 0.05 * torch.randn_like(value) for name, value in model.named_parameters()}
    write_folder(folder, model, weights, tokenizer, TOY)
    return folder
