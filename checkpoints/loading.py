"""Opening models strictly: what a config asks for is there and nothing else, it fits, and every number is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from checkpoints.errors import CheckpointCorrupt, CheckpointMismatch, CheckpointTooLarge
from checkpoints.folder import check_layout, read_layout, shown

GIB = 1024**3

M = TypeVar("M")


def open_diffusers(kind: type[M], folder: Path, dtype: torch.dtype, additions: Sequence[str] = ()) -> M:
    """Open a model of a class of ours, on the CPU.

    Args:
        kind: a diffusers model class.
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


def open_transformers(load: Callable[..., Any], folder: Path, dtype: torch.dtype | str) -> Any:
    """Open a transformers model, on the CPU. Its names may be older than its class: transformers translates.

    Args:
        load: a class's `from_pretrained`.
        dtype: or "auto", as stored.

    Raises:
        checkpoints.errors.CheckpointError: the checkpoint does not fit the config, or one of them cannot be read.
    """
    read_layout(folder)
    try:
        model, report = load(
            folder,
            dtype=dtype,
            output_loading_info=True,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise CheckpointMismatch(f"{folder.name} does not fit its config: {error}") from error
    problems = [
        f"{len(report[key])} {word}: {shown(map(str, report[key]))}"
        for key, word in (("missing_keys", "missing"), ("unexpected_keys", "unexpected"))
        if report[key]
    ]
    if problems:
        raise CheckpointMismatch(f"{folder.name} does not fit its config; " + "; ".join(problems))
    return model


def check_fits(name: str, weight_bytes: int, device: torch.device) -> None:
    """Refuse weights that the device has no room for; what they compute with comes on top. A CPU may swap.

    Raises:
        CheckpointTooLarge: saying how much there is.
    """
    free = free_bytes(device)
    if free is not None and weight_bytes > free:
        raise CheckpointTooLarge(
            f"{name} needs {weight_bytes / GIB:.1f} GiB for its weights; {device} has {free / GIB:.1f} GiB free"
        )


def free_bytes(device: torch.device) -> int | None:
    """Memory that is free on a GPU; None for a CPU."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


@torch.no_grad()
def check_finite(name: str, module: nn.Module) -> None:
    """Refuse a model with a weight that is not a number, or not one in the dtype that it was loaded in.

    Raises:
        CheckpointCorrupt: naming the first such weight.
    """
    for key, value in module.state_dict().items():
        if not bool(value.isfinite().all()):
            raise CheckpointCorrupt(f"{name} holds a weight that is not finite in {value.dtype}: {key}")
