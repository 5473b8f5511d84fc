"""A folder that is replaced as a whole, so that nothing of an older asset stays in it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ASSET_ENTRIES = frozenset(
    {"asset.urdf", "asset.xml", "asset.usdc", "asset.glb", "meshes", "textures", "preview.png", "report.json"}
    | {"asset.usda"}
)
"""What an asset folder holds (`docs/asset.md`), and `asset.usda`, which it held in former versions."""


def is_replaceable(folder: Path) -> bool:
    """Whether a folder is missing, empty, or an asset and nothing else."""
    return not folder.exists() or {entry.name for entry in folder.iterdir()} <= ASSET_ENTRIES


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A fresh folder to write into, which takes the place of `folder` at the end; after an error nothing has changed.

    Raises:
        OSError: the parent folder cannot be written.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = (folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}") for _ in range(2))
    fresh.mkdir()
    try:
        yield fresh
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    finally:
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)
