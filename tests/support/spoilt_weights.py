"""Ways in which a folder of weights can be unusable, and what an error is to say of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor


def change(file: Path, edit: Callable[[dict[str, Tensor]], object]) -> None:
    """Edit the tensors of a file in place."""
    tensors = load_file(file)
    edit(tensors)
    save_file(tensors, file, metadata={"format": "pt"})


def rewrite(path: Path, **values: object) -> None:
    """Set fields of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


def not_a_number(file: Path) -> None:
    change(
        file, lambda tensors: next(t for t in tensors.values() if t.is_floating_point()).view(-1)[0].fill_(torch.nan)
    )


def lacking(file: Path) -> None:
    change(file, lambda tensors: tensors.pop(min(tensors)))


def of_another_layout(file: Path) -> None:
    change(file, lambda tensors: tensors.update({"unheard.of": torch.zeros(1)}))


def pickled(file: Path) -> None:
    file.rename(file.with_suffix(".bin"))


def with_remote_code(file: Path) -> None:
    rewrite(file.parent / "config.json", auto_map={"AutoModel": "evil.Model"})


def with_code(file: Path) -> None:
    (file.parent / "evil.py").write_text("raise SystemExit")


SPOILT: dict[Callable[[Path], None], str] = {
    cut_short: "cut short",
    not_a_number: "not finite",
    lacking: "missing",
    of_another_layout: "1 unexpected: unheard.of",
    pickled: "run code when they are read",
    with_remote_code: "auto_map",
    with_code: "evil.py",
}
"""Each takes the folder's safetensors file, beside its config."""
