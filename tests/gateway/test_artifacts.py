"""The artifact store, in a real folder, in memory, and on a real S3 server."""

import asyncio
import hashlib
import resource
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_server import S3Server, s3_server

from gateway.artifacts import CHUNK_BYTES, ArtifactStore
from serving.errors import InvalidRequest, NotFound, StorageFull, Unavailable


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "s3":
        request.getfixturevalue("s3")
        return ArtifactStore.open(f"s3://artifacts/{uuid.uuid4()}")
    return ArtifactStore.open("memory:///" if request.param == "memory" else (tmp_path / "a b").as_uri())


async def put(store: ArtifactStore, data: bytes, path: str = "plan.json") -> str:
    with store.session() as session:
        return (await session.put(path, data)).digest


async def test_bytes_come_back_under_their_sha256(store: ArtifactStore) -> None:
    data = b"spark" * CHUNK_BYTES
    digest = await put(store, data)
    assert digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert await store.get(digest) == data
    pieces = [piece async for piece in store.stream(digest, offset=len(data) - CHUNK_BYTES - 5)]
    assert b"".join(pieces) == data[-CHUNK_BYTES - 5 :]
    assert max(map(len, pieces)) <= CHUNK_BYTES


async def test_an_empty_file_is_a_file(store: ArtifactStore) -> None:
    assert await store.get(await put(store, b"")) == b""


async def test_a_description_carries_path_size_and_media_type(store: ArtifactStore) -> None:
    with store.session() as session:
        artifact = await session.put("asset/meshes/door.glb", b"12345")
    assert (artifact.path, artifact.size_bytes, artifact.media_type) == (
        "asset/meshes/door.glb",
        5,
        "model/gltf-binary",
    )


async def test_the_same_bytes_may_be_written_by_many_at_once(store: ArtifactStore) -> None:
    assert len(set(await asyncio.gather(*(put(store, b"x" * 100_000) for _ in range(8))))) == 1


async def test_missing_artifacts_and_offsets_behind_the_end_are_typed(store: ArtifactStore) -> None:
    with pytest.raises(NotFound):
        await store.get("sha256:" + "0" * 64)
    digest = await put(store, b"abc")
    with pytest.raises(InvalidRequest) as caught:
        [piece async for piece in store.stream(digest, 4)]
    assert caught.value.violations[0].field == "offset"


async def test_sessions_that_wrote_the_same_end_apart(store: ArtifactStore) -> None:
    with store.session() as first:
        with store.session() as second:
            await first.put("a.json", b"shared")
            await second.put("a.json", b"shared")
        await first.put("b.json", b"more")
        await store.delete([digest := await put(store, b"more")])
        assert await store.get(digest) == b"more"


async def test_an_open_session_protects_what_it_wrote(store: ArtifactStore) -> None:
    digest = await put(store, b"shared")
    with store.session() as session:
        await session.put("again.json", b"shared")
        await store.delete([digest])
        assert await store.get(digest) == b"shared"
    await store.delete([digest])
    with pytest.raises(NotFound):
        await store.get(digest)
    await store.delete([digest])  # again: no error


async def test_no_room_is_typed_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """The kernel refuses to let a file grow past a limit, as it does on a full disk."""
    store = ArtifactStore.open(tmp_path.as_uri())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(StorageFull):
            await put(store, b"x" * 1_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


async def test_a_store_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    store = ArtifactStore.open((tmp_path / "store").as_uri())
    (tmp_path / "store").rmdir()
    (tmp_path / "store").write_text("a file where the folder was")
    with pytest.raises(Unavailable):
        await put(store, b"x")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:1")],
    ids=["wrong secret", "nobody there"],
)
async def test_a_bucket_that_refuses_or_is_away_is_unavailable(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    store = ArtifactStore.open("s3://artifacts/refused")
    with pytest.raises(Unavailable) as caught:
        await put(store, b"x")
    assert caught.value.metadata == {"peer": "artifacts"}
