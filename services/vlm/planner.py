"""The plan stage above the engine: hints, validity, one retry, confidences."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import structlog

from articulation.errors import InvalidArticulation
from articulation.plan import Plan
from articulation.typing import ImageArray
from services.vlm.engine import Completion, PlanEngine
from services.vlm.hints import counts, fit
from services.vlm.plan_format import Refused, parse
from services.vlm.plan_schema import plan_schema
from serving.errors import ImageRefused, StageFailed

_log = structlog.get_logger(__name__)

_DECISION = re.compile(r'"(category|label|parent|type|axis)"\s*:\s*("[^"]*"|-?\d+)')
"""Where a document decides something that is right or wrong; boxes are only near or far."""


ADVICE = {
    "no_object": "shows no object with moving parts: send a photograph of one cabinet, appliance or the like",
    "several_objects": "shows several objects: crop it to the one that is meant",
    "cut_off": "shows only a piece of the object: take it from further away, with all of the object in the frame",
    "unclear": "does not show the object's parts clearly: send a sharp photograph of it, closed, from the front or "
    "from one side; a drawing will not do",
}
"""What a caller can do about each refusal; completes "the picture ..."."""


def plan_image(
    engine: PlanEngine, image: ImageArray, hints: Sequence[str], seed: int, stop: Callable[[], bool] = lambda: False
) -> Plan:
    """Plan the object in a picture.

    The likeliest answer is taken; one that cannot exist is drawn once more at random. Hints go into the prompt; where
    they count parts and the answer has other counts, a second answer is asked for with the right parts in place. They
    do not overrule a refusal: what is known of an object does not bring it into the picture.

    Args:
        image: (H, W, 3) sRGB.
        hints: what the caller knows, in words.
        seed: draws the second answer.
        stop: true abandons the work.

    Raises:
        serving.errors.ImageRefused: the model sees no single whole articulated object.
        serving.errors.StageFailed: two answers described no object.
        services.vlm.engine.Abandoned: `stop` returned true.
    """
    plan = _attempt(engine, image, hints, None, seed, stop)
    labels = [part.label for part in plan.parts]
    wanted = fit(labels, counts(hints))
    if wanted != labels:
        plan = _attempt(engine, image, hints, wanted, seed, stop)
    return plan


def _attempt(
    engine: PlanEngine,
    image: ImageArray,
    hints: Sequence[str],
    labels: Sequence[str] | None,
    seed: int,
    stop: Callable[[], bool],
) -> Plan:
    schema = plan_schema(labels)
    problem = ""
    for draw in (None, seed):
        completion = engine.complete(image, hints, schema, draw, stop)
        try:
            return with_confidence(parse(completion.text), completion)
        except Refused as refused:
            raise refused_image(refused.reason) from refused
        except InvalidArticulation as error:
            problem = str(error)
            _log.warning("the answer is no plan", problem=problem, seed=draw)
    raise StageFailed(f"the model's answers describe no object: {problem}", metadata={"stage": "plan"})


def refused_image(refusal: str) -> ImageRefused:
    """The error that tells a caller of a refusal, one of `services.vlm.plan_format.REFUSALS`."""
    return ImageRefused.at("image", f"the picture {ADVICE[refusal]}", refusal=refusal)


@dataclass(frozen=True)
class _Decision:
    key: str
    probability: float


def with_confidence(plan: Plan, completion: Completion) -> Plan:
    """The plan with confidences from the probabilities of the tokens that spell its decisions.

    A part's confidence is the probability of its label and parent, a joint's that of its type and axis, the plan's that
    of the category and of all parts and joints: products, as if the decisions were independent. They rank plans; how
    often they are right is for the evaluation report to say.
    """
    decisions = list(_decisions(completion))
    category = prod(d.probability for d in decisions if d.key == "category")
    groups: list[list[_Decision]] = []
    for decision in decisions:
        if decision.key == "label":
            groups.append([])
        if groups:
            groups[-1].append(decision)
    parts = []
    for part, group in zip(plan.parts, groups, strict=True):
        exists = prod(d.probability for d in group if d.key in ("label", "parent"))
        moves = prod(d.probability for d in group if d.key in ("type", "axis"))
        parts.append(replace(part, confidence=exists, joint=replace(part.joint, confidence=moves)))
    whole = category * prod(part.confidence * part.joint.confidence for part in parts)
    return replace(plan, parts=tuple(parts), confidence=whole)


def _decisions(completion: Completion) -> list[_Decision]:
    found = []
    for match in _DECISION.finditer(completion.text):
        start, end = match.span(2)
        spelling = [token.probability for token in completion.tokens if token.start < end and token.end > start]
        found.append(_Decision(match[1], min(1.0, prod(spelling))))
    return found
