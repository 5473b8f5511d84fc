"""Opening the components of a weights folder, strictly: what a config asks for is there, and nothing else is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import Dinov2Model

from checkpoints.errors import CheckpointCorrupt, CheckpointMismatch
from checkpoints.folder import check_layout, read_layout, shown

WEIGHTED = ("vae", "transformer", "image_encoder_dinov2")
COMPONENTS = (*WEIGHTED, "scheduler", "feature_extractor_dinov2")

M = TypeVar("M")


def open_module(kind: type[M], folder: Path, dtype: torch.dtype, additions: Sequence[str] = ()) -> M:
    """Open a component of ours.

    Args:
        kind: its class, a diffusers model.
        additions: prefixes of modules that the checkpoint may lack as a whole; they start as their class starts them.

    Raises:
        checkpoints.errors.CheckpointError: the checkpoint does not fit the config, or one of them cannot be read.
    """
    loader: Any = kind
    try:
        config = loader.load_config(folder)
        with torch.device("meta"):
            planned = loader.from_config(config)
    except (OSError, ValueError, TypeError, ZeroDivisionError, RuntimeError) as error:
        raise CheckpointCorrupt(f"{folder.name} has no usable config: {error}") from error
    expected = {key: tuple(value.shape) for key, value in planned.state_dict().items()}
    found = read_layout(folder)
    check_layout(folder.name, found, expected, additions)
    if expected.keys() <= found.keys():
        whole: M = loader.from_pretrained(folder, torch_dtype=dtype, use_safetensors=True, low_cpu_mem_usage=True)
        return whole
    # from_pretrained would leave the absent modules as the memory happened to be.
    begun = loader.from_config(config)
    for path in folder.glob("*.safetensors"):
        begun.load_state_dict(load_file(path), strict=False)
    model: M = begun.to(dtype).eval()
    return model


def open_encoder(folder: Path, dtype: torch.dtype) -> Dinov2Model:
    """Open DINOv2. Its published names are not those of today's class: transformers translates, and reports.

    Raises:
        checkpoints.errors.CheckpointError: the checkpoint does not fit the config, or one of them cannot be read.
    """
    read_layout(folder)
    load: Any = Dinov2Model.from_pretrained
    try:
        encoder: Dinov2Model
        encoder, report = load(
            folder, dtype=dtype, output_loading_info=True, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
        raise CheckpointMismatch(f"{folder.name} does not fit its config: {error}") from error
    problems = [
        f"{len(report[key])} {word}: {shown(map(str, report[key]))}"
        for key, word in (("missing_keys", "missing"), ("unexpected_keys", "unexpected"))
        if report[key]
    ]
    if problems:
        raise CheckpointMismatch(f"{folder.name} does not fit its config; " + "; ".join(problems))
    return encoder
