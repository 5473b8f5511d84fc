"""The `spark-training` command: contact sheets, sample images, evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.curves import draw
from training.draw import Split
from training.evaluate import main as evaluate
from training.golden import golden as write_golden
from training.preview import contact_sheet, sample_images

EXAMPLE_SEEDS = {
    "microwave": 0, "refrigerator": 4, "table": 3, "storage_furniture": 2, "safe": 2, "washing_machine": 3,
    "dishwasher": 0, "oven": 0, "laptop": 4, "box": 4, "toilet": 2, "door": 3,
}  # fmt: skip
"""Validation seed of each sample image."""

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.command("evaluate")(evaluate)


@app.command()
def preview(
    output: Annotated[Path, typer.Option("-o", "--output")] = Path("out/preview.png"),
    count: int = 100,
    split: Split = Split.TRAIN,
    size: int = 128,
    columns: int = 10,
    seed: int = 0,
) -> None:
    """Write a contact sheet: each object photographed, opened, and its part mask."""
    contact_sheet(output, count, split, size, columns, seed)
    typer.echo(output)


@app.command()
def examples(output: Annotated[Path, typer.Option("-o", "--output")] = Path("examples")) -> None:
    """Write one sample photograph a category from the validation split."""
    sample_images(output, EXAMPLE_SEEDS)
    typer.echo(output)


@app.command()
def golden(output: Annotated[Path, typer.Option("-o", "--output")] = Path("gateway/releases/golden")) -> None:
    """Write the object by which the gateway checks new versions of its models."""
    write_golden(output)
    typer.echo(output)


@app.command()
def curves(
    models: Annotated[Path, typer.Option(help="Folder of weights with their curves.")] = Path("models"),
    output: Annotated[Path, typer.Option("-o", "--output")] = Path("docs/pictures/curves.png"),
) -> None:
    """Draw the training curves that lie beside the weights."""
    draw(sorted(models.rglob("*-curve.jsonl")), output)
    typer.echo(output)


if __name__ == "__main__":
    app()
