import io
from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from client.cli import app
from gateway.package.film import FRAMES, SIZE, film
from gateway.package.manipulate import Demonstration, Manipulation

DRAWER = Manipulation("drawer", "drawer", (0.0, 0.0, 0.0), True)


def test_a_film_is_an_animated_gif_of_what_moves(folder: Path) -> None:
    path = np.outer(np.linspace(0, 1, 60), [0.0, 0.0, 0.3])
    with Image.open(io.BytesIO(film(folder, [Demonstration(DRAWER, path)]))) as gif:
        assert gif.format == "GIF" and gif.size == (SIZE, SIZE)
        frames = getattr(gif, "n_frames", 1)
        first = np.asarray(gif.convert("L"), dtype=float)
        gif.seek(frames - 1)
        last = np.asarray(gif.convert("L"), dtype=float)
    assert FRAMES / 2 < frames <= FRAMES
    assert (np.abs(first - last) > 20).mean() > 0.005


def test_a_film_of_nothing_shows_the_asset(folder: Path) -> None:
    with Image.open(io.BytesIO(film(folder, []))) as gif:
        assert (np.asarray(gif.convert("L")) < 250).mean() > 0.05


def test_the_command_writes_the_film(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "films" / "cabinet.gif"
    outcome = CliRunner().invoke(app, ["validate", str(folder), "--manipulate", "--film", str(target)])
    assert outcome.exit_code == 0, outcome.output
    with Image.open(target) as gif:
        assert gif.format == "GIF"
