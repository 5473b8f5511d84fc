"""The plan stage above the engine: hints, validity, one repair, confidences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import structlog

from articulation.errors import InvalidArticulation
from articulation.plan import Plan
from articulation.typing import ImageArray
from services.vlm.calibration import UNCALIBRATED, Calibration, gather
from services.vlm.engine import PlanEngine, Repair
from services.vlm.hints import counts, fit
from services.vlm.plan_format import Refused, parse
from services.vlm.plan_schema import plan_schema
from serving.errors import ImageRefused, StageFailed

_log = structlog.get_logger(__name__)

ADVICE = {
    "no_object": "shows no object with moving parts: send a photograph of one cabinet, appliance or the like",
    "several_objects": "shows several objects: crop it to the one that is meant",
    "cut_off": "shows only a piece of the object: take it from further away, with all of the object in the frame",
    "unclear": "does not show the object's parts clearly: send a sharp photograph of it, closed, from the front or "
    "from one side; a drawing will not do",
}
"""What a caller can do about each refusal; completes "the picture ..."."""


def plan_image(
    engine: PlanEngine,
    image: ImageArray,
    hints: Sequence[str],
    seed: int,
    stop: Callable[[], bool] = lambda: False,
    calibration: Calibration = UNCALIBRATED,
) -> Plan:
    """Plan the object in a picture.

    The likeliest answer is taken; one that cannot exist is repaired once, then refused. Hints go into the prompt; where
    they count parts and the answer has other counts, a second answer is asked for with the right parts in place. They
    do not overrule a refusal: what is known of an object does not bring it into the picture.

    Args:
        image: (H, W, 3) sRGB.
        hints: what the caller knows, in words.
        seed: draws the repair of a model that does not converse.
        stop: true abandons the work.
        calibration: what the engine's probabilities are worth.

    Raises:
        serving.errors.ImageRefused: the model sees no single whole articulated object.
        serving.errors.StageFailed: two answers described no object.
        serving.errors.SparkError: what else the engine raises.
        services.vlm.engine.Abandoned: `stop` returned true.
    """
    attempt = partial(_attempt, engine, calibration, image, hints, seed, stop)
    plan = attempt(None)
    labels = [part.label for part in plan.parts]
    wanted = fit(labels, counts(hints))
    if wanted != labels:
        plan = attempt(wanted)
    return plan


def _attempt(
    engine: PlanEngine,
    calibration: Calibration,
    image: ImageArray,
    hints: Sequence[str],
    seed: int,
    stop: Callable[[], bool],
    labels: Sequence[str] | None,
) -> Plan:
    schema = plan_schema(labels)
    repair: Repair | None = None
    for _ in range(2):
        completion = engine.complete(image, hints, schema, repair, stop)
        try:
            return calibration.judged(parse(completion.text), gather(completion))
        except Refused as refused:
            raise refused_image(refused.reason) from refused
        except InvalidArticulation as error:
            _log.warning("the answer is no plan", problem=str(error), repaired=repair is not None)
            repair = Repair(completion.text, str(error), seed)
    assert repair is not None
    raise StageFailed(f"the model's answers describe no object: {repair.problem}", metadata={"stage": "plan"})


def refused_image(refusal: str) -> ImageRefused:
    """The error that tells a caller of a refusal, one of `services.vlm.plan_format.REFUSALS`."""
    return ImageRefused.at("image", f"the picture {ADVICE[refusal]}", refusal=refusal)
