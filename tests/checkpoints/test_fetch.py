"""Weights from an object storage, here a folder or an S3 server: whole and right, or not at all."""

import subprocess
import sys
from pathlib import Path

import obstore
import pytest
from obstore.store import from_url
from s3_server import s3_server

from checkpoints.digest import folder_digest
from checkpoints.errors import CheckpointMissing, DigestMismatch, StorageError
from checkpoints.fetch import fetch


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    folder = tmp_path / "storage/part_dit-3"
    (folder / "vae").mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (folder / "vae/weights.safetensors").write_bytes(b"weights" * 1000)
    return folder


def test_a_folder_arrives_whole_under_its_digest_and_name(stored: Path, tmp_path: Path) -> None:
    digest = folder_digest(stored)
    folder = fetch(stored.as_uri(), digest, tmp_path / "cache")
    assert folder == tmp_path / "cache" / digest / "part_dit-3"
    assert folder_digest(folder) == digest


def test_a_folder_arrives_from_s3_and_a_missing_one_is_named(stored: Path, tmp_path: Path) -> None:
    digest = folder_digest(stored)
    with s3_server(tmp_path / "s3"):
        bucket = from_url("s3://models/full/part_dit-3")
        for file in stored.rglob("*.*"):
            obstore.put(bucket, str(file.relative_to(stored)), file)
        folder = fetch("s3://models/full/part_dit-3", digest, tmp_path / "cache")
        with pytest.raises(CheckpointMissing, match="part_dit-4"):
            fetch("s3://models/full/part_dit-4", digest, tmp_path / "other")
    assert folder == tmp_path / "cache" / digest / "part_dit-3"
    assert folder_digest(folder) == digest


def test_what_the_cache_holds_is_not_asked_for_again(stored: Path, tmp_path: Path) -> None:
    digest = folder_digest(stored)
    folder = fetch(stored.as_uri(), digest, tmp_path / "cache")
    stored.rename(tmp_path / "gone")
    assert fetch(stored.as_uri(), digest, tmp_path / "cache") == folder


def test_a_damaged_cache_is_filled_again(stored: Path, tmp_path: Path) -> None:
    digest = folder_digest(stored)
    folder = fetch(stored.as_uri(), digest, tmp_path / "cache")
    (folder / "model_index.json").write_text("{ }")
    assert folder_digest(fetch(stored.as_uri(), digest, tmp_path / "cache")) == digest


def test_other_weights_than_named_are_refused_and_leave_nothing(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(DigestMismatch, match=folder_digest(stored)):
        fetch(stored.as_uri(), "0" * 64, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_without_files_is_missing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointMissing):
        fetch((tmp_path / "empty").as_uri(), "0" * 64, tmp_path / "cache")


def test_a_storage_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        fetch((tmp_path / "nowhere").as_uri(), "0" * 64, tmp_path / "cache")


def test_the_command_ends_with_one_line_where_a_digest_is_wrong(stored: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "checkpoints.fetch",
        "--cache",
        tmp_path / "cache",
        f"{stored.as_uri()}={'0' * 64}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("DigestMismatch: ")
    assert len(done.stderr.splitlines()) == 1
