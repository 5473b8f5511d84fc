"""The `spark-training` command's pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from training.cli import app
from training.preview import sample_images


def test_preview_writes_a_sheet_of_three_views_an_object(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    arguments = ["preview", "-o", str(path), "--count", "3", "--size", "32", "--columns", "2"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    sheet = np.asarray(Image.open(path))
    assert sheet.shape == (2 * 3 * 32, 2 * 32, 3)
    assert sheet[:32].std() > 10
    assert (sheet[96:, 32:] == 255).all(), "no fourth object"


def test_sample_images_are_the_same_every_time(tmp_path: Path) -> None:
    for name in ("first", "second"):
        sample_images(tmp_path / name, {"safe": 1}, size=48)
    first, second = (np.asarray(Image.open(tmp_path / name / "safe.png")) for name in ("first", "second"))
    assert first.shape == (48, 48, 3)
    assert (first == second).all()
    assert "Apache-2.0" in (tmp_path / "first" / "README.md").read_text()
