"""A shipped curve is short and still shows everything that was measured."""

import json
from pathlib import Path

from PIL import Image

from training.curves import LINES, draw, thin


def _curve(path: Path) -> Path:
    rows = [{"step": step, "seconds": step / 10, "loss": 1 / (step + 1)} for step in range(2000)]
    rows[777] |= {"held_out": 0.5}
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


def test_a_thinned_curve_keeps_the_end_and_rare_measures(tmp_path: Path) -> None:
    thin(_curve(tmp_path / "toy-curve.jsonl"), tmp_path / "thin.jsonl")
    kept = [json.loads(line) for line in (tmp_path / "thin.jsonl").read_text().splitlines()]
    assert len(kept) <= LINES + 1
    assert kept[-1]["step"] == 1999
    assert [row["step"] for row in kept if "held_out" in row] == [777]


def test_a_drawing_has_a_panel_for_each_curve(tmp_path: Path) -> None:
    curve = _curve(tmp_path / "toy-curve.jsonl")
    draw([curve], tmp_path / "one.png")
    draw([curve, curve, curve], tmp_path / "three.png")
    one, three = (Image.open(tmp_path / name).width for name in ("one.png", "three.png"))
    assert three == 3 * one
