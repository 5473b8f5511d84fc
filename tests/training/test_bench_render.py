"""The renderer's benchmark, at toy size."""

from __future__ import annotations

from typer.testing import CliRunner

from training.bench_render import app


def test_benchmark_prints_a_row_for_every_size() -> None:
    arguments = [
        "--objects",
        "2",
        "--batch",
        "2",
        "--sizes",
        "8",
        "--sizes",
        "16",
        "--samples",
        "1",
        "--seconds",
        "0.01",
    ]
    result = CliRunner().invoke(app, [*arguments, "--backgrounds", "random", "--device", "cpu"])
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines()[2:]]
    assert [row[1] for row in rows] == ["8", "16"]
    assert all(float(row[4]) > 0 and float(row[5]) > 0 for row in rows)
