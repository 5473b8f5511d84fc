"""The benchmark of plan and guide at full size, in its toy size."""

import json
from pathlib import Path

import torch
from diffusers import QwenImageTransformer2DModel
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from training.bench_vlm import FULL, edit_seconds, main


def test_it_reports_seconds_of_plans_and_edits(tmp_path: Path) -> None:
    main(["--toy", "--device", "cpu", "--requests", "1", "2", "--out", str(tmp_path / "figures.json")])
    report = json.loads((tmp_path / "figures.json").read_text())
    assert report["plan"]["by_requests"].keys() == {"1", "2"}
    guide = report["guide"]
    assert guide["edit_seconds"]["ratio"] > 1
    assert guide["object_of_4_parts_seconds"]["4 steps"] == 6 * guide["edit_seconds"]["4 steps"]


def test_the_full_sizes_are_the_published_models() -> None:
    """8.77 billion parameters of Qwen3-VL-8B, 20.43 of Qwen-Image-Edit's transformer, by their model cards' files."""
    with torch.device("meta"):
        plan = Qwen3VLForConditionalGeneration(Qwen3VLConfig(text_config=FULL.text, vision_config=FULL.vision))
        editor = QwenImageTransformer2DModel(**FULL.editor)
    assert round(plan.num_parameters() / 1e9, 2) == 8.77
    assert round(editor.num_parameters() / 1e9, 2) == 20.43


def test_an_edit_is_encoded_once_and_decoded_once() -> None:
    measured = {"pass_seconds": 1.0, "encode_seconds": 0.25, "decode_seconds": 0.5}
    assert edit_seconds(measured, steps=40, passes=2) == 80.75
