"""Ship the mean of several trained plan models' weights.

    python -m training.vlm_average OLDER NEWER --export models/vlm/compact-plan

Runs that begin from one another's weights end in different places of the same valley; between them lies a model that
answers better than each (Wortsman et al., "Model soups", ICML 2022).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.draw import Split
from training.library import build_library
from training.vlm_answers import tokenise
from training.vlm_card import one_run, write_card
from training.vlm_data import LENGTH_STEP, Studio, opening_tokens
from training.vlm_exam import Exam
from training.vlm_folder import same_model, write_folder
from training.vlm_loss import Student, soft_targets
from training.vlm_model import TOY, ModelSize, build_model, layout
from training.vlm_tokenizer import build_tokenizer

FIRST = 3000
"""Seed of the first object of the exam: those below choose a run's best step."""


def mean(weights: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of states of one shape, in float32.

    Raises:
        ValueError: a state is empty or of other names.
    """
    if not all(weights) or len({frozenset(one) for one in weights}) != 1:
        raise ValueError("the folders hold models of different shapes or vocabularies")
    return {name: torch.stack([one[name].float() for one in weights]).mean(0) for name in weights[0]}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="models of the same shape")
    parser.add_argument("--export", type=Path, required=True)
    parser.add_argument("--exam", type=int, default=192, help="validation objects that the card judges by")
    parser.add_argument("--toy", action="store_true", help="models of toy size")
    arguments = parser.parse_args(argv)

    size, tokenizer = TOY if arguments.toy else ModelSize(), build_tokenizer()
    student = Student(build_model(size, tokenizer.get_vocab()), size)
    averaged = mean([same_model(folder, student.vlm, tokenizer) for folder in arguments.folders])
    student.vlm.load_state_dict(averaged, strict=False)

    library = build_library(range(FIRST, FIRST + arguments.exam), Split.VAL, documents=True)
    answers = tokenise(library.documents, tokenizer, "cpu")
    studio = Studio(library, answers, tokenizer, size, Split.VAL, 0)
    exam = Exam(studio, answers, len(library), tokenizer)
    table = layout(student.vlm, size, opening_tokens(tokenizer), (studio.longest // LENGTH_STEP + 1) * LENGTH_STEP)
    result = exam.sit(student, dict(student.named_parameters()), table, soft_targets(tokenizer, "cpu"), size.patch)

    runs: list[dict[str, Any]] = [_facts(folder) for folder in arguments.folders]
    write_folder(arguments.export, student.vlm, result.weights, tokenizer, size)
    facts = {
        "program": "training.vlm_average",
        "views": sum(run["views"] for run in runs),
        "objects": max(run["objects"] for run in runs),
        "runs": runs,
    }
    told = "the mean of the weights of these runs: " + "; and ".join(one_run(run) for run in runs)
    write_card(arguments.export, facts, result, told, student.vlm, len(exam))


def _facts(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / "training.json").read_text())
    del facts["held_out"]
    return facts


if __name__ == "__main__":
    main()
