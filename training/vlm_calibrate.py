"""Fit what the plan model's confidences are worth, and say how well they fit.

    python -m training.vlm_calibrate --folder models/vlm/compact-plan --count 300

Photographs of the validation split go through the real engine. Curves are fitted on every other one; the rest tell the
expected calibration error before and after. Writes `calibration.json` beside the weights; `--page docs/limits.md` also
brings the tables into that page.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit

from articulation.errors import InvalidArticulation
from articulation.files import png
from articulation.metrics import joint_scores
from articulation.plan import Plan, PlannedPart
from articulation.typing import Array, ImageArray
from gateway.images import normalise, read_rgb
from services.vlm.calibration import UNCALIBRATED, Calibration, Evidence, Logistic, gather, save_calibration
from services.vlm.plan_format import Refused, parse
from services.vlm.plan_schema import plan_schema
from services.vlm.transformers_engine import TransformersEngine
from training.draw import Split
from training.objects import generate
from training.preview import photograph, photograph_view
from training.sections import write_section
from training.vlm_matching import match_boxes

FIRST_SEED = 500_000
"""Away from the objects by which training chooses weights."""
PICTURE = 384
NEAR = 0.15
"""Mean distance of a face [model units] up to which a part's box is about right."""
KINDS = tuple(field.name for field in fields(Calibration))
BINS = 10
PULL = 0.1
"""Weight of the squared weights of a curve in its loss [nat]."""


@dataclass(frozen=True)
class Claim:
    """One statement of a plan: its kind, the evidence for it, and whether it is true."""

    kind: str
    evidence: Evidence
    true: bool


@dataclass(frozen=True)
class Answer:
    """What the engine said about one picture: claims, or nothing where it refused or wrote no plan."""

    claims: tuple[Claim, ...] = ()
    refused: bool = False


def verdicts(plan: Plan, truth: Plan) -> dict[str, list[bool]]:
    """Which statements of a plan are true, by kind; one of the plan, one of each part and joint.

    Parts are matched so that their boxes are as near as possible. A part is true if its partner has the same label and
    a box about there; a joint if it succeeds beside its partner's (`articulation.metrics.JointScores`): in type, axis
    and hinge line; the plan if there are as many parts as in truth, each has a near partner, and all joint types are
    right.
    """
    partner = {mine: truth.parts[theirs] for (mine, theirs), apart in match_boxes(plan, truth).items() if apart < NEAR}

    def labelled(index: int, part: PlannedPart) -> bool:
        return index in partner and partner[index].label == part.label

    def typed(index: int, part: PlannedPart) -> bool:
        return index in partner and partner[index].joint.type is part.joint.type

    def succeeds(index: int, part: PlannedPart) -> bool:
        return index in partner and joint_scores(part.joint, partner[index].joint).success

    parts = list(enumerate(plan.parts))
    return {
        "plan": [len(plan.parts) == len(truth.parts) and all(typed(*part) for part in parts)],
        "part": [labelled(*part) for part in parts],
        "joint": [succeeds(*part) for part in parts],
    }


def validation_picture(seed: int) -> tuple[ImageArray, Plan]:
    """A photograph of a validation object as the gateway hands it on, and the true plan."""
    spec = generate(seed, Split.VAL)
    image = read_rgb(normalise(png(photograph(spec, Split.VAL, PICTURE, seed))))
    return image, spec.plan(photograph_view(spec, Split.VAL, seed))


def answer(engine: TransformersEngine, image: ImageArray, truth: Plan) -> Answer:
    """Ask the engine as the service does, without hints, and compare with the truth."""
    completion = engine.complete(image, (), plan_schema(), None, lambda: False)
    try:
        plan = parse(completion.text)
    except Refused:
        return Answer(refused=True)
    except InvalidArticulation:
        return Answer()
    said, found = gather(completion), verdicts(plan, truth)
    evidence = {"plan": [said.plan], "part": said.parts, "joint": said.joints}
    return Answer(tuple(Claim(kind, *pair) for kind in KINDS for pair in zip(evidence[kind], found[kind], strict=True)))


def fit(claims: Sequence[Claim]) -> Logistic:
    """The logistic curve under which the claims' truth is likeliest, with Platt's softened targets.

    More probable tokens never make a claim less probable; the number of parts may do either.
    """
    x = np.array([astuple(claim.evidence) for claim in claims])
    true = np.array([claim.true for claim in claims])
    target = np.where(true, (true.sum() + 1) / (true.sum() + 2), 1 / ((~true).sum() + 2))

    def loss(weights: Array) -> tuple[float, Array]:
        score = x @ weights[:-1] + weights[-1]
        error = expit(score) - target
        gradient = np.append(x.T @ error, error.sum()) / len(x)
        pull = PULL / len(x) * np.append(weights[:-1], 0)
        value = (np.logaddexp(0, score) - target * score).mean() + 0.5 * float(pull @ weights)
        return float(value), gradient + pull

    free = (None, None)
    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=[(0, None)] * 3 + [free, free])
    return Logistic(*map(float, found.x))


def stated(calibration: Calibration, claims: Iterable[Claim]) -> Array:
    """(N,) probabilities that the calibration gives the claims."""
    return np.array([calibration.probability(claim.kind, claim.evidence) for claim in claims])


def reliability(probability: Array, true: Array) -> list[tuple[int, float, float]]:
    """Number, mean stated probability and share of true claims of each tenth of the scale; (0, nan, nan) for none."""
    index = np.minimum((probability * BINS).astype(int), BINS - 1)
    groups = [index == i for i in range(BINS)]
    return [
        (int(g.sum()), float(probability[g].mean()), float(true[g].mean())) if g.any() else (0, np.nan, np.nan)
        for g in groups
    ]


def calibration_error(probability: Array, true: Array) -> float:
    """Expected calibration error (Naeini 2015): mean gap between stated and true share, over ten bins by their size."""
    rows = reliability(probability, true)
    return sum(n * abs(said - right) for n, said, right in rows if n) / len(true)


def report(calibration: Calibration, claims: Sequence[Claim]) -> tuple[str, dict[str, dict[str, float]]]:
    """A Markdown page on claims that the curves were not fitted on, and its error of each kind before and after."""
    lines: list[str] = []
    errors: dict[str, dict[str, float]] = {}
    for kind in KINDS:
        mine = [claim for claim in claims if claim.kind == kind]
        true = np.array([float(claim.true) for claim in mine])
        before, after = (stated(x, mine) for x in (UNCALIBRATED, calibration))
        errors[kind] = {"before": calibration_error(before, true), "after": calibration_error(after, true)}
        lines += [
            f"**{kind}**: {len(mine)} claims, {true.mean():.3f} true, "
            f"expected calibration error {errors[kind]['before']:.3f} before, {errors[kind]['after']:.3f} after",
            "",
            "| stated | claims | mean stated | true |",
            "| --- | --- | --- | --- |",
        ]
        for i, (count, said, right) in enumerate(reliability(after, true)):
            if count:
                lines.append(f"| {i / BINS:.1f} to {(i + 1) / BINS:.1f} | {count} | {said:.2f} | {right:.2f} |")
        lines.append("")
    return "\n".join(lines), errors


_engine: TransformersEngine | None = None


def _start(folder: Path, threads: int) -> None:
    global _engine
    torch.set_num_threads(threads)
    _engine = TransformersEngine.load(folder)


def _study(seed: int) -> Answer:
    assert _engine is not None
    return answer(_engine, *validation_picture(seed))


def study(folder: Path, seeds: Sequence[int], processes: int) -> list[Answer]:
    """The engine's answers to the validation pictures of the seeds, in order."""
    if processes <= 1:
        _start(folder, torch.get_num_threads())
        return [_study(seed) for seed in seeds]
    with get_context("spawn").Pool(processes, _start, (folder, 1)) as pool:
        return pool.map(_study, seeds, chunksize=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("models/vlm/compact-plan"))
    parser.add_argument("--count", type=int, default=300, help="photographs")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--page", type=Path, help="of the documentation, to bring the tables into")
    arguments = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + arguments.count)
    answers = study(arguments.folder, seeds, arguments.processes)
    fitted, told = ([claim for x in answers[start::2] for claim in x.claims] for start in (0, 1))
    calibration = Calibration(**{kind: fit([claim for claim in fitted if claim.kind == kind]) for kind in KINDS})
    page, errors = report(calibration, told)
    refused = sum(x.refused for x in answers)
    text = f"{len(answers)} validation photographs, {refused} refused.\n\n{page}"
    print(text)
    if arguments.page:
        write_section(arguments.page, "calibration", text)
    facts = {
        "program": "training.vlm_calibrate",
        "split": Split.VAL.value,
        "first_seed": FIRST_SEED,
        "count": len(answers),
        "refused": refused,
        "expected_calibration_error": errors,
    }
    save_calibration(calibration, arguments.folder, facts)


if __name__ == "__main__":
    main()
