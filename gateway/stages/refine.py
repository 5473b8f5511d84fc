"""Refine: joints made to agree with the images, by the refinement service."""

from __future__ import annotations

import json
import time

from gateway.plans import PATH, check_plan, openings, plan_to_json, require_joints
from gateway.quality import preset
from gateway.stages import guide, shape
from gateway.stages.work import Outcome, Work
from serving.errors import DeadlineExceeded, InvalidImage, StageFailed
from spark.convert import plan_to_proto
from spark.v1 import refinement_service_pb2 as rpb

RESULT_PATH = "refine/result.json"
TIME_SHARE = 0.8
"""Of the stage's time, what the optimisation may take; the rest is for its last steps and the way back."""

LATE = "Refinement did not answer in time: the joints are as planned."
UNUSABLE = "Refinement could not use the images of the guide stage: the joints are as planned."
PROGRESS_SECONDS = 0.5
"""Progress is stored for those who resume a watch, so it is thinned to this pace."""


async def run(work: Work) -> Outcome:
    """Write the refined `plan.json`, and losses and found openings as `refine/result.json`.

    The service has the time that is left of the stage. What it warns of goes to the caller; if it does not answer in
    time, or cannot use the images, the planned joints stay.

    Raises:
        StageFailed: the service ended without a result, or with one for other parts.
        DoubtfulJoints: joints are less sure than the caller, who wants such assets refused, demands.
    """
    end = time.monotonic() + work.settings.stage_timeout_seconds
    plan = await work.plan()
    opening = openings(plan)
    request = rpb.RefineArticulationRequest(
        plan=plan_to_proto(plan),
        part_meshes=[await work.read(shape.mesh_path(part.name)) for part in plan.parts],
        closed_image=await work.read(guide.OBJECT_PATH),
        open_image=await work.read(guide.OPEN_PATH),
        opening=opening,
        seed=work.options.seed,
        effort=preset(work.options.quality).refine_effort,
    )
    try:
        result = await _result(work, request, end - time.monotonic())
    except (DeadlineExceeded, InvalidImage) as error:
        require_joints(request.plan, work.options)
        return Outcome([], warnings=[LATE if isinstance(error, DeadlineExceeded) else UNUSABLE])
    if result is None or len(result.plan.parts) != len(plan.parts):
        raise StageFailed("refinement ended without a result for every part", metadata={"stage": "refine"})
    refined = check_plan(result.plan)
    require_joints(result.plan, work.options)
    summary = {
        "initial_loss": result.initial_loss,
        "final_loss": result.final_loss,
        "opening": opening,
        "coordinates": list(result.coordinates),
    }
    artifacts = [
        await work.session.put(PATH, plan_to_json(refined)),
        await work.session.put(RESULT_PATH, json.dumps(summary, indent=1).encode()),
    ]
    return Outcome(artifacts, [result.model], [warning.message for warning in result.warnings])


async def _result(work: Work, request: rpb.RefineArticulationRequest, seconds: float) -> rpb.RefinementResult | None:
    """The service's result, None where it ended without one; progress is passed on.

    Raises:
        DeadlineExceeded: there was no result within the seconds.
        InvalidImage: the closed or the open image shows no object.
    """
    request.time_budget.FromNanoseconds(int(TIME_SHARE * seconds * 1e9))
    result: rpb.RefinementResult | None = None
    reported = time.monotonic()
    peer = await work.refinement()
    async for message in peer.stream(peer.stub.RefineArticulation(request, timeout=seconds)):
        if message.WhichOneof("event") == "result":
            result = message.result
        elif time.monotonic() - reported >= PROGRESS_SECONDS:
            reported = time.monotonic()
            step = message.progress
            await work.progress(step.step / max(step.total_steps, 1), f"loss {step.loss:.4g}")
    return result
