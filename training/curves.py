"""Training curves: what a run logged, thinned for the weights' folder, and drawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

LINES = 200
"""Most lines of a shipped curve."""
HIGHEST = 10.0
"""Numbers above are counts, seconds and decibels, not losses."""


def thin(curve: Path, out: Path, lines: int = LINES) -> None:
    """Copy every so many lines of a curve, and always its last one and those with measures that others lack."""
    rows = curve.read_text().splitlines() if curve.exists() else []
    if not rows:
        return
    usual = {key for key, count in _counted(rows).items() if count > len(rows) / 2}
    step = -(-len(rows) // lines)
    kept = [
        row
        for index, row in enumerate(rows)
        if index % step == step - 1 or index == len(rows) - 1 or not json.loads(row).keys() <= usual
    ]
    out.write_text("\n".join(kept) + "\n")


def _counted(rows: Sequence[str]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for row in rows:
        for key in json.loads(row):
            counted[key] = counted.get(key, 0) + 1
    return counted


def draw(curves: Sequence[Path], out: Path) -> None:
    """One panel a curve: its loss and every other measure that stays below `HIGHEST`, over the seconds of training."""
    from matplotlib import pyplot  # heavy, and not on the machines that train

    figure, panels = pyplot.subplots(1, len(curves), figsize=(3.6 * len(curves), 4.8), squeeze=False)
    for panel, path in zip(panels[0], curves, strict=True):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for key in sorted({key for row in rows for key in row} - {"step", "seconds", "gradient_norm"}):
            points = [(row["seconds"], row[key]) for row in rows if row.get(key, 0) > 0]
            if len(points) > 1 and max(value for _, value in points) < HIGHEST:
                panel.plot(*zip(*points, strict=True), label=key, marker="." if len(points) < 30 else None)
        panel.set(title=path.stem.removesuffix("-curve"), xlabel="seconds", yscale="log")
        panel.legend(fontsize=6, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False)
    figure.tight_layout()
    figure.savefig(out, dpi=90)
    pyplot.close(figure)
