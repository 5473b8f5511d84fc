"""What a model's own probabilities are worth: from those of an answer's tokens to how often such answers are right.

The raw confidence is the product of the probabilities of the tokens that decide something. Models are too sure of
themselves, so a logistic curve is fitted for each kind of statement on pictures of the validation split (Platt 1999,
`training/vlm_calibrate.py`) and stored in the model's folder as `calibration.json`, with the digest of the weights that
it was fitted for.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import exp, log
from pathlib import Path

import structlog

from articulation.plan import Plan
from services.vlm.engine import Completion, Token

FILE = "calibration.json"
LEAST_PROBABILITY = 1e-6

_log = structlog.get_logger(__name__)

_NUMBER = re.compile(r"[\s,\[]*-?\d+[\s,\]]*")
_PART = re.compile(r'"label"\s*:')
_JOINT = re.compile(r'"joint"\s*:')
_PARENT = re.compile(r'"parent"\s*:\s*(-?\d+)')
_MATERIAL = re.compile(r'"material"\s*:\s*"([^"]*)')


@dataclass(frozen=True)
class Evidence:
    """What the tokens of a statement say, as natural logarithms of probabilities.

    Attributes:
        total: sum over the tokens that decide something: words, parents, whether another part follows.
        least: the smallest of these; 0 where there is none.
        numbers: mean over the integers of sizes and places, which are near rather than right; 0 for none.
        parts: logarithm of the number of parts of the plan.
    """

    total: float
    least: float
    numbers: float
    parts: float


@dataclass(frozen=True)
class PlanEvidence:
    """Evidence for a whole plan, and for each of its parts and joints in turn."""

    plan: Evidence
    parts: tuple[Evidence, ...]
    joints: tuple[Evidence, ...]


def gather(completion: Completion) -> PlanEvidence:
    """The evidence in a completion that spells a plan.

    A part's tokens are those from its label to its joint; a joint's those from there to the next part, so that whether
    another part follows is a joint's last decision. The plan's are all, from "this is an object" on.
    """
    text, end = completion.text, len(completion.text)
    parts = [match.start() for match in _PART.finditer(text)]
    joints = [match.start() for match in _JOINT.finditer(text)]
    after = [*parts[1:], end]
    count = log(len(parts))

    def between(start: int, stop: int) -> Evidence:
        return _evidence(completion, [token for token in completion.tokens if start <= token.start < stop], count)

    return PlanEvidence(
        plan=between(0, end),
        parts=tuple(between(*span) for span in zip(parts, joints, strict=True)),
        joints=tuple(between(*span) for span in zip(joints, after, strict=True)),
    )


def _evidence(completion: Completion, tokens: Sequence[Token], parts: float) -> Evidence:
    text = completion.text
    decided = [match.span(1) for match in _PARENT.finditer(text)]
    passed_over = [match.span(1) for match in _MATERIAL.finditer(text)]
    words, numbers = [], []
    for token in tokens:
        value = log(max(min(token.probability, 1.0), LEAST_PROBABILITY))
        if _within(token, decided):
            words.append(value)
        elif _NUMBER.fullmatch(text, token.start, token.end):
            numbers.append(value)
        elif not _within(token, passed_over):
            words.append(value)
    mean = sum(numbers) / len(numbers) if numbers else 0.0
    return Evidence(sum(words), min(words, default=0.0), mean, parts)


def _within(token: Token, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether the token spells a piece of one of the spans and nothing before it."""
    return any(start <= token.start < end for start, end in spans)


@dataclass(frozen=True)
class Logistic:
    """Probability from evidence: a weight for each of its numbers, and a bias."""

    total: float
    least: float
    numbers: float
    parts: float
    bias: float

    def __call__(self, evidence: Evidence) -> float:
        """In (0, 1)."""
        score = self.bias + sum(getattr(self, name) * value for name, value in asdict(evidence).items())
        return 1 / (1 + exp(-max(-30.0, min(score, 30.0))))


@dataclass(frozen=True)
class Calibration:
    """A curve for each kind of statement; without curves the product of the probabilities stands for itself.

    Attributes:
        plan: that parts and joint types are all right, and no part is missing.
        part: that there is such a part, of this label, about there.
        joint: that its type and its axis are right.
    """

    plan: Logistic | None = None
    part: Logistic | None = None
    joint: Logistic | None = None

    def probability(self, kind: str, evidence: Evidence) -> float:
        """Of a statement of a kind, "plan", "part" or "joint"."""
        curve: Logistic | None = getattr(self, kind)
        return exp(evidence.total) if curve is None else curve(evidence)

    def judged(self, plan: Plan, evidence: PlanEvidence) -> Plan:
        """The plan with the confidences that the evidence for it gives."""
        parts = tuple(
            replace(
                part,
                confidence=self.probability("part", exists),
                joint=replace(part.joint, confidence=self.probability("joint", moves)),
            )
            for part, exists, moves in zip(plan.parts, evidence.parts, evidence.joints, strict=True)
        )
        return replace(plan, parts=parts, confidence=self.probability("plan", evidence.plan))


UNCALIBRATED = Calibration()


def load_calibration(folder: Path) -> Calibration:
    """What belongs to the model in a folder; uncalibrated, and logged, where there is none or it is of other weights.

    Raises:
        ValueError: the file is not what `save_calibration` writes.
    """
    path = folder / FILE
    if not path.exists():
        _log.warning("confidences are not calibrated", folder=str(folder))
        return UNCALIBRATED
    try:
        document = json.loads(path.read_text())
        calibration = Calibration(**{kind: Logistic(**weights) for kind, weights in document["curves"].items()})
        weights = document["weights"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no calibration: {error}") from error
    if weights != _weights_digest(folder):
        _log.warning("confidences were calibrated for other weights", folder=str(folder))
        return UNCALIBRATED
    return calibration


def save_calibration(calibration: Calibration, folder: Path, facts: dict[str, object]) -> None:
    """Write the curves, the weights that they belong to, and how they came about."""
    document = {
        "curves": {kind: curve for kind, curve in asdict(calibration).items() if curve is not None},
        "weights": _weights_digest(folder),
        "facts": facts,
    }
    (folder / FILE).write_text(json.dumps(document, indent=2) + "\n")


def _weights_digest(folder: Path) -> str:
    """sha256 over the weight files in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
