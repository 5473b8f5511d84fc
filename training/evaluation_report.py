"""The evaluation's report: `report.json`, `report.md` and pictures of the best, the median and the worst result."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from articulation.typing import ImageArray
from training.draw import Split
from training.objects import CATEGORIES, sample_camera
from training.preview import to_bytes
from training.render import render
from training.scene import pack
from training.scoring import Scores, summary
from training.spec import ObjectSpec

PICTURE_SIZE = 256
OPENING = 0.7
PAPER = {
    "chamfer": 0.3915,
    "f_0_1": 0.4151,
    "f_0_5": 0.8959,
    "axis_error_rad": 0.1577,
    "origin_error": 0.1653,
    "type_error": 0.05,
}
"""The paper's tables 1 and 2 (100 GAPartNet images)."""


INTRODUCTION = """Test objects have layouts, finishes and views that training never drew (`docs/data.md`). Lengths are
in model space, longest side 2. The mean shape is told the true category. The paper's figures are for other data (100
GAPartNet images) and are no comparison."""


@dataclass(frozen=True, eq=False)
class Case:
    """One test object and what became of its photograph.

    Attributes:
        index: position in the evaluation.
        spec: the truth.
        image: (S, S, 3) what the service saw.
        scores: None when nothing came back.
        error: why, in that case.
        preview: (H, W, 3) the asset as the service pictures it: input, closed, open.
    """

    index: int
    spec: ObjectSpec
    image: ImageArray
    scores: Scores | None
    error: str
    preview: ImageArray | None

    def line(self) -> str:
        """The outcome in a few words."""
        if self.scores is None:
            return self.error
        shape = f"chamfer {self.scores.shape.chamfer:.3f}" if self.scores.shape else "plan"
        right = sum(joint.type_right for joint in self.scores.joints)
        return f"{shape}, {right} of {len(self.scores.joints)} joint types right, {self.scores.seconds:.1f} s"


def write_report(
    folder: Path, cases: Sequence[Case], baseline: Mapping[str, float], settings: Mapping[str, object]
) -> Path:
    """Write everything under `folder`; returns the path of `report.md`.

    Args:
        baseline: mean shape scores of the category means.
        settings: what was asked of the evaluation.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report = {
        "settings": dict(settings),
        "compact": summary([case.scores for case in cases if case.scores], len(cases)),
        "baseline_mean_shape": dict(baseline),
        "categories": {
            name: summary([case.scores for case in of if case.scores], len(of))
            for name in CATEGORIES
            if (of := [case for case in cases if case.spec.category == name])
        },
        "errors": dict(Counter(case.error.split(":")[0] for case in cases if case.error)),
        "objects": [_row(case) for case in cases],
    }
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    pictures = _pictures(folder, cases)
    page = folder / "report.md"
    page.write_text(_page(report, pictures))
    return page


def _row(case: Case) -> dict[str, Any]:
    scores = asdict(case.scores) if case.scores else None
    return {
        "index": case.index,
        "category": case.spec.category,
        "style": case.spec.style,
        "error": case.error,
        "scores": scores,
    }


def _page(report: Mapping[str, Any], pictures: Sequence[tuple[str, str]]) -> str:
    compact, baseline = report["compact"], report["baseline_mean_shape"]
    rows = [
        f"| {name} | {_number(value)} | {_number(baseline.get(name))} | {_number(PAPER.get(name))} |"
        for name, value in compact.items()
    ]
    columns = ("n", "coverage", "type_error", "part_count_accuracy", "success", "chamfer", "part_chamfer")
    per_category = [
        f"| {name} | " + " | ".join(_number(values[column]) for column in columns) + " |"
        for name, values in report["categories"].items()
    ]
    errors = [f"- {count} x `{name}`" for name, count in report["errors"].items()] or ["None."]
    shown = [f"## {title}\n\n![Input, truth closed and open, asset]({path})\n" for title, path in pictures]
    return "\n".join(
        [
            "# Evaluation",
            "",
            f"Settings: `{json.dumps(report['settings'])}`.",
            "",
            INTRODUCTION,
            "",
            "| metric | compact | mean shape | paper |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            f"| category | {' | '.join(columns)} |",
            "| --- |" + " --- |" * len(columns),
            *per_category,
            "",
            "## Failures",
            "",
            *errors,
            "",
            *shown,
        ]
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _pictures(folder: Path, cases: Sequence[Case]) -> list[tuple[str, str]]:
    """Title and file of the best, median and worst case by Chamfer distance."""
    measured = [(case.scores.shape.chamfer, case) for case in cases if case.scores and case.scores.shape]
    ranked = sorted(measured, key=lambda pair: pair[0])
    if not ranked:
        return []
    written = []
    for title, (distance, case) in zip(
        ("Best", "Median", "Worst"), (ranked[0], ranked[len(ranked) // 2], ranked[-1]), strict=True
    ):
        name = f"{title.lower()}.png"
        Image.fromarray(_strip(case)).save(folder / name)
        written.append((f"{title}: {case.spec.category}, Chamfer {distance:.3f}", name))
    return written


def _strip(case: Case) -> ImageArray:
    """The input, the truth closed and open, and the asset's own preview without its copy of the input."""
    scene = pack([case.spec, case.spec], "cpu")
    view = sample_camera(np.random.default_rng(case.index), Split.VAL, case.spec.half_extent * 1.3).to_array()
    cameras = torch.tensor(np.stack([view, view]))
    opened = torch.stack([torch.zeros_like(scene.joint_upper[0]), scene.joint_upper[1] * OPENING])
    truth = to_bytes(render(scene, cameras, opened, scene.link_valid, PICTURE_SIZE, samples=2).rgb)
    tiles = [_resized(case.image, PICTURE_SIZE), *truth]
    if case.preview is not None:
        side = case.preview.shape[0]
        tiles += [_resized(case.preview[:, i * side : (i + 1) * side], PICTURE_SIZE) for i in (1, 2)]
    return np.concatenate(tiles, axis=1)


def _resized(image: ImageArray, size: int) -> ImageArray:
    return np.asarray(Image.fromarray(image).resize((size, size)))
