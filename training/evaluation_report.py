"""The evaluation's report: `report.json`, `report.md` and pictures of the best, the median and the worst result."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from training.draw import Split
from training.eval_case import Case, CaseFolder, Subject
from training.eval_gallery import sheet
from training.eval_summary import (
    GOALS,
    NO_QUALITY,
    SMALLER_IS_BETTER,
    ablations,
    baselines,
    calibration,
    held_out_styles,
    joint_beliefs,
    joint_failures,
    stage_seconds,
    summary,
)
from training.objects import CATEGORIES

PAPER = {
    "chamfer": 0.3915,
    "f_0_1": 0.4151,
    "f_0_5": 0.8959,
    "axis_error_rad": 0.1577,
    "origin_error": 0.1653,
    "type_error": 0.05,
}
"""The paper's tables 1 and 2 (100 GAPartNet images)."""
CATEGORY_COLUMNS = (
    "n", "coverage", "type_error", "axis_error_rad", "part_count_accuracy", "success", "chamfer", "part_chamfer",
    "part_reference_iou", "open_state_iou", "texture_psnr",
)  # fmt: skip
INTRODUCTION = """Test objects have layouts, finishes and views that training never drew (`docs/data.md`); what each
metric means stands in `docs/evaluation.md`. Lengths are in model space, longest side 2. The mean shape is told the true
category; the boxes are the plan alone. The paper's figures are for other data (100 GAPartNet images): no comparison."""


def report_of(cases: Sequence[Case], settings: Mapping[str, object]) -> dict[str, Any]:
    """The content of `report.json`.

    Args:
        cases: of the split that is reported; those of the validation split, if any, are its comparison.
        settings: what was asked of the evaluation.
    """
    asked = [case for case in cases if case.split.value == settings["split"]]
    others = [case for case in cases if case.split is Split.VAL and case not in asked]
    measured = [case.measures for case in asked if case.measures]
    return {
        "settings": dict(settings),
        "models": sorted({model for case in asked for model in case.models}),
        "compact": summary(asked),
        **baselines(asked),
        **ablations(asked),
        **({"held_out_styles": held_out_styles(asked, others)} if others else {}),
        "categories": {
            name: summary(of) for name in CATEGORIES if (of := [case for case in asked if case.category == name])
        },
        "stage_seconds_p50": stage_seconds(asked),
        "joints": joint_failures(measured),
        "calibration": {
            "joints": calibration(joint_beliefs(measured)),
            "plans": calibration([one.plan_belief for one in measured]),
        },
        "errors": dict(Counter(case.error.split(":")[0] for case in asked if case.error)),
        "objects": [asdict(case) for case in cases],
    }


def write_report(
    folder: Path,
    cases: Sequence[Case],
    subjects: Mapping[str, Subject],
    stored: CaseFolder,
    settings: Mapping[str, object],
) -> Path:
    """Write everything under `folder`; returns the path of `report.md`.

    Args:
        subjects: by name.
        stored: where the runs' files are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report = report_of(cases, settings)
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    pictures = []
    for title, case in notable([case for case in cases if case.split.value == settings["split"]]):
        run = stored.run(subjects[case.name])
        if run is not None:
            name = f"{title.split(':')[0].lower()}.png"
            Image.fromarray(sheet(subjects[case.name], run)).save(folder / name)
            pictures.append((title, name))
    page = folder / "report.md"
    page.write_text(page_of(report, pictures))
    return page


def notable(cases: Sequence[Case]) -> list[tuple[str, Case]]:
    """Title and case of the best, the median and the worst result by Chamfer distance."""
    shapes = ((case.measures.complete.shape, case) for case in cases if case.measures)
    ranked = sorted(((shape.chamfer, case) for shape, case in shapes if shape), key=lambda pair: pair[0])
    if not ranked:
        return []
    chosen = (ranked[0], ranked[len(ranked) // 2], ranked[-1])
    return [
        (f"{word}: {case.category}, Chamfer {distance:.3f}", case)
        for word, (distance, case) in zip(("Best", "Median", "Worst"), chosen, strict=True)
    ]


def page_of(report: Mapping[str, Any], pictures: Sequence[tuple[str, str]]) -> str:
    """`report.md`.

    Args:
        report: the content of `report.json`.
        pictures: title and file of each.
    """
    confidence = [line for what, found in report["calibration"].items() for line in _calibration_lines(what, found)]
    errors = [f"- {count} x `{name}`" for name, count in report["errors"].items()] or ["None."]
    sections = [
        ("", [f"Settings: `{json.dumps(report['settings'])}`.", "", INTRODUCTION, "", *_main_table(report)]),
        ("Categories", table(["category", *CATEGORY_COLUMNS], _category_rows(report["categories"]))),
        ("Ablations", _ablation_table(report)),
        ("Held-out styles", _style_table(report)),
        ("Joints", table(["joint", "n"], list(report["joints"].items()))),
        ("Seconds by stage", table(["stage", "p50"], list(report["stage_seconds_p50"].items()))),
        ("Confidence", confidence),
        ("Failures", errors),
        *((title, [f"![Input, guide pictures, asset; the truth below]({path})"]) for title, path in pictures),
    ]
    lines = ["# Evaluation", ""]
    for title, content in sections:
        if content:
            lines += [*([f"## {title}", ""] if title else []), *content, ""]
    return "\n".join(lines).rstrip() + "\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A Markdown table; numbers to four digits, nothing for None."""
    head = [f"| {' | '.join(columns)} |", "| --- |" + " --- |" * (len(columns) - 1)]
    return head + [f"| {' | '.join(map(_text, row))} |" for row in rows]


def _main_table(report: Mapping[str, Any]) -> list[str]:
    rows = [
        (name, value, _goal(name), report["mean_shape"].get(name), report["boxes"].get(name), PAPER.get(name))
        for name, value in report["compact"].items()
    ]
    return table(["metric", "compact", "goal", "mean shape", "boxes", "paper"], rows)


def _goal(name: str) -> str:
    if name not in GOALS:
        return ""
    return f"{'<=' if name in SMALLER_IS_BETTER else '>='} {GOALS[name]:g}"


def _category_rows(categories: Mapping[str, Mapping[str, Any]]) -> list[list[object]]:
    return [[name, *(values[column] for column in CATEGORY_COLUMNS)] for name, values in categories.items()]


def _ablation_table(report: Mapping[str, Any]) -> list[str]:
    found = [(name, block) for name, block in report.items() if isinstance(block, dict) and "complete" in block]
    rows = [
        (name, metric, block["n"], complete, block[metric])
        for name, block in found
        for metric, complete in block["complete"].items()
    ]
    return table(["ablation", "metric", "n", "complete", "ablated"], rows) if rows else []


def _style_table(report: Mapping[str, Any]) -> list[str]:
    block = report.get("held_out_styles")
    if not block:
        return []
    rows = [
        (name, value, block["validation"][name], None if name in NO_QUALITY else block["worse"][name])
        for name, value in block["test"].items()
    ]
    return table(["metric", "test", "validation", "times worse"], rows)


def _calibration_lines(what: str, found: Mapping[str, Any]) -> list[str]:
    if not found["n"]:
        return []
    error = f"Expected calibration error over {found['n']} {what}: {found['expected_calibration_error']:.3f}."
    return [error, "", *reliability_table(what, found), ""]


def reliability_table(what: str, found: Mapping[str, Any]) -> list[str]:
    """How often claims of each confidence are right, as `training.eval_summary.calibration` found it."""
    rows = [
        (f"{row['from']:.1f} to {row['to']:.1f}", row["n"], row["confidence"], row["right"]) for row in found["bins"]
    ]
    return table([f"confidence of {what}", "n", "mean", "share right"], rows)


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
