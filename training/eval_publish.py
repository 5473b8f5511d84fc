"""Bring a finished evaluation into the documentation: the report's tables and pictures, and a montage of results.

python -m training.eval_publish --out out/eval
"""

from __future__ import annotations

import json
import re
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from training.eval_case import run_file
from training.eval_gallery import PREVIEW, montage, write_jpeg
from training.eval_run import Run

DOCS = Path(__file__).parents[1] / "docs"
PAGE = "evaluation.md"
BEGIN, END = "<!-- report -->", "<!-- end of report -->"
"""Lines of the page between which the report stands."""
SHEET_BYTES = 150_000
MONTAGE_BYTES = 480_000

app = typer.Typer(add_completion=False)


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder of the evaluation.")] = Path("out/eval"),
    docs: Annotated[Path, typer.Option(help="Folder of the documentation.")] = DOCS,
    count: Annotated[int, typer.Option(help="Results in the montage, picked at random.")] = 12,
) -> None:
    """Write `evaluation.md`, `pictures/evaluation-*.jpg` and `pictures/results.jpg`."""
    for sheet in sorted(out.glob("*.png")):
        picture = np.asarray(Image.open(sheet).convert("RGB"))
        write_jpeg(docs / f"pictures/evaluation-{sheet.stem}.jpg", picture, SHEET_BYTES)
    page = docs / PAGE
    page.write_text(with_report(page.read_text(), (out / "report.md").read_text()))
    runs = random_results(out, count)
    write_jpeg(docs / "pictures/results.jpg", montage(runs), MONTAGE_BYTES)
    typer.echo(f"{page}, and {len(runs)} results in {docs / 'pictures/results.jpg'}")


def with_report(page: str, report: str) -> str:
    """The page with the report between its marks, a level deeper, and its pictures those of the documentation."""
    body = re.sub("(?m)^## ", "### ", report.split("\n", 1)[1].strip())
    body = re.sub(r"\]\((\w+)\.png\)", r"](pictures/evaluation-\1.jpg)", body)
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{body}\n\n{END}{after}"


def random_results(out: Path, count: int) -> list[Run]:
    """Up to `count` reported objects that gave an asset, picked by a fixed seed."""
    report = json.loads((out / "report.json").read_text())
    objects = [x for x in report["objects"] if x["split"] == report["settings"]["split"] and x["measures"]]
    order = np.random.default_rng(0).permutation(len(objects))
    runs = (Run.load(out / "cases" / run_file(objects[i]["name"], objects[i]["fingerprint"])) for i in order)
    return list(islice((run for run in runs if PREVIEW in run.files), count))


if __name__ == "__main__":
    app()
