"""Content-addressed files: what a stage made is named by its sha256 and never changes."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from serving.errors import InvalidRequest, NotFound, StorageFull, Unavailable
from spark.v1 import reconstruction_service_pb2 as pb

CHUNK_BYTES = 1024 * 1024
MEDIA_TYPES = {
    ".png": "image/png",
    ".glb": "model/gltf-binary",
    ".json": "application/json",
    ".urdf": "application/xml",
    ".xml": "application/xml",
    ".usda": "model/vnd.usda",
    ".usdc": "model/vnd.usdc",
    ".obj": "model/obj",
    ".mtl": "model/mtl",
    ".stl": "model/stl",
}

_FULL = re.compile(rf"os error ({errno.ENOSPC}|{errno.EDQUOT}|{errno.EFBIG})\b")


class ArtifactStore:
    """Artifacts in a folder or a bucket.

    Whoever writes artifacts holds a `session` until the database refers to them, so that deleting another
    reconstruction with the same bytes cannot take them away in between.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._sessions: set[Session] = set()

    @classmethod
    def open(cls, url: str) -> ArtifactStore:
        """Open `file:///folder`, `s3://bucket/prefix` or any other URL that obstore knows."""
        if url.startswith("file://"):
            return cls(LocalStore(Path(unquote(urlsplit(url).path)), mkdir=True))
        return cls(from_url(url))

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Write artifacts; they cannot be deleted while the context is open."""
        session = Session(self)
        self._sessions.add(session)
        try:
            yield session
        finally:
            self._sessions.remove(session)

    async def get(self, digest: str) -> bytes:
        """All bytes of an artifact.

        Raises:
            NotFound: there is no such artifact.
            Unavailable: the store does not answer.
        """
        return b"".join([chunk async for chunk in self.stream(digest)])

    async def stream(self, digest: str, offset: int = 0) -> AsyncIterator[bytes]:
        """An artifact's bytes from `offset` on, in pieces of about 1 MiB.

        Raises:
            NotFound: there is no such artifact.
            InvalidRequest: the offset lies behind its end.
            Unavailable: the store does not answer.
        """
        try:
            size = (await obstore.head_async(self._store, _key(digest)))["size"]
            if offset > size:
                raise InvalidRequest.at("offset", f"{offset} lies behind the artifact's {size} bytes")
            if offset == size:
                return
            found = await obstore.get_async(self._store, _key(digest), options={"range": {"offset": offset}})
            async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                for start in range(0, len(chunk), CHUNK_BYTES):
                    yield bytes(chunk[start : start + CHUNK_BYTES])
        except FileNotFoundError:
            raise NotFound(f"there is no artifact {digest}") from None
        except BaseError as error:
            raise _store_error(error) from error

    async def delete(self, digests: Iterable[str]) -> None:
        """Remove artifacts, except those that an open session wrote. A missing one is no error."""
        doomed = set(digests).difference(*(session.written for session in self._sessions))
        await asyncio.gather(*(self._delete(digest) for digest in doomed))

    async def _delete(self, digest: str) -> None:
        try:
            await obstore.delete_async(self._store, _key(digest))
        except FileNotFoundError:
            return
        except BaseError as error:
            raise _store_error(error) from error

    async def write(self, digest: str, data: bytes) -> None:
        """Store bytes under their digest; all or nothing. Writing what is there costs a look-up.

        Raises:
            StorageFull: there is no room.
            Unavailable: the store does not answer.
        """
        try:
            if (await obstore.head_async(self._store, _key(digest)))["size"] == len(data):
                return
        except FileNotFoundError:
            pass
        except BaseError as error:
            raise _store_error(error) from error
        try:
            await obstore.put_async(self._store, _key(digest), data)
        except (BaseError, OSError) as error:
            raise _store_error(error) from error


class Session:
    """Writes artifacts and protects them from deletion; see `ArtifactStore.session`.

    Attributes:
        written: digests written so far.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self.store = store
        self.written: set[str] = set()

    async def put(self, path: str, data: bytes) -> pb.Artifact:
        """Store a file of a stage's result.

        Raises:
            StorageFull: there is no room.
            Unavailable: the store does not answer.
        """
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.written.add(digest)
        await self.store.write(digest, data)
        media_type = MEDIA_TYPES.get(Path(path).suffix, "application/octet-stream")
        return pb.Artifact(digest=digest, path=path, media_type=media_type, size_bytes=len(data))


def _key(digest: str) -> str:
    name = digest.removeprefix("sha256:")
    return f"{name[:2]}/{name}"


def _store_error(error: Exception) -> StorageFull | Unavailable:
    if _FULL.search(str(error)):
        return StorageFull("the artifact store is full")
    return Unavailable("the artifact store does not answer", metadata={"peer": "artifacts"})
