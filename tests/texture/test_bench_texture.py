"""The GPU benchmark of the full texture model, as a toy on the CPU."""

import json
from pathlib import Path

import pytest

from training import bench_texture


def test_the_figures_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_texture, "TIMED_STEPS", 1)
    out = tmp_path / "figures.json"
    bench_texture.main(["--toy", "--device", "cpu", "--dtype", "float32", "--steps", "1", "--out", str(out)])
    report = json.loads(out.read_text())
    assert (report["device"], report["pixels"], report["steps"]) == ("CPU", 48, 1)
    assert report["seconds"] > 0
    assert report["step"]["floor_operations_ms"] > 0
