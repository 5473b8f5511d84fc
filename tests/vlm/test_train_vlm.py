"""The training program, end to end on toy sizes."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from services.vlm.plan_format import dumps
from services.vlm.planner import plan_image
from services.vlm.transformers_engine import TransformersEngine
from training import train_vlm
from training.objects import Split
from training.vlm_data import build_data
from training.vlm_evaluate import score
from training.vlm_samples import samples
from training.vlm_tokenizer import build_tokenizer


def test_a_toy_run_lowers_its_loss_resumes_and_exports_a_usable_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, export = tmp_path / "state", tmp_path / "export"
    command = ["train_vlm", f"--state={state}", f"--export={export}", "--toy", "--objects=12", "--total-seconds=30"]
    monkeypatch.setattr(sys, "argv", [*command, "--run-seconds=10"])
    train_vlm.main()
    monkeypatch.setattr(sys, "argv", [*command, "--run-seconds=1"])
    train_vlm.main()
    curve = [json.loads(line) for line in (state / "vlm-curve.jsonl").read_text().splitlines()]
    assert curve[-1]["nll"] < curve[0]["nll"] - 0.05
    assert "Apache-2.0" in (export / "README.md").read_text()
    assert json.loads((export / "training.json").read_text())["seconds"] > 10
    plan = plan_image(TransformersEngine.load(export), np.full((64, 64, 3), 200, np.uint8), [], 0)
    assert plan.parts


def test_true_answers_score_full_marks_and_other_objects_answers_do_not() -> None:
    data = build_data(range(6), Split.VAL, build_tokenizer(), 64, 16, "cpu", 1)
    truth = [dumps(document) for document in data.documents]
    right = score(truth, data)
    assert right["valid"] == right["category"] == right["count"] == 1
    assert right["type_error"] == right["axis_error"] == right["box_error"] == right["view_error"] == 0
    wrong = score([*truth[1:], truth[0]], data)
    assert wrong["box_error"] > 0.05
    assert wrong["view_error"] > 1
    assert score(["no plan"] * 6, data)["type_error"] == 1


def test_samples_differ_in_picture_and_answer_and_repeat_by_seed() -> None:
    first, again = (build_data(range(3), Split.TRAIN, build_tokenizer(), 64, 16, "cpu", 1) for _ in range(2))
    assert (first.ids == again.ids).all()
    assert (first.images == again.images).all()
    assert (first.images[0] != first.images[1]).any()
    assert first.documents[0] != first.documents[1]
    answered = first.targets >= 0
    assert (first.ids[answered] == first.targets[answered]).all()


@pytest.mark.parametrize("split", Split)
def test_the_format_can_describe_every_generated_object(split: Split) -> None:
    assert len(samples(range(60), split)) == 60
