"""Fetching a model from a hub that speaks Hugging Face's protocol.

`GET /api/models/OWNER/NAME/revision/REVISION?blobs=true` lists the files of a commit with size and digest (sha256 of a
large file, git's blob id of a small one); `GET /OWNER/NAME/resolve/COMMIT/PATH` is a file, in ranges if asked.

Files arrive in a folder beside the model's own. A pull that was cut off goes on there; only a folder whose every file
has the hub's digest, and which as a whole has the manifest's, takes the model's place.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import httpx

from checkpoints.digest import folder_digest, has_digest
from checkpoints.errors import CheckpointCorrupt, DigestMismatch, HubError
from checkpoints.manifest import Manifest, ModelEntry

ENDPOINT = "https://huggingface.co"
WANTED = (".safetensors", ".json", ".txt", ".jinja", ".model", ".md")
"""Kinds of files that are fetched: weights, configs, tokenizers and texts; no pickles, no code, no pictures."""

ATTEMPTS = 5
PAUSE_SECONDS = 1.0
"""Before the second attempt; it doubles each time."""

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class RemoteFile:
    """A file on the hub.

    Attributes:
        path: in the repository.
        size: bytes.
        sha256: of a large file; None for a small one.
        blob_id: git's id of a small one, sha1 over a header and the bytes.
    """

    path: str
    size: int
    sha256: str | None
    blob_id: str

    def hasher(self) -> hashlib._Hash:
        if self.sha256 is not None:
            return hashlib.sha256()
        return hashlib.sha1(f"blob {self.size}\0".encode(), usedforsecurity=False)

    @property
    def digest(self) -> str:
        """What `hasher` must come to."""
        return self.blob_id if self.sha256 is None else self.sha256


class Hub:
    """One hub.

    Args:
        endpoint: its URL.
        token: for repositories that ask for one; it is not sent on to other hosts.
    """

    def __init__(self, endpoint: str = ENDPOINT, token: str | None = None) -> None:
        headers = {"accept-encoding": "identity"}  # a range is one of the bytes that the digest is over
        if token:
            headers["authorization"] = f"Bearer {token}"
        self._client = httpx.Client(base_url=endpoint, headers=headers, follow_redirects=True, timeout=TIMEOUT_SECONDS)

    def close(self) -> None:
        self._client.close()

    def files(self, repository: str, revision: str) -> tuple[str, list[RemoteFile]]:
        """The commit that a revision means, and its files of the wanted kinds.

        Raises:
            HubError: the hub cannot be reached, refuses, or answers with something else.
        """
        url = f"/api/models/{repository}/revision/{revision}"
        try:
            answer = self._client.get(url, params={"blobs": "true"})
            answer.raise_for_status()
            content: Any = answer.json()
            listed = [
                RemoteFile(
                    item["rfilename"], int(item["size"]), (item.get("lfs") or {}).get("sha256"), str(item["blobId"])
                )
                for item in content["siblings"]
            ]
            commit = str(content["sha"])
        except httpx.HTTPError as error:
            raise HubError(f"{repository} {revision} cannot be listed: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise HubError(f"the answer about {repository} {revision} is not a hub's: {error!r}") from error
        for file in listed:
            if PurePosixPath(file.path).is_absolute() or ".." in PurePosixPath(file.path).parts:
                raise HubError(f"{repository} names a file outside its folder: {file.path}")
        wanted = [file for file in listed if _wanted(file.path)]
        if not wanted:
            raise HubError(f"{repository} {revision} holds no weights")
        return commit, wanted

    def fetch(self, repository: str, commit: str, file: RemoteFile, target: Path, told: Callable[[int], None]) -> None:
        """Bring one file, going on from what is there of it.

        Args:
            told: the number of bytes that arrived, again and again.

        Raises:
            HubError: it broke off too often; what arrived stays.
            CheckpointCorrupt: the bytes are not those that the hub announced; they are deleted.
        """
        part = target.with_name(target.name + ".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE_SECONDS * 2 ** (attempt - 1))
            try:
                self._append(f"/{repository}/resolve/{commit}/{file.path}", file.size, part, told)
            except httpx.HTTPStatusError as error:
                if not error.response.is_server_error:
                    raise HubError(f"{file.path} cannot be fetched: {error}") from error
            except httpx.HTTPError:
                continue
            if _size(part) >= file.size:
                break
        else:
            raise HubError(f"{file.path} broke off {ATTEMPTS} times; pull again to go on")
        if _size(part) != file.size or _digest(part, file.hasher) != file.digest:
            part.unlink()
            raise CheckpointCorrupt(f"{file.path} did not arrive as the hub announced it; pull again")
        part.replace(target)

    def _append(self, url: str, size: int, part: Path, told: Callable[[int], None]) -> None:
        begun = _size(part)
        if begun >= size > 0:
            return
        headers = {"range": f"bytes={begun}-"} if begun else {}
        with self._client.stream("GET", url, headers=headers) as answer:
            answer.raise_for_status()
            resumed = answer.status_code == httpx.codes.PARTIAL_CONTENT
            with part.open("ab" if resumed else "wb") as out:
                for data in answer.iter_raw():  # in chunks of a size, the last one would be lost where it breaks off
                    out.write(data)
                    told(len(data))


def pull(
    manifest: Manifest, entry: ModelEntry, hub: Hub, *, pin: bool = False, told: Callable[[int], None] = lambda _: None
) -> str:
    """Bring a model into its folder; one that is there already is left alone.

    Args:
        pin: take what the hub has under `main` where the manifest names no revision, and write into the manifest
            which commit and which bytes that was.
        told: as in `Hub.fetch`.

    Returns:
        the folder's digest.

    Raises:
        HubError: the model has no repository or no revision, or the hub failed.
        CheckpointCorrupt: a file did not arrive as announced.
        DigestMismatch: the whole is not what the manifest names; the model's folder stays as it was.
    """
    if not entry.repository:
        raise HubError(f"{entry.name} is part of this repository: there is nothing to pull")
    if not entry.revision and not pin:
        raise HubError(f"{entry.name} has no revision in {manifest.path.name}: --pin takes what the hub has now")
    folder = manifest.folder(entry)
    if entry.pinned and has_digest(folder, entry.digest):
        return entry.digest
    commit, files = hub.files(entry.repository, entry.revision or "main")
    if entry.files:
        files = [file for file in files if any(fnmatchcase(file.path, pattern) for pattern in entry.files)]
        if not files:
            raise HubError(f"{entry.repository} holds none of the files that {entry.name} is made of")
    arriving = folder.with_name(f"{folder.name}.{commit[:12]}.part")
    for file in files:
        target = arriving / file.path
        if not target.is_file():
            hub.fetch(entry.repository, commit, file, target, told)
    digest = folder_digest(arriving)
    if entry.pinned and digest != entry.digest:
        shutil.rmtree(arriving)
        raise DigestMismatch(f"{entry.name} at {commit} has digest {digest} instead of {entry.digest}")
    if not entry.pinned:
        manifest.pin(entry, digest, commit)
    _replace(folder, arriving)
    return digest


def _replace(folder: Path, fresh: Path) -> None:
    old = folder.with_name(f"{folder.name}.old")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _wanted(path: str) -> bool:
    name = PurePosixPath(path)
    return name.suffix in WANTED or name.name.startswith(("LICENSE", "LICENCE", "NOTICE"))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest(path: Path, hasher: Callable[[], hashlib._Hash]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, hasher).hexdigest()
