"""Files that appear in one rename."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.whole_file import written_whole


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.json"
    with written_whole(path) as part:
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(OSError, match="disk"), written_whole(path) as part:
        part.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "old"
