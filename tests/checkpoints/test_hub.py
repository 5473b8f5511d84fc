"""Pulling a model from a local server with a hub's protocol."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import COMMIT, HubServer, hub_server
from manifests import write_manifest

from checkpoints import hub as hub_module
from checkpoints.digest import folder_digest
from checkpoints.errors import CheckpointCorrupt, DigestMismatch, HubError
from checkpoints.hub import ATTEMPTS, Hub, pull
from checkpoints.manifest import Manifest

WEIGHTS = bytes(range(256)) * 40
WANTED = {"config.json": b"{}", "transformer/model.safetensors": WEIGHTS, "LICENSE": b"MIT", "tokenizer.json": b""}
UNWANTED = {"pytorch_model.bin": b"pickle", "modeling.py": b"raise SystemExit", "picture.png": b"png"}
BIG = "transformer/model.safetensors"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def server() -> Iterator[HubServer]:
    with hub_server({**WANTED, **UNWANTED}) as running:
        yield running


def digest_of_wanted(folder: Path) -> str:
    for path, data in WANTED.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder_digest(folder)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    digest = digest_of_wanted(tmp_path / "reference")
    return write_manifest(tmp_path / "models", revision=f'"{COMMIT}"', digest=f'"{digest}"')


def pulled(server: HubServer, manifest: Manifest, token: str | None = None, **options: bool) -> str:
    hub = Hub(server.address, token)
    try:
        return pull(manifest, manifest["toy"], hub, **options)
    finally:
        hub.close()


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_weights_and_texts_arrive_and_neither_pickles_nor_code(server: HubServer, manifest: Manifest) -> None:
    assert pulled(server, manifest) == manifest["toy"].digest
    folder = manifest.folder(manifest["toy"])
    assert {name: (folder / name).read_bytes() for name in names(folder)} == WANTED
    assert not server.sent.keys() & UNWANTED.keys()


def test_only_the_files_that_the_manifest_names_arrive(server: HubServer, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "chosen", revision=f'"{COMMIT}"', files='["transformer/*", "LICENSE"]')
    pulled(server, manifest, pin=True)
    assert names(manifest.folder(manifest["toy"])) == {BIG, "LICENSE"}


def test_a_repository_without_the_named_files_is_refused(server: HubServer, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "chosen", revision=f'"{COMMIT}"', files='["unet/*"]')
    with pytest.raises(HubError, match="none of the files that toy is made of"):
        pulled(server, manifest, pin=True)


def test_nothing_else_is_left_beside_the_model(server: HubServer, manifest: Manifest) -> None:
    pulled(server, manifest)
    assert [path.name for path in (manifest.path.parent / "full").iterdir()] == ["model"]


def test_a_transfer_that_breaks_off_goes_on(server: HubServer, manifest: Manifest) -> None:
    server.fail_after = len(WEIGHTS) // (ATTEMPTS - 1)
    pulled(server, manifest)
    assert server.sent[BIG] == len(WEIGHTS)


def test_a_pull_that_was_given_up_goes_on_at_the_next(server: HubServer, manifest: Manifest) -> None:
    server.fail_after = 1000
    with pytest.raises(HubError, match="pull again to go on"):
        pulled(server, manifest)
    assert not manifest.folder(manifest["toy"]).exists()
    server.fail_after = None
    pulled(server, manifest)
    assert server.sent[BIG] == len(WEIGHTS)
    assert server.sent["LICENSE"] == len(WANTED["LICENSE"])


@pytest.mark.parametrize("path", [BIG, "config.json"])
def test_bytes_that_the_hub_did_not_announce_are_thrown_away(server: HubServer, manifest: Manifest, path: str) -> None:
    server.wrong = {path}
    with pytest.raises(CheckpointCorrupt, match=path):
        pulled(server, manifest)
    server.wrong = set()
    assert pulled(server, manifest) == manifest["toy"].digest


def test_a_model_that_is_not_the_manifest_s_does_not_take_its_place(server: HubServer, manifest: Manifest) -> None:
    folder = manifest.folder(manifest["toy"])
    folder.mkdir(parents=True)
    (folder / "old.safetensors").write_bytes(b"old")
    server.files["config.json"] = b'{"other": true}'
    with pytest.raises(DigestMismatch, match=COMMIT):
        pulled(server, manifest)
    assert names(folder) == {"old.safetensors"}


def test_a_stale_model_is_replaced(server: HubServer, manifest: Manifest) -> None:
    folder = manifest.folder(manifest["toy"])
    folder.mkdir(parents=True)
    (folder / "old.safetensors").write_bytes(b"old")
    pulled(server, manifest)
    assert names(folder) == WANTED.keys()


def test_a_model_that_is_there_is_not_fetched_again(server: HubServer, manifest: Manifest) -> None:
    pulled(server, manifest)
    server.sent.clear()
    pulled(server, manifest)
    assert not server.sent


def test_a_model_without_revision_needs_consent(server: HubServer, tmp_path: Path) -> None:
    with pytest.raises(HubError, match="--pin"):
        pulled(server, write_manifest(tmp_path))


def test_consent_writes_what_came_into_the_manifest(server: HubServer, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, revision='""', digest='""')
    digest = pulled(server, manifest, pin=True)
    entry = Manifest.read(manifest.path)["toy"]
    assert (entry.revision, entry.digest) == (COMMIT, digest)


def test_a_file_outside_the_folder_is_refused(server: HubServer, manifest: Manifest) -> None:
    server.files["../evil.json"] = b"{}"
    with pytest.raises(HubError, match=r"outside its folder: \.\./evil\.json"):
        pulled(server, manifest)


@pytest.mark.parametrize("files", [{}, UNWANTED])
def test_a_repository_without_weights_is_refused(
    server: HubServer, manifest: Manifest, files: dict[str, bytes]
) -> None:
    server.files = files
    with pytest.raises(HubError, match="holds no weights"):
        pulled(server, manifest)


def test_a_hub_that_does_not_answer_is_an_error(manifest: Manifest) -> None:
    with pytest.raises(HubError, match="cannot be listed"):
        pulled(HubServer({}, address="http://127.0.0.1:9"), manifest)


def test_a_closed_repository_needs_the_token(server: HubServer, manifest: Manifest) -> None:
    server.token = "secret"
    with pytest.raises(HubError, match="401"):
        pulled(server, manifest)
    assert pulled(server, manifest, token="secret") == manifest["toy"].digest


def test_the_token_stays_with_the_hub(server: HubServer, manifest: Manifest) -> None:
    """Large files lie on other hosts, to which the hub redirects."""
    server.redirect = server.address.replace("127.0.0.1", "localhost")
    pulled(server, manifest, token="secret")
    assert server.seen_tokens[f"/owner/model/resolve/{COMMIT}/{BIG}"] == "Bearer secret"
    assert server.seen_tokens[f"/store/{BIG}"] is None
