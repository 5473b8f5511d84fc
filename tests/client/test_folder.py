"""Replacing an asset folder."""

from pathlib import Path

import pytest

from client.folder import is_replaceable, replaced


def old_asset(folder: Path) -> Path:
    (folder / "meshes").mkdir(parents=True)
    (folder / "meshes/drawer_7.obj").write_text("old")
    (folder / "asset.urdf").write_text("old")
    return folder


def test_nothing_of_the_older_asset_stays(tmp_path: Path) -> None:
    folder = old_asset(tmp_path / "asset")
    with replaced(folder) as fresh:
        (fresh / "asset.urdf").write_text("new")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"asset.urdf": "new"}
    assert list(tmp_path.iterdir()) == [folder]


def test_after_an_error_the_older_asset_is_whole(tmp_path: Path) -> None:
    folder = old_asset(tmp_path / "asset")
    with pytest.raises(ConnectionError), replaced(folder) as fresh:
        (fresh / "asset.urdf").write_text("half")
        raise ConnectionError
    assert (folder / "asset.urdf").read_text() == "old"
    assert (folder / "meshes/drawer_7.obj").exists()
    assert list(tmp_path.iterdir()) == [folder]


def test_a_missing_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    with replaced(tmp_path / "a" / "b") as fresh:
        (fresh / "asset.urdf").write_text("new")
    assert (tmp_path / "a/b/asset.urdf").read_text() == "new"


@pytest.mark.parametrize("entries", [[], ["asset.urdf", "report.json"], ["asset.usda"]])
def test_an_empty_folder_and_an_asset_are_replaceable(tmp_path: Path, entries: list[str]) -> None:
    for entry in entries:
        (tmp_path / entry).touch()
    assert is_replaceable(tmp_path)


def test_a_folder_with_anything_else_is_not(tmp_path: Path) -> None:
    folder = old_asset(tmp_path / "asset")
    (folder / "thesis.tex").touch()
    assert not is_replaceable(folder)
