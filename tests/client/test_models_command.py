"""`spark models` as a user types it."""

from pathlib import Path

import pytest
from hub_server import COMMIT, hub_server
from manifests import write_manifest
from typer.testing import CliRunner, Result

from checkpoints.manifest import Manifest
from client.cli import app

FILES = {"config.json": b"{}", "model.safetensors": b"weights"}


def spark(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", *arguments], env={"SPARK_MODELS": str(root), "COLUMNS": "200"})


def put(manifest: Manifest, data: bytes = b"weights") -> None:
    folder = manifest.folder(manifest["toy"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(data)


@pytest.mark.parametrize(("there", "state"), [(False, "absent"), (True, "here, unpinned")])
def test_list_says_what_is_here(tmp_path: Path, there: bool, state: str) -> None:
    manifest = write_manifest(tmp_path)
    if there:
        put(manifest)
    result = spark(tmp_path, "list")
    assert result.exit_code == 0
    assert all(word in result.output for word in ("toy", "full", "shape", "owner/model", "2.5", state))


def test_licences_are_shown_with_their_notes(tmp_path: Path) -> None:
    write_manifest(tmp_path, licence_note='"Not in orbit."')
    assert spark(tmp_path, "licenses").output == "toy: MIT. Not in orbit.\n"


def test_verify_accepts_what_was_pinned_and_nothing_else(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    put(manifest)
    assert spark(tmp_path, "pin", "toy").exit_code == 0
    assert spark(tmp_path, "verify").exit_code == 0
    put(manifest, b"weightz")
    result = spark(tmp_path, "verify")
    assert result.exit_code == 5
    assert "toy is not the model" in " ".join(result.output.split())


def test_verify_passes_over_absent_models_unless_named(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    assert spark(tmp_path, "verify").exit_code == 0
    assert spark(tmp_path, "verify", "toy").exit_code == 5


def test_pull_fetches_pins_and_verifies(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, revision='""', digest='""')
    with hub_server(FILES) as server:
        result = spark(tmp_path, "pull", "toy", "--pin", "--endpoint", server.address)
    assert result.exit_code == 0, result.output
    assert Manifest.read(manifest.path)["toy"].revision == COMMIT
    assert spark(tmp_path, "verify", "toy").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code"), [(("verify", "other"), 2), (("pull", "toy", "--endpoint", "http://127.0.0.1:9"), 3)]
)
def test_exit_codes_tell_kinds_of_failure(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    write_manifest(tmp_path, revision=f'"{COMMIT}"', digest=f'"{64 * "a"}"')
    result = spark(tmp_path, *arguments)
    assert result.exit_code == code
    assert "error:" in result.output


def test_a_folder_without_manifest_is_a_message(tmp_path: Path) -> None:
    result = spark(tmp_path, "list")
    assert result.exit_code == 2
    assert "does not exist" in result.output
