"""What a weights folder holds, read from its headers alone: nothing is unpickled, nothing is executed.

The header of a safetensors file tells names, shapes, dtypes and places: so whether it fits and is whole is known before
a weight is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from checkpoints.errors import CheckpointCorrupt, CheckpointMismatch, CheckpointMissing, CheckpointUnsafe

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
"""Files of weights whose reading runs code."""

CODE_KEYS = ("auto_map", "custom_pipelines")
"""Keys of a config that name Python code inside the folder."""

ITEM_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64"), 8),
}
"""Size of a number, by the name that safetensors gives its dtype."""

LISTED = 8
"""Names that an error shows at most."""


class Weight(NamedTuple):
    """Shape and dtype ("F16", "BF16", "F32" ...) of one tensor."""

    shape: tuple[int, ...]
    dtype: str


def check_safe(folder: Path) -> None:
    """Refuse a folder whose loading could run code that came with it.

    Raises:
        CheckpointMissing: there is no such folder.
        CheckpointUnsafe: a pickle, a Python file, or a config that names code.
        CheckpointCorrupt: a config that is no JSON.
    """
    if not folder.is_dir():
        raise CheckpointMissing(f"{folder.name} does not exist: train or pull the model first")
    for path in sorted(folder.rglob("*")):
        name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
        if path.suffix in PICKLES:
            raise CheckpointUnsafe(f"{name} is refused: such files run code when they are read; convert to safetensors")
        if path.suffix == ".py":
            raise CheckpointUnsafe(f"{name} is refused: weights bring no code")
        if path.suffix == ".json" and not path.name.endswith(".index.json"):
            content = _json(path, name)
            found = [key for key in CODE_KEYS if isinstance(content, dict) and content.get(key)]
            if found:
                raise CheckpointUnsafe(f"{name} is refused: {found[0]} asks for code that comes with the weights")


def read_layout(folder: Path) -> dict[str, Weight]:
    """Names, shapes and dtypes of all weights in the safetensors files of a folder, shards joined.

    Raises:
        CheckpointMissing: no such file, or fewer shards than the index names.
        CheckpointCorrupt: a file is no safetensors file or is cut short, or two shards hold the same name.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise CheckpointMissing(f"{folder.name} holds no .safetensors file: train or pull the model first")
    layout: dict[str, Weight] = {}
    for path in files:
        header = _header(path, f"{folder.name}/{path.name}")
        twice = layout.keys() & header.keys()
        if twice:
            raise CheckpointCorrupt(f"{folder.name} holds {min(twice)} twice")
        layout |= header
    for index in folder.glob("*.safetensors.index.json"):
        places = _json(index, f"{folder.name}/{index.name}").get("weight_map", {})
        lost = set(places.values()) - {path.name for path in files}
        if lost:
            raise CheckpointMissing(f"{folder.name} lacks {shown(lost)}")
    return layout


def check_layout(
    name: str,
    found: Mapping[str, Weight],
    expected: Mapping[str, tuple[int, ...]],
    additions: Iterable[str] = (),
) -> None:
    """Hold a checkpoint against the model that its config describes.

    Args:
        name: of the checkpoint, for the message.
        found: as `read_layout`.
        expected: shape of every weight of the model.
        additions: prefixes of modules that a checkpoint may lack; each whole, or not at all.

    Raises:
        CheckpointMismatch: naming what is missing, unexpected or of another shape.
    """
    missing = expected.keys() - found.keys()
    for prefix in additions:
        own = {key for key in expected if key.startswith(prefix)}
        if own <= missing:
            missing -= own
    unexpected = found.keys() - expected.keys()
    reshaped = {
        f"{key} {list(found[key].shape)} instead of {list(shape)}"
        for key, shape in expected.items()
        if key in found and found[key].shape != shape
    }
    problems = [
        f"{len(keys)} {word}: {shown(keys)}"
        for word, keys in (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
        if keys
    ]
    if problems:
        raise CheckpointMismatch(f"{name} does not fit its config; " + "; ".join(problems))


def shown(names: Iterable[str]) -> str:
    """The first few of some names, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - LISTED} more" if len(ordered) > LISTED else ""
    return ", ".join(ordered[:LISTED]) + more


def weight_bytes(layout: Mapping[str, Weight], item_bytes: int | None = None) -> int:
    """Memory of all weights in a dtype of that size; None is as they are stored."""
    return sum(math.prod(weight.shape) * (item_bytes or ITEM_BYTES[weight.dtype]) for weight in layout.values())


def _header(path: Path, name: str) -> dict[str, Weight]:
    try:
        with safe_open(path, framework="numpy") as file:
            names = file.keys()
            slices = {key: file.get_slice(key) for key in names}
            header = {key: Weight(tuple(own.get_shape()), own.get_dtype()) for key, own in slices.items()}
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointCorrupt(f"{name} is cut short or no safetensors file: {error}") from error
    strange = {weight.dtype for weight in header.values()} - ITEM_BYTES.keys()
    if strange:
        raise CheckpointCorrupt(f"{name} holds numbers of an unknown kind: {shown(strange)}")
    return header


def _json(path: Path, name: str) -> Any:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise CheckpointCorrupt(f"{name} is no JSON") from error
