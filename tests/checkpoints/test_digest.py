"""The digest over a weights folder."""

import hashlib
from pathlib import Path

import pytest

from checkpoints.digest import folder_digest


def weights(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "b.bin").write_bytes(b"bb")
    (folder / "sub/a.bin").write_bytes(b"a")
    return folder


def test_it_is_sha256_over_names_sizes_and_bytes(tmp_path: Path) -> None:
    expected = hashlib.sha256(b"b.bin\x002\x00bb" + b"sub/a.bin\x001\x00a").hexdigest()
    assert folder_digest(weights(tmp_path)) == expected


def test_a_copy_elsewhere_has_the_same_digest(tmp_path: Path) -> None:
    assert folder_digest(weights(tmp_path / "one")) == folder_digest(weights(tmp_path / "two"))


@pytest.mark.parametrize("name", ["b.bin", "sub/a.bin", "new.bin"])
def test_any_change_changes_it(tmp_path: Path, name: str) -> None:
    folder = weights(tmp_path)
    before = folder_digest(folder)
    (folder / name).write_bytes(b"other")
    assert folder_digest(folder) != before


def test_no_weights_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        folder_digest(tmp_path)
