"""Weights out of an object storage into a cache, each folder checked by its digest; what a pod does before it starts.

`python -m checkpoints.fetch --cache /weights s3://bucket/models/part_dit-3=DIGEST` makes /weights/DIGEST/part_dit-3.
Rights and region come from the environment, as obstore reads it (AWS_ACCESS_KEY_ID and so on).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from checkpoints.digest import folder_digest, has_digest
from checkpoints.errors import CheckpointError, CheckpointMissing, DigestMismatch, StorageError


def fetch(url: str, digest: str, cache: Path) -> Path:
    """The folder at `url`, from the cache if it lies there whole.

    Several processes may fetch into one cache: a folder appears under its digest only when it is complete.

    Args:
        url: obstore URL of a folder, e.g. `s3://bucket/models/part_dit-3`.
        digest: of the folder, as `checkpoints.digest`.

    Returns:
        `cache/DIGEST/NAME`, NAME being the last part of the URL.

    Raises:
        DigestMismatch: the storage holds other files than `digest` names; nothing is kept.
        CheckpointMissing: there is no file at `url`.
        StorageError: the storage does not answer, or refuses.
    """
    name = url.rstrip("/").rpartition("/")[2]
    home = cache / digest
    if home.is_dir():
        if has_digest(home / name, digest):
            return home / name
        shutil.rmtree(home)  # a disk that lost something, or a folder of another name
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=cache) as temporary:
        folder = Path(temporary) / digest / name
        _copy(url, folder)
        found = folder_digest(folder)
        if found != digest:
            raise DigestMismatch(f"{url} has the digest {found}, not {digest}")
        try:
            folder.parent.rename(home)
        except OSError:  # another process was faster
            if not has_digest(home / name, digest):
                raise
    return home / name


def _copy(url: str, folder: Path) -> None:
    try:
        store: ObjectStore = LocalStore(url.removeprefix("file://")) if url.startswith("file://") else from_url(url)
        names = [item["path"] for batch in obstore.list(store) for item in batch]
        if not names:
            raise CheckpointMissing(f"there is no file at {url}")
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                for chunk in obstore.get(store, name).stream():
                    file.write(chunk)
    except (BaseError, FileNotFoundError) as error:
        raise StorageError(f"{url} cannot be read: {str(error).splitlines()[0]}") from error


def main() -> None:
    """Fetch every source of the command line; exit code 1 and one line where one cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m checkpoints.fetch", description=__doc__.partition("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps what was fetched")
    parser.add_argument("sources", nargs="+", metavar="URL=DIGEST")
    arguments = parser.parse_args()
    for source in arguments.sources:
        url, _, digest = source.rpartition("=")
        try:
            print(fetch(url, digest, arguments.cache))
        except CheckpointError as error:
            sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
