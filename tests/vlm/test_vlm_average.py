"""The mean of several plan models."""

import json
from pathlib import Path

import pytest
import torch

from training import vlm_average
from training.vlm_folder import same_model, write_folder
from training.vlm_model import TOY, build_model
from training.vlm_tokenizer import build_tokenizer

RUN = {
    "views": 5, "objects": 3, "steps": 2, "batch": 4, "seconds": 1.0, "processes": 1, "hardware": "CPU", "init": False,
    "best_step": 2, "held_out": {},
}  # fmt: skip


def test_a_mean_lies_between() -> None:
    low, high = ({"a": torch.full((2,), value), "b": torch.tensor([value])} for value in (1.0, 2.0))
    found = vlm_average.mean([low, high])
    assert torch.equal(found["a"], torch.tensor([1.5, 1.5]))
    assert torch.equal(found["b"], torch.tensor([1.5]))


@pytest.mark.parametrize("other", [{}, {"b": torch.zeros(1)}])
def test_models_of_other_shapes_have_no_mean(other: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="different shapes"):
        vlm_average.mean([{"a": torch.zeros(1)}, other])


def test_the_program_exports_a_folder_with_the_mean_and_tells_both_runs(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    folders = [tmp_path / name for name in ("older", "newer")]
    states = []
    for seed, folder in enumerate(folders):
        torch.manual_seed(seed)
        model = build_model(TOY, tokenizer.get_vocab())
        states.append(dict(model.named_parameters()))
        write_folder(folder, model, {name: value.detach() for name, value in states[-1].items()}, tokenizer, TOY)
        (folder / "training.json").write_text(json.dumps({**RUN, "steps": 2 + seed}))
    vlm_average.main([*map(str, folders), "--export", str(tmp_path / "mean"), "--exam", "2", "--toy"])
    found = same_model(tmp_path / "mean", build_model(TOY, tokenizer.get_vocab()), tokenizer)
    name = "model.language_model.embed_tokens.weight"
    wanted = (states[0][name].bfloat16().float() + states[1][name].bfloat16().float()) / 2
    assert not torch.allclose(states[0][name], wanted, atol=0.01)
    assert torch.allclose(found[name], wanted, atol=0.01)
    facts = json.loads((tmp_path / "mean/training.json").read_text())
    assert [run["steps"] for run in facts["runs"]] == [2, 3]
    assert facts["views"] == 10
    assert "count" in facts["held_out"]
    assert "the mean of the weights" in (tmp_path / "mean/README.md").read_text()
