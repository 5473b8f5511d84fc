"""A finished evaluation comes into the documentation, again and again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from perfect_runs import perfect_run
from PIL import Image

from training.draw import Split
from training.eval_case import CaseFolder, Subject
from training.eval_publish import BEGIN, DOCS, END, PAGE, main, with_report

REPORT = "# Evaluation\n\nFigures.\n\n## Best: safe\n\n![Input](best.png)\n"


def test_the_report_replaces_the_one_before() -> None:
    page = f"# Page\n\n{BEGIN}\nold\n{END}\n\n## After\n"
    once = with_report(page, REPORT)
    assert once.startswith("# Page\n") and once.endswith("## After\n")
    assert "### Best: safe" in once and "(pictures/evaluation-best.jpg)" in once and "old" not in once
    assert with_report(once, REPORT) == once


def test_the_page_has_the_marks() -> None:
    page = (DOCS / PAGE).read_text()
    assert page.index(BEGIN) < page.index(END)


def test_pictures_of_results_with_an_asset_are_published(tmp_path: Path) -> None:
    out, docs = tmp_path / "eval", tmp_path / "docs"
    docs.mkdir()
    (docs / PAGE).write_text(f"{BEGIN}{END}")
    folder, objects = CaseFolder(out / "cases"), []
    preview = Image.fromarray(np.full((32, 96, 3), (10, 200, 10), np.uint8))
    preview.save(out / "best.png")
    for index in range(3):
        subject = Subject.draw(Split.TEST, 1, index)
        run = perfect_run(subject.spec, subject.camera)
        if index:
            run = type(run)({**run.files, "asset/preview.png": (out / "best.png").read_bytes()})
        folder.save_run(subject, run)
        named = {"name": subject.name, "fingerprint": subject.fingerprint()}
        objects.append({**named, "split": "test", "measures": {"seconds": {}}})
    report = {"settings": {"split": "test"}, "objects": objects}
    (out / "report.json").write_text(json.dumps(report))
    (out / "report.md").write_text(REPORT)
    main(out, docs, count=12)
    assert Image.open(docs / "pictures/evaluation-best.jpg").size == (96, 32)
    montage = np.asarray(Image.open(docs / "pictures/results.jpg"))
    assert montage.shape[0] == 160, "two of three have an asset: one row"
    green = (np.abs(montage.astype(int) - (10, 200, 10)) < 30).all(-1)
    assert green[:, 160:480].mean() > 0.95
