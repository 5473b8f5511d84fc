"""The digest by which a result names the weights that made it."""

from __future__ import annotations

import hashlib
from pathlib import Path

_CHUNK_BYTES = 1024 * 1024


def folder_digest(folder: Path) -> str:
    """sha256, in hexadecimal, over the relative path, size and bytes of every file below a folder, in path order.

    Raises:
        FileNotFoundError: the folder does not exist or holds no file.
    """
    files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    if not files:
        raise FileNotFoundError(f"{folder} holds no file")
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(f"{name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def has_digest(folder: Path, digest: str) -> bool:
    """Whether a folder is the one of that digest; one that does not exist, or holds no file, is not."""
    try:
        return folder_digest(folder) == digest
    except FileNotFoundError:
        return False
